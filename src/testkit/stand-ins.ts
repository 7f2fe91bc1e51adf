/**
 * Plugins that stand around the one under test: an observer above all, a provider of slots, a router below.
 *
 * Ordinary plugins of the public API, so that nothing in the pipeline is there for tests only.
 */

import { definePlugin, type Plugin } from '../plugin/define.ts'
import type { AnySlot } from '../plugin/exchange.ts'
import type { Outcome } from '../plugin/outcome.ts'

/** Topmost: is told of every outcome, last of all plugins. */
export function observer(settled: (id: string, outcome: Outcome) => void): Plugin {
  return definePlugin({
    api: 1,
    name: 'testkit-observer',
    summary: 'Collects outcomes',
    failure: 'open',
    setup: () => ({ settle: (x, outcome) => settled(x.id, outcome) }),
  })
}

/** Puts values into slots. `valueFor` gives the value for an exchange; undefined leaves the slot empty. */
export function provider(slots: readonly AnySlot[], valueFor: (id: string, slot: AnySlot) => unknown): Plugin {
  return definePlugin({
    api: 1,
    name: 'testkit-provider',
    summary: 'Fills slots',
    failure: 'closed',
    provides: slots,
    setup: () => ({
      admit(x) {
        for (const slot of slots) {
          const value = valueFor(x.id, slot)
          if (value !== undefined) x.put(slot, value)
        }
      },
    }),
  })
}

/** Sends what has no target yet to the upstream of the caller's API. */
export function lastRouter(upstreamOf: (dialect: string) => string): Plugin {
  return definePlugin({
    api: 1,
    name: 'testkit-router',
    summary: 'Chooses the scripted upstream',
    failure: 'closed',
    setup: () => ({
      request(x) {
        if (x.target === undefined) x.setTarget({ upstream: upstreamOf(x.dialect), model: x.request.model })
      },
    }),
  })
}
