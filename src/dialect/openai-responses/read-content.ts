/** The content parts of messages and of tool outputs: texts, pictures, sound and files. */

import type { Json } from '../../plugin/request.ts'
import type { MediaContent, MediaSource, TextContent } from '../conversation.ts'
import { mimeOf } from '../media-type.ts'
import { cacheMark } from '../openai-chat/cache-mark.ts'
import type { Reading } from '../openai-chat/reading.ts'
import { type JsonObject, listOf, objectOf, textOf, wordOf } from '../shape.ts'

/** A string or a list of parts (C24); null and absent are nothing. `field` is where the value stands. */
export function readContent(reading: Reading, content: Json | undefined, field: string): (TextContent | MediaContent)[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }]
  const parts: (TextContent | MediaContent)[] = []
  for (const [i, item] of listOf(content).entries()) {
    const at = `${field}[${i}]`
    const part = objectOf(item)
    const read = part && readPart(reading, part, at)
    if (read) parts.push(read)
    else reading.extra(at, 'meaning', `"${at}" is a part of a kind that the model that was asked for does not take.`)
  }
  return parts
}

function readPart(reading: Reading, part: JsonObject, field: string): TextContent | MediaContent | undefined {
  const cache = cacheMark(part)
  const marked = cache ? { cache } : {}
  switch (part.type) {
    case 'input_text':
    case 'output_text':
    case 'text':
      if (listOf(part.annotations).length > 0) reading.extra(`${field}.annotations`, 'hint')
      return typeof part.text === 'string' ? { type: 'text', text: part.text, ...marked } : undefined
    case 'refusal':
      return { type: 'text', text: textOf(part.refusal), refusal: true }
    case 'input_image':
    case 'computer_screenshot': {
      const detail = wordOf(part.detail)
      const source = sourceOf(part.image_url, part.file_id)
      return source && { type: 'media', kind: 'image', source, field, ...marked, ...(detail !== undefined && { detail }) }
    }
    case 'input_file': {
      const name = wordOf(part.filename)
      const source = sourceOf(wordOf(part.file_data) ?? part.file_url, part.file_id, name)
      return source && { type: 'media', kind: kindOf(source), source, field, ...marked, ...(name !== undefined && { name }) }
    }
    case 'input_audio': {
      const audio = objectOf(part.input_audio)
      const data = wordOf(audio?.data)
      const source: MediaSource | undefined = data === undefined ? undefined : inline(data, `audio/${wordOf(audio?.format) ?? 'wav'}`)
      return source && { type: 'media', kind: 'audio', source, field, ...marked }
    }
    default:
      return undefined
  }
}

function sourceOf(given: Json | undefined, file: Json | undefined, name?: string): MediaSource | undefined {
  // older SDKs put the URL into an object, as Chat does
  const value = wordOf(given) ?? wordOf(objectOf(given)?.url)
  if (value === undefined) {
    const id = wordOf(file)
    return id === undefined ? undefined : { kind: 'file', id }
  }
  if (/^https?:/i.test(value)) return { kind: 'url', url: value }
  if (/^(?!data:)[a-z][a-z0-9+.-]*:/i.test(value)) return { kind: 'url', url: value }
  return inline(value, name === undefined || name.toLowerCase().endsWith('.pdf') ? 'application/pdf' : 'application/octet-stream')
}

/** Base64, plain or as a data URL; a data URL of another coding is nobody's picture. */
function inline(value: string, stated: string): MediaSource | undefined {
  if (!value.startsWith('data:')) return { kind: 'base64', mime: mimeOf(value, stated), data: value }
  const comma = value.indexOf(',')
  const head = value.slice('data:'.length, comma)
  if (comma < 0 || !/;\s*base64$/i.test(head)) return undefined
  const data = value.slice(comma + 1)
  return { kind: 'base64', mime: mimeOf(data, head.replace(/;\s*base64$/i, '') || stated), data }
}

/** A file may be a picture or a sound. */
function kindOf(source: MediaSource): MediaContent['kind'] {
  const mime = source.kind === 'base64' ? source.mime : ''
  const kind = mime.slice(0, mime.indexOf('/'))
  return kind === 'image' || kind === 'audio' || kind === 'video' ? kind : 'document'
}
