/** A plugin out of its hooks, for tests of the pipeline. */

import { type AnySlot, definePlugin, type Exchange, type Hooks, type Plugin } from '../../src/plugin/index.ts'

interface Plug {
  readonly failure?: 'open' | 'closed'
  readonly needs?: readonly AnySlot[]
  readonly wants?: readonly AnySlot[]
  readonly provides?: readonly AnySlot[]
  readonly state?: () => unknown
}

/** Any slot may be touched as far as types go: what the host says at run time is what is tested. */
export type AnyHooks = Hooks<AnySlot, AnySlot, AnySlot, unknown>
export type AnyExchange = Exchange<AnySlot, AnySlot, AnySlot, unknown>

export function plug(name: string, hooks: AnyHooks | (() => AnyHooks), more: Plug = {}): Plugin {
  const made = definePlugin({ api: 1, name, summary: 'For tests', failure: more.failure ?? 'closed', setup: () => ({}) })
  return {
    ...made,
    needs: more.needs ?? [],
    wants: more.wants ?? [],
    provides: more.provides ?? [],
    ...(more.state && { state: more.state }),
    setup: () => (typeof hooks === 'function' ? hooks() : hooks),
  }
}

/** Never resolves. */
export const forever = (): Promise<never> => new Promise(() => {})
