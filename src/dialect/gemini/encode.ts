/**
 * Events to Gemini frames: rewriting of frames that hooks changed, and synthesis of what they added.
 *
 * One encoder per stream. Nothing in this format is numbered across frames, so a forwarded stream may be changed in one frame and go on as received
 * in the next; `rewriting` is true only when nothing may follow any more.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import { align, isUnchanged, pairSites } from '../align.ts'
import type { FrameOrigin, ReplyIdentity, StreamEncoder } from '../codec.ts'
import { spliceText } from '../json-edits.ts'
import { objectOf, parseJson, wordOf } from '../shape.ts'
import { frameText, rawText, type SseFrame } from '../sse.ts'
import { geminiFrame } from './errors.ts'
import { keptOf, rewriteBody } from './rewrite.ts'
import { sitesOf } from './sites.ts'
import { geminiSynth } from './synth.ts'

/** The encoder of one stream. */
export function geminiEncoder(head: ReplyIdentity): StreamEncoder {
  const synth = geminiSynth(head)

  const observe = (frame: SseFrame, events: readonly StreamEvent[]): void => {
    synth.forward()
    for (const event of events) {
      if (event.type === 'start') {
        const chunk = objectOf(parseJson(frame.data))
        synth.identify(wordOf(chunk?.responseId), wordOf(chunk?.modelVersion))
      } else if (event.type === 'stop') synth.finishSent(event.choice)
    }
  }

  /** The frame with what became of its events, and what was inserted but has no place in it. */
  const rewritten = (frame: SseFrame, before: readonly StreamEvent[], fates: readonly (readonly StreamEvent[])[]): string => {
    const inserted = (): string =>
      fates
        .flatMap((fate, i) => fate.filter((event) => event !== keptOf(before[i]!, fate)))
        .map(synth.event)
        .join('')
    const kept = before.map((old, i) => keptOf(old, fates[i] ?? []))
    const [only] = before
    if (!only) return rawText(frame)
    const now = kept[0]
    if (before.length === 1 && only.type === 'native' && only.data === frame.data) {
      if (now?.type !== 'native') return inserted()
      return (now.data === frame.data ? rawText(frame) : frameText(now.event ?? frame.event, now.data)) + inserted()
    }
    const chunk = objectOf(parseJson(frame.data))
    if (!chunk) return (now ? rawText(frame) : '') + inserted()
    if (fates.every((fate) => fate.length === 0)) return ''
    try {
      const { edits, rest } = rewriteBody(chunk, pairSites(sitesOf(chunk, 'relay'), before), before, fates)
      const data = spliceText(frame.data, edits)
      observe(
        frame,
        kept.filter((event) => event !== undefined),
      )
      return (data === frame.data ? rawText(frame) : geminiFrame(data)) + rest.map(synth.event).join('')
    } catch {
      // Nested deeper than edits go: what is known of the frame is written anew, so that no change of a hook is lost.
      return fates.flat().map(synth.event).join('')
    }
  }

  return {
    get rewriting() {
      return synth.ended
    },
    observe,
    takeOver: synth.takeOver,
    encode(after: readonly StreamEvent[], origin?: FrameOrigin): string {
      if (!origin) return after.map(synth.event).join('')
      if (synth.ended) return ''
      const { frame, before } = origin
      if (isUnchanged(before, after)) {
        observe(frame, before)
        return rawText(frame)
      }
      synth.forward()
      const { lead, fates } = align(before, after)
      const first = lead.map(synth.event).join('') + synth.flush()
      if (synth.ended) return first
      return first + rewritten(frame, before, fates) + synth.flush()
    },
  }
}
