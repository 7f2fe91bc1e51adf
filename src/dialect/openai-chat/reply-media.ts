/** Pictures, sound and citations in Chat replies: read as events, and written from them. */

import type { CitationEvent, MediaEvent, StreamEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import { countOf, type JsonObject, listOf, objectOf, textOf, wordOf } from '../shape.ts'

/** Pictures that the model made (`images`). One that is only linked is told as a citation. */
export function imageEvents(images: Json | undefined, choice: number, out: StreamEvent[]): void {
  for (const item of listOf(images)) {
    const image = objectOf(item)
    const url = wordOf(image?.image_url) ?? wordOf(objectOf(image?.image_url)?.url)
    if (url === undefined) continue
    const inline = dataUrl(url)
    if (inline) out.push({ type: 'media', choice, mime: inline.mime, data: inline.data })
    else out.push({ type: 'citation', choice, url })
  }
}

/** Spoken output: its transcript is the text. */
export function audioEvents(message: JsonObject, choice: number, out: StreamEvent[]): void {
  const audio = objectOf(message.audio)
  if (!audio) return
  const transcript = textOf(audio.transcript)
  if (transcript !== '' && !textOf(message.content)) out.push({ type: 'text', text: transcript, choice })
  const data = textOf(audio.data)
  if (data !== '') out.push({ type: 'media', choice, mime: audioMime(data), data })
}

/** URL citations. Their words are those of the reply where the annotation says which, else what it quotes. */
export function citationEvents(annotations: Json | undefined, content: string, choice: number, out: StreamEvent[]): void {
  for (const item of listOf(annotations)) {
    const cited = objectOf(objectOf(item)?.url_citation)
    const url = wordOf(cited?.url)
    if (!cited || url === undefined) continue
    const title = wordOf(cited.title)
    const words = content.slice(countOf(cited.start_index) ?? 0, countOf(cited.end_index) ?? 0) || textOf(cited.content)
    out.push({ type: 'citation', choice, url, ...(title !== undefined && { title }), ...(words !== '' && { cited: words }) })
  }
}

/**
 * The annotation for a citation. Places are counted on the joined text of the reply (PROTOCOL §1.1).
 * @param text the reply's text, or the last part of it, which begins at `offset`
 */
export function annotationOf(citation: CitationEvent, text: string, offset: number): JsonObject {
  const { url, title, cited } = citation
  const at = cited ? text.lastIndexOf(cited) : -1
  const end = offset + text.length
  const place = at >= 0 ? { start_index: offset + at, end_index: offset + at + cited!.length } : { start_index: end, end_index: end }
  const quoted = at < 0 && cited ? { content: cited } : {}
  return { type: 'url_citation', url_citation: { ...place, url, title: title ?? url, ...quoted } }
}

/** The members of a message or delta that hold a piece of media. `index` counts the pictures of a reply. */
export function mediaMembers({ mime, data }: MediaEvent, id: string, index: number): JsonObject {
  if (mime.startsWith('audio/')) return { audio: { id: `audio_${id}`, data, expires_at: 0, transcript: '' } }
  return { images: [{ type: 'image_url', image_url: { url: `data:${mime};base64,${data}` }, index }] }
}

/** The parts of a base64 data URL; undefined for any other URL. */
export function dataUrl(url: string): { mime: string; data: string } | undefined {
  if (!url.startsWith('data:')) return undefined
  const comma = url.indexOf(',')
  const head = url.slice(5, Math.max(5, comma))
  if (comma < 0 || !/;base64$/i.test(head)) return undefined
  return { mime: head.slice(0, head.indexOf(';')) || 'application/octet-stream', data: url.slice(comma + 1) }
}

/** By the first bytes, for replies do not say it. */
function audioMime(data: string): string {
  if (data.startsWith('UklGR')) return 'audio/wav'
  if (data.startsWith('T2dnUw')) return 'audio/ogg'
  if (data.startsWith('ZkxhQ')) return 'audio/flac'
  if (data.startsWith('SUQz') || data.startsWith('//')) return 'audio/mpeg'
  return 'audio/pcm'
}
