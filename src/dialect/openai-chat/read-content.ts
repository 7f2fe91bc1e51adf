/** The content parts of a Chat message: texts, pictures, sound and files, in OpenAI's form and in those of known vendors. */

import type { Json } from '../../plugin/request.ts'
import type { MediaContent, MediaSource, ReasoningContent, TextContent } from '../conversation.ts'
import { type JsonObject, listOf, objectOf, textOf, wordOf } from '../shape.ts'
import { cacheMark } from './cache-mark.ts'
import type { Reading } from './reading.ts'
import { dataUrl } from './reply-media.ts'

export type PartContent = TextContent | MediaContent | ReasoningContent

/** `content` of a message, a string or a list (C24); null and absent are nothing. `field` is where the message stands. */
export function readContent(reading: Reading, content: Json | undefined, field: string): PartContent[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }]
  const parts: PartContent[] = []
  for (const [i, item] of listOf(content).entries()) {
    const at = `${field}.content[${i}]`
    if (typeof item === 'string') parts.push({ type: 'text', text: item })
    else {
      const part = objectOf(item)
      const read = part && readPart(part, at)
      if (read) parts.push(...read)
      else reading.extra(at, 'meaning', `"${at}" is a part of a kind that the model that was asked for does not take.`)
    }
  }
  return parts
}

function readPart(part: JsonObject, field: string): PartContent[] | undefined {
  const cache = cacheMark(part)
  const marked = cache ? { cache } : {}
  switch (part.type) {
    case 'text':
    case 'input_text':
    case 'output_text':
    case undefined:
      return typeof part.text === 'string' ? [{ type: 'text', text: part.text, ...marked }] : undefined
    case 'refusal':
      return [{ type: 'text', text: textOf(part.refusal), refusal: true }]
    case 'thinking': {
      // Mistral: a list of texts; others: one
      const texts = listOf(part.thinking).map((item) => textOf(objectOf(item)?.text))
      return [{ type: 'reasoning', text: textOf(part.thinking) || texts.join('') }]
    }
    case 'image_url':
    case 'input_image': {
      const image = objectOf(part.image_url)
      const detail = wordOf(image?.detail) ?? wordOf(part.detail)
      return media('image', image?.url ?? part.image_url, field, { ...marked, ...(detail !== undefined && { detail }) })
    }
    case 'input_audio': {
      const audio = objectOf(part.input_audio)
      const data = wordOf(audio?.data)
      if (data === undefined) return undefined
      const mime = `audio/${wordOf(audio?.format) ?? 'wav'}`
      return [{ type: 'media', kind: 'audio', source: dataOrBase64(data, mime), field, ...marked }]
    }
    case 'file':
    case 'input_file':
      return filePart(objectOf(part.file) ?? part, field, marked)
    case 'document_url':
      return media('document', objectOf(part.document_url)?.url ?? part.document_url, field, marked)
    case 'video_url':
      return media('video', objectOf(part.video_url)?.url ?? part.video_url, field, marked)
    default:
      return undefined
  }
}

type Rest = Pick<MediaContent, 'cache' | 'detail' | 'name'>

function media(kind: MediaContent['kind'], url: Json | undefined, field: string, rest: Rest): PartContent[] | undefined {
  const source = urlSource(wordOf(url))
  return source && [{ type: 'media', kind, source, field, ...rest }]
}

function filePart(file: JsonObject, field: string, rest: Rest): PartContent[] | undefined {
  const name = wordOf(file.filename)
  const named = name === undefined ? rest : { ...rest, name }
  const id = wordOf(file.file_id)
  if (id !== undefined) return [{ type: 'media', kind: 'document', source: { kind: 'file', id }, field, ...named }]
  const data = wordOf(file.file_data) ?? wordOf(file.file_url)
  if (data === undefined) return undefined
  const source = /^[a-z][a-z0-9+.-]*:/i.test(data) ? urlSource(data) : dataOrBase64(data, 'application/pdf')
  return source && [{ type: 'media', kind: kindOf(source), source, field, ...named }]
}

/** A file may be a picture or a sound. */
function kindOf(source: MediaSource): MediaContent['kind'] {
  const mime = source.kind === 'base64' ? source.mime : ''
  const kind = mime.slice(0, mime.indexOf('/'))
  return kind === 'image' || kind === 'audio' || kind === 'video' ? kind : 'document'
}

function dataOrBase64(data: string, mime: string): MediaSource {
  const inline = dataUrl(data)
  return inline ? { kind: 'base64', ...inline } : { kind: 'base64', mime, data }
}

function urlSource(url: string | undefined): MediaSource | undefined {
  if (url === undefined) return undefined
  const inline = dataUrl(url)
  if (inline) return { kind: 'base64', ...inline }
  // a data URL that is not base64 holds text that nobody takes as a picture
  return url.startsWith('data:') ? undefined : { kind: 'url', url }
}
