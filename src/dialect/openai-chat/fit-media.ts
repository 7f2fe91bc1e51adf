/**
 * A piece of media as OpenAI's APIs take it, or why they can't: Chat and Responses spell the same pictures and sounds.
 *
 * Documents have rules of their own in each API: here it is only said that there is one.
 */

import type { Capabilities } from '../capability.ts'
import type { MediaContent } from '../conversation.ts'
import { audioFormat, dataUrlOf } from '../media-type.ts'

export type FitMedia =
  | { readonly type: 'image'; readonly url: string }
  | { readonly type: 'audio'; readonly input_audio: { readonly data: string; readonly format: string } }
  | { readonly type: 'document' }
  /** In words for the client. */
  | { readonly type: 'refused'; readonly why: string }

/** @param can what the model understands; without a thing the question would be another one, so it is refused and never left out */
export function fitMedia({ kind, source }: MediaContent, can: Capabilities): FitMedia {
  if (source.kind === 'file') return refused('an uploaded file is known only to the provider that has it. Send its content.')
  switch (kind) {
    case 'image':
      if (!can.images) return refused('the model that was asked for does not see pictures.')
      if (source.kind === 'text') return refused('a picture has to be given as base64 or as a URL.')
      if (source.kind === 'base64') return { type: 'image', url: dataUrlOf(source) }
      if (!can.imageUrls) return refused('the model that was asked for takes pictures inline only. Send it as base64.')
      return { type: 'image', url: source.url }
    case 'audio':
      if (!can.audio) return refused('the model that was asked for does not hear.')
      if (source.kind !== 'base64') return refused('sound has to be sent inline, as base64.')
      return { type: 'audio', input_audio: { data: source.data, format: audioFormat(source.mime) } }
    case 'video':
      return refused('the model that was asked for takes no video.')
    case 'document':
      return { type: 'document' }
  }
}

function refused(why: string): FitMedia {
  return { type: 'refused', why }
}
