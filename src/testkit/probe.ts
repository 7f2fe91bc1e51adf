/**
 * A probe: a plugin that changes nothing and remembers what it sees of an exchange at each hook of the way.
 *
 * One above and one below the plugin under test see the same, if a hook between them was undone.
 */

import { definePlugin, type Plugin } from '../plugin/define.ts'
import type { AnySlot } from '../plugin/exchange.ts'
import type { HookName } from '../plugin/hooks.ts'

export interface Probe {
  readonly plugin: Plugin
  /** What was seen last, by hook. */
  readonly seen: Map<HookName, string>
}

export function probe(name: string, slots: readonly AnySlot[]): Probe {
  const seen = new Map<HookName, string>()
  const plugin = definePlugin({
    api: 1,
    name,
    summary: 'Remembers what it sees',
    failure: 'closed',
    wants: slots,
    setup: () => ({
      admit(x) {
        seen.set('admit', JSON.stringify(slots.map((slot) => x.peek(slot))))
      },
      request(x) {
        seen.set('request', JSON.stringify([slots.map((slot) => x.peek(slot)), x.request.json, x.request.model, x.target]))
      },
      around(x, next) {
        seen.set('around', JSON.stringify([slots.map((slot) => x.peek(slot)), x.request.json, x.request.model, x.target]))
        return next()
      },
      attempt(_x, call) {
        seen.set('attempt', JSON.stringify([call.url, [...call.headers], Buffer.from(call.body).toString('base64')]))
      },
      reply(_x, reply) {
        seen.set('reply', JSON.stringify([reply.status, [...reply.headers]]))
      },
    }),
  })
  return { plugin, seen }
}
