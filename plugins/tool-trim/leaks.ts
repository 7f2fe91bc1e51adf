/**
 * References that a model writes itself: models copy what they read, also into files. In a reply each is replaced by the lines that it stands for.
 *
 * A stream is held back only while its end could be the beginning of a reference: from a bracket on, some hundred characters at most, within one line. What
 * changes nothing passes as it came.
 */

import type { StreamEvent } from 'headgate/plugin'
import { parseReference } from './classes/index.ts'

/** What the text of one place (a choice, a call) is written in. */
type Form = 'text' | 'json'

const longest = 500
const beginnings = ['[same as ', '[same in ', '[lines 0-0: same ', '[0 lines: same ', '[0 line: same ', '[result of ']
const mask = /^\[result of [^\]\n]{1,200}, \d+ lines?, cleared; run it again if needed\]$/

export interface LeakWatch {
  /** What leaves for an event; undefined when that is the event itself. */
  event(event: StreamEvent): readonly StreamEvent[] | undefined
  /** Texts of ours that were found. */
  readonly found: { readonly references: number; readonly masks: number }
}

/** @param meant what a reference stands for; undefined when that is not known any more: it is left as it is */
export function leakWatch(meant: (reference: string) => string | undefined): LeakWatch {
  const found = { references: 0, masks: 0 }
  let held = ''
  let place: (StreamEvent & { type: 'text' | 'tool_call' }) | undefined
  const free = new Set<string>()

  const feed = (delta: string, form: Form): string => {
    const text = held + delta
    held = ''
    let out = ''
    let from = 0
    for (let at = text.indexOf('['); at >= 0; at = text.indexOf('[', at + 1)) {
      if (at < from) continue
      const end = endOf(text, at, form)
      if (end === undefined) {
        if (!couldBegin(text.slice(at))) continue
        out += text.slice(from, at)
        held = text.slice(at)
        return out
      }
      const lines = end > at ? replaced(text.slice(at, end), form) : undefined
      if (lines === undefined) continue
      out += text.slice(from, at) + lines
      from = end
    }
    return out + text.slice(from)
  }
  /** What a piece in brackets is replaced by, if it is one of ours. */
  const replaced = (piece: string, form: Form): string | undefined => {
    const mark = form === 'json' ? unescaped(piece) : piece
    if (mark === undefined) return undefined
    if (mask.test(mark)) found.masks++
    if (!parseReference(mark)) return undefined
    found.references++
    const lines = meant(mark)
    if (lines === undefined) return undefined
    return form === 'json' ? JSON.stringify(lines).slice(1, -1) : lines
  }
  const letGo = (): StreamEvent[] => {
    const rest = held
    held = ''
    if (rest === '' || !place) return []
    return [place.type === 'text' ? { type: 'text', text: rest, choice: place.choice } : restOf(place, rest)]
  }

  return {
    found,
    event(event) {
      const isText = event.type === 'text' || event.type === 'tool_call'
      if (!isText) {
        if (held === '' || event.type === 'usage' || event.type === 'note' || event.type === 'native') return undefined
        return [...letGo(), event]
      }
      const before = place && samePlace(place, event) ? [] : letGo()
      place = event
      if (event.type === 'tool_call' && event.kind === 'custom') free.add(`${event.choice}.${event.index}`)
      const delta = event.type === 'text' ? event.text : event.arguments
      const hadHeld = held !== ''
      if (!hadHeld && !delta.includes('[')) return before.length > 0 ? [...before, event] : undefined
      const form: Form = event.type === 'text' || free.has(`${event.choice}.${event.index}`) ? 'text' : 'json'
      const out = feed(delta, form)
      if (out === delta && !hadHeld && held === '') return before.length > 0 ? [...before, event] : undefined
      const carries = event.type === 'tool_call' && (event.id !== undefined || event.name !== undefined)
      if (out === '' && !carries && event.signature === undefined) return before
      return [...before, event.type === 'text' ? { ...event, text: out } : { ...event, arguments: out }]
    },
  }
}

function restOf(call: StreamEvent & { type: 'tool_call' }, rest: string): StreamEvent {
  return { type: 'tool_call', index: call.index, choice: call.choice, arguments: rest }
}

function samePlace(a: StreamEvent & { type: 'text' | 'tool_call' }, b: StreamEvent & { type: 'text' | 'tool_call' }): boolean {
  if (a.type !== b.type || a.choice !== b.choice) return false
  return a.type === 'text' || (b.type === 'tool_call' && a.index === b.index)
}

/** Behind the bracket that closes at the end of a reference; `at` when this can't be one, undefined when the text ends before. */
function endOf(text: string, at: number, form: Form): number | undefined {
  const limit = Math.min(text.length, at + longest)
  for (let i = at + 1; i < limit; i++) {
    const c = text[i]
    if (c === ']') return i + 1
    if (c === '\n' || c === '[') return at
    if (c === '\\' && form === 'json') {
      if (text[i + 1] === 'n') return at
      i++
    }
  }
  return limit === text.length && text.length - at < longest ? undefined : at
}

function couldBegin(text: string): boolean {
  const shape = text.slice(0, 40).replace(/\d+/g, '0')
  return beginnings.some((begin) => begin.startsWith(shape) || shape.startsWith(begin))
}

function unescaped(piece: string): string | undefined {
  try {
    return JSON.parse(`"${piece}"`) as string
  } catch {
    return undefined
  }
}
