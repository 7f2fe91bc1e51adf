/** Texts and media of neutral turns as parts of Responses messages and tool outputs. */

import type { WriteTarget } from '../codec.ts'
import type { MediaContent, TextContent } from '../conversation.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { audioFormat, dataUrlOf, documentText } from '../media-type.ts'

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
  const { source, field } = media
  const refuse = (why: string): Writable => {
    report.refuse(field, `"${field}": ${why}`)
    return { type: 'input_text', text: '' }
  }
  if (source.kind === 'file') return refuse('an uploaded file is known only to the provider that has it. Send its content.')
  switch (media.kind) {
    case 'image': {
      if (!can.images) return refuse('the model that was asked for does not see pictures.')
      if (source.kind === 'text') return refuse('a picture has to be given as base64 or as a URL.')
      if (source.kind === 'url' && !can.imageUrls)
        return refuse('the model that was asked for takes pictures inline only. Send it as base64.')
      return { type: 'input_image', image_url: source.kind === 'url' ? source.url : dataUrlOf(source), detail: media.detail ?? 'auto' }
    }
    case 'document':
      return documentPart(media, can.documents, refuse)
    case 'audio': {
      if (!can.audio) return refuse('the model that was asked for does not hear.')
      if (source.kind !== 'base64') return refuse('sound has to be sent inline, as base64.')
      return { type: 'input_audio', input_audio: { data: source.data, format: audioFormat(source.mime) } }
    }
    case 'video':
      return refuse('the model that was asked for takes no video.')
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
