/**
 * Random replies as events: texts, thoughts and calls in any order, fragments of parallel calls between each other. And what such a reply
 * means, put together by nothing of the gateway.
 */

import fc from 'fast-check'
import type { StreamEvent } from '../../src/plugin/events.ts'
import { unknownUsage } from '../../src/plugin/outcome.ts'

const someText = fc.oneof(
  fc.constantFrom('a', ' b', 'Hello ', '\n', '漢字', '🙂', 'data: x\n\n', '"', '\\', '\u2028', 'event: ping', ''),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
)

interface SomeCall {
  readonly id: string
  readonly name: string
  readonly cuts: readonly string[]
}

const someArguments = fc.oneof(
  fc.constantFrom('', '{}', '{"a":1}', '{"path":"/tmp/ä b","n":1.50}'),
  fc
    .dictionary(
      fc.string({ maxLength: 4 }).filter((key) => key !== '__proto__'),
      fc.oneof(fc.string({ maxLength: 8 }), fc.integer(), fc.boolean()),
      { maxKeys: 3 },
    )
    .map((value) => JSON.stringify(value)),
)

const cutUp = (text: string, size: number): string[] => {
  const pieces: string[] = []
  for (let at = 0; at < text.length; at += size) pieces.push(text.slice(at, at + size))
  return pieces
}

const someCall = fc
  .tuple(
    fc.constantFrom('call_1', 'toolu-2', 'a b', 'x'.repeat(80), 'call|fc:1'),
    fc.constantFrom('read', 'do_it', 'Bash'),
    someArguments,
    fc.integer({ min: 1, max: 9 }),
  )
  .map(([id, name, args, size]): SomeCall => ({ id, name, cuts: cutUp(args, size) }))

type Piece =
  | { readonly kind: 'text' | 'reasoning'; readonly text: string }
  | { readonly kind: 'signature'; readonly redacted: boolean }
  | { readonly kind: 'call' | 'fragment'; readonly which: number }
  | { readonly kind: 'usage' | 'note' }

const somePiece: fc.Arbitrary<Piece> = fc.oneof(
  someText.map((text): Piece => ({ kind: 'text', text })),
  someText.map((text): Piece => ({ kind: 'reasoning', text })),
  fc.boolean().map((redacted): Piece => ({ kind: 'signature', redacted })),
  fc.record({ kind: fc.constantFrom('call' as const, 'fragment' as const, 'fragment' as const), which: fc.nat(4) }),
  fc.record({ kind: fc.constantFrom('usage' as const, 'note' as const) }),
)

const usage = { ...unknownUsage, source: 'reported' as const, inputUncached: 11, cacheRead: 4, outputVisible: 5, reasoning: 2 }

/** A complete reply. */
export const someReply: fc.Arbitrary<StreamEvent[]> = fc
  .tuple(
    fc.array(somePiece, { maxLength: 14 }),
    fc.array(someCall, { maxLength: 4 }),
    fc.constantFrom('end', 'length', 'filter', 'stop_sequence'),
    fc.constantFrom('before', 'after', 'never'),
    fc.boolean(),
  )
  .map(([pieces, calls, reason, usageAt, started]) => {
    const events: StreamEvent[] = started ? [{ type: 'start', id: 'up_1', model: 'm' }] : []
    const left = calls.map((call) => [...call.cuts])
    let begun = 0
    let said = false
    const begin = () => {
      const call = calls[begun]
      if (call) events.push({ type: 'tool_call', index: begun++, choice: 0, id: `${call.id}${begun}`, name: call.name, arguments: '' })
    }
    const fragment = (which: number) => {
      const text = left[which]?.shift()
      if (text !== undefined) events.push({ type: 'tool_call', index: which, choice: 0, arguments: text })
    }
    for (const piece of pieces) {
      if (piece.kind === 'call') begin()
      else if (piece.kind === 'fragment') {
        if (begun > 0) fragment(piece.which % begun)
      } else if (piece.kind === 'text' || piece.kind === 'reasoning') {
        said = true
        events.push({ type: piece.kind, text: piece.text, choice: 0 })
      } else if (piece.kind === 'signature')
        events.push({ type: 'reasoning', text: '', choice: 0, signature: 'hg1.d.u.c2ln', ...(piece.redacted && { redacted: true }) })
      else if (piece.kind === 'usage' && usageAt !== 'never') events.push({ type: 'usage', usage })
      else if (piece.kind === 'note') events.push({ type: 'note', text: 'a remark' })
    }
    while (begun < calls.length) begin()
    for (const [which, texts] of left.entries()) while (texts.length > 0) fragment(which)
    if (!said && calls.length === 0) events.push({ type: 'text', text: 'x', choice: 0 })
    if (usageAt === 'before') events.push({ type: 'usage', usage })
    const stop = calls.length > 0 && reason !== 'length' && reason !== 'filter' ? 'tool_calls' : reason
    events.push({ type: 'stop', reason: stop as 'end', raw: stop, choice: 0 })
    if (usageAt === 'after') events.push({ type: 'usage', usage })
    events.push({ type: 'end' })
    return events
  })

export interface Meant {
  text: string
  reasoning: string
  calls: { name: string; args: unknown }[]
  stop: string
  usage?: { input: number; output: number; cacheRead: number }
}

/** What the events mean. */
export function meantBy(events: readonly StreamEvent[]): Meant {
  const meant: Meant = { text: '', reasoning: '', calls: [], stop: 'none' }
  const args: string[] = []
  for (const event of events) {
    if (event.type === 'text') meant.text += event.text
    else if (event.type === 'reasoning') meant.reasoning += event.text
    else if (event.type === 'tool_call') {
      if (event.name !== undefined) meant.calls[event.index] = { name: event.name, args: {} }
      args[event.index] = (args[event.index] ?? '') + event.arguments
    } else if (event.type === 'stop') meant.stop = event.reason === 'stop_sequence' ? 'end' : event.reason
    else if (event.type === 'usage') meant.usage = { input: 15, output: 7, cacheRead: 4 }
  }
  for (const [i, call] of meant.calls.entries()) call.args = args[i] === '' ? {} : JSON.parse(args[i]!)
  return meant
}
