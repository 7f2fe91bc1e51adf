/** Texts and media of neutral turns as Chat content: a plain string where that says all, else parts. */

import type { WriteTarget } from '../codec.ts'
import type { Content, MediaContent, TextContent } from '../conversation.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { dataUrlOf, documentText } from '../media-type.ts'
import { cacheControl } from './cache-mark.ts'
import { fitMedia } from './fit-media.ts'

/** Texts as one string, or as parts where the upstream takes cache marks and there are some; undefined when there is no text. */
export function systemContent(content: readonly Content[], marks: boolean): Writable {
  const texts = content.filter((part): part is TextContent => part.type === 'text' && part.text !== '')
  if (texts.length === 0) return undefined
  if (marks && texts.some((text) => text.cache)) return texts.map((text) => textPart(text, true))
  return texts.map((text) => text.text).join('\n\n')
}

/** What a user says; undefined when nothing is left. */
export function userContent(content: readonly (TextContent | MediaContent)[], target: WriteTarget, report: LossReport): Writable {
  const { cacheMarks, images } = target.can
  const parts = content.filter((part) => part.type === 'media' || part.text !== '')
  const [first] = parts
  if (first === undefined) return undefined
  const texts = parts.filter((part) => part.type === 'text')
  const plain = texts.length === parts.length && !(cacheMarks && texts.some((text) => text.cache))
  // servers of text models take nothing but strings
  if (plain && (texts.length === 1 || !images)) return texts.map((text) => text.text).join('\n\n')
  return parts.map((part) => (part.type === 'text' ? textPart(part, cacheMarks) : mediaPart(part, target, report)))
}

function textPart(text: TextContent, marks: boolean): Writable {
  return { type: 'text', text: text.text, ...(marks && text.cache && cacheControl(text.cache)) }
}

/** A piece of media; refused where the upstream can't take it, for without it the question is another one. */
export function mediaPart(media: MediaContent, { can }: WriteTarget, report: LossReport): Writable {
  const { detail, field } = media
  const marks = can.cacheMarks && media.cache ? cacheControl(media.cache) : {}
  const refuse = (why: string): Writable => {
    report.refuse(field, `"${field}": ${why}`)
    return { type: 'text', text: '' }
  }
  const fit = fitMedia(media, can)
  switch (fit.type) {
    case 'image':
      return { type: 'image_url', image_url: { url: fit.url, ...(detail !== undefined && { detail }) }, ...marks }
    case 'audio':
      return { type: 'input_audio', input_audio: fit.input_audio, ...marks }
    case 'document':
      return documentPart(media, can.documents, refuse, marks)
    case 'refused':
      return refuse(fit.why)
  }
}

function documentPart(media: MediaContent, documents: boolean, refuse: (why: string) => Writable, marks: Writable & object): Writable {
  const { source, name } = media
  const text = documentText(media)
  if (text !== undefined) return { type: 'text', text, ...marks }
  if (!documents) return refuse('the model that was asked for takes no documents.')
  if (source.kind !== 'base64') return refuse('a document has to be sent inline, as base64.')
  return {
    type: 'file',
    file: { filename: name ?? 'document.pdf', file_data: dataUrlOf(source) },
    ...marks,
  }
}
