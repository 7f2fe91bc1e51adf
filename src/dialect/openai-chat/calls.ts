/**
 * Which call a fragment belongs to: dense indices 0, 1, 2 … per choice out of whatever the upstream counts.
 *
 * Upstreams put index 0 on all parallel calls (C02), leave gaps or start at 1 (C05), or give no index at all (Mistral). An id that was
 * not seen before begins a call; a fragment without id goes to the latest call at its index. Some give no ids either: then a name behind
 * complete arguments begins a call. Calls of a whole message are complete, their places in the list are their indices (`sites.ts`).
 */

import type { ToolCallEvent } from '../../plugin/events.ts'
import { objectOf, parseJson } from '../shape.ts'
import type { CallSite } from './sites.ts'

interface Call {
  readonly dense: number
  readonly index: number | undefined
  /** As the upstream says it. */
  id: string | undefined
  name: string | undefined
  arguments: string
  /** Its name came again when it was complete, without arguments: they tell whether that began a call or only repeated the name. */
  repeated: boolean
}

export interface CallTracker {
  /** The event of a fragment. Call it for each fragment once, in order. */
  event(site: CallSite): ToolCallEvent
}

/** Calls per choice that are told apart; OpenAI's own limit is 128. */
const maxCalls = 1024

/**
 * The tracker of one reply's calls.
 *
 * @param ownIds an id that another call of the choice has is not told, so that whoever writes the reply makes one up
 */
export function callTracker(ownIds = false): CallTracker {
  const choices = new Map<number, Call[]>()
  return {
    event(site) {
      let calls = choices.get(site.choice)
      if (!calls) choices.set(site.choice, (calls = []))
      const found = find(calls, site)
      const next = found !== undefined && beginsNext(found, site)
      let call = (next ? undefined : found) ?? (calls.length >= maxCalls ? calls.at(-1) : undefined)
      if (!call) {
        call = { dense: calls.length, index: site.index, id: undefined, name: undefined, arguments: '', repeated: false }
        calls.push(call)
      }
      let id = call.id === undefined ? site.id : undefined
      if (id !== undefined) {
        if (ownIds && calls.some((other) => other.id === id)) id = undefined
        call.id = site.id
      }
      const name = call.name === undefined ? (site.name ?? (next ? found.name : undefined)) : undefined
      if (name !== undefined) call.name = name
      call.arguments += site.arguments
      return {
        type: 'tool_call',
        index: call.dense,
        choice: site.choice,
        ...(id !== undefined && { id }),
        ...(name !== undefined && { name }),
        arguments: site.arguments,
      }
    },
  }
}

function find(calls: readonly Call[], site: CallSite): Call | undefined {
  const at = site.index === undefined ? calls.at(-1) : calls.findLast((call) => call.index === site.index)
  if (site.id === undefined || at === undefined) return at
  if (at.id === undefined || at.id === site.id) return at
  return site.index === undefined
    ? calls.find((call) => call.id === site.id)
    : calls.find((c) => c.id === site.id && c.index === site.index)
}

/**
 * True for a fragment without id that begins another call where its index names a complete one: nothing can follow complete arguments. Some
 * upstreams repeat the name on every fragment, the last and empty one too, so that a name that is the same begins a call only with arguments.
 */
function beginsNext(call: Call, site: CallSite): boolean {
  if (site.id !== undefined || call.name === undefined || (site.name === undefined && !call.repeated)) return false
  if (!isComplete(call.arguments)) return false
  if (site.name !== undefined && site.name !== call.name) return true
  if (site.arguments.trim() !== '') return true
  call.repeated = true
  return false
}

function isComplete(text: string): boolean {
  return text.trimEnd().endsWith('}') && objectOf(parseJson(text)) !== undefined
}
