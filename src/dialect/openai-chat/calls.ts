/**
 * Which call a fragment belongs to: dense indices 0, 1, 2 … per choice out of whatever the upstream counts.
 *
 * Upstreams put index 0 on all parallel calls (C02), leave gaps or start at 1 (C05), or give no index at all (Mistral). An id that was
 * not seen before begins a call; a fragment without id goes to the latest call at its index.
 */

import type { ToolCallEvent } from '../../plugin/events.ts'
import type { CallSite } from './sites.ts'

interface Call {
  readonly dense: number
  readonly index: number | undefined
  id: string | undefined
  named: boolean
}

export interface CallTracker {
  /** The event of a fragment. Call it for each fragment once, in order. */
  event(site: CallSite): ToolCallEvent
}

/** Calls per choice that are told apart; OpenAI's own limit is 128. */
const maxCalls = 1024

/** The tracker of one reply's calls. */
export function callTracker(): CallTracker {
  const choices = new Map<number, Call[]>()
  return {
    event(site) {
      let calls = choices.get(site.choice)
      if (!calls) choices.set(site.choice, (calls = []))
      let call = find(calls, site) ?? (calls.length >= maxCalls ? calls.at(-1) : undefined)
      if (!call) calls.push((call = { dense: calls.length, index: site.index, id: undefined, named: false }))
      const id = call.id === undefined ? site.id : undefined
      if (id !== undefined) call.id = id
      const name = call.named ? undefined : site.name
      if (name !== undefined) call.named = true
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
