/** Texts and media of neutral turns as parts of Responses messages and tool outputs. */

import type { WriteTarget } from '../codec.ts'
import type { MediaContent, TextContent } from '../conversation.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { dataUrlOf, documentText } from '../media-type.ts'
import { fitMedia } from '../openai-chat/fit-media.ts'

/** Texts that are worth sending. */
export function saying(texts: readonly TextContent[]): TextContent[] {
  return texts.filter((part) => part.text !== '')
}

/** What a user says or a tool gave: a plain string where that says all, else parts; undefined when nothing is left. */
export function inputContent(content: readonly (TextContent | MediaContent)[], target: WriteTarget, report: LossReport): Writable {
  const parts = content.filter((part) => part.type === 'media' || part.text !== '')
  const [first] = parts
  if (first === undefined) return undefined
  if (parts.length === 1 && first.type === 'text') return first.text
  return parts.map((part) => (part.type === 'text' ? { type: 'input_text', text: part.text } : mediaPart(part, target, report)))
}

/** A piece of media; refused where the upstream can't take it, for without it the question is another one. */
function mediaPart(media: MediaContent, { can }: WriteTarget, report: LossReport): Writable {
  const { field } = media
  const refuse = (why: string): Writable => {
    report.refuse(field, `"${field}": ${why}`)
    return { type: 'input_text', text: '' }
  }
  const fit = fitMedia(media, can)
  switch (fit.type) {
    case 'image':
      return { type: 'input_image', image_url: fit.url, detail: media.detail ?? 'auto' }
    case 'audio':
      return { type: 'input_audio', input_audio: fit.input_audio }
    case 'document':
      return documentPart(media, can.documents, refuse)
    case 'refused':
      return refuse(fit.why)
  }
}

function documentPart(media: MediaContent, documents: boolean, refuse: (why: string) => Writable): Writable {
  const { source, name } = media
  const text = documentText(media)
  if (text !== undefined) return { type: 'input_text', text }
  if (!documents) return refuse('the model that was asked for takes no documents.')
  if (source.kind === 'url') return { type: 'input_file', file_url: source.url }
  if (source.kind !== 'base64') return refuse('a document has to be sent as base64 or as a URL.')
  return { type: 'input_file', filename: name ?? 'document.pdf', file_data: dataUrlOf(source) }
}
