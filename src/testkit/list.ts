/**
 * The plugin list of a test: stand-ins, neighbours and the plugin under test, as entries of a config.
 *
 * Plugins are given to the gateway as built-ins under made-up names; another name for the same plugin makes a reload set it up anew.
 */

import type { Plugin } from '../plugin/define.ts'
import type { AnySlot } from '../plugin/exchange.ts'
import type { Builtins } from '../runtime/load-plugin.ts'

/** A plugin with what an operator may write beside it. */
export interface Entry {
  plugin: Plugin
  id?: string
  with?: Readonly<Record<string, unknown>>
  when?: Readonly<Record<string, unknown>>
  on_error?: 'skip' | 'refuse'
  /** Limit of one hook call, in milliseconds. */
  timeout?: number
}

export interface StandIns {
  readonly observer: Plugin
  readonly provider: (slots: readonly AnySlot[]) => Plugin
  readonly router: Plugin
}

export interface PluginList {
  readonly builtins: Builtins
  /** Id of the plugin under test. */
  readonly id: string
  /** `plugins` of the config. */
  entries(): readonly object[]
  /** Changes the entry of the plugin under test; the result takes it back. */
  change(change: Omit<Entry, 'plugin'> & { fresh?: boolean }): () => void
}

interface ListOptions extends Omit<Entry, 'plugin'> {
  readonly slots?: readonly (readonly [AnySlot, unknown])[]
  readonly above?: readonly (Plugin | Entry)[]
  readonly below?: readonly (Plugin | Entry)[]
}

export function listOf(plugin: Plugin, options: ListOptions, standIns: StandIns): PluginList {
  const above = (options.above ?? []).map(entryOf)
  const below = (options.below ?? []).map(entryOf)
  const { id = plugin.name, with: config, when, on_error, timeout } = options
  let own: Entry & { id: string } = {
    plugin,
    id,
    ...(config && { with: config }),
    ...(when && { when }),
    ...(on_error && { on_error }),
    ...(timeout !== undefined && { timeout }),
  }
  let generation = 0

  const filled = unfilled([...above, own, ...below])
  for (const [slot] of options.slots ?? []) if (!filled.includes(slot)) filled.push(slot)
  const builtins: Record<string, () => Promise<{ default: Plugin }>> = {}
  const line = (use: string, { plugin: made, timeout: ms, ...entry }: Entry) => {
    builtins[use] = () => Promise.resolve({ default: made })
    return { use, id: made.name, ...entry, ...(ms !== undefined && { timeout: `${ms}ms` }) }
  }
  return {
    builtins,
    id,
    entries: () => [
      line('testkit-observer', { plugin: standIns.observer }),
      ...(filled.length > 0 ? [line('testkit-provider', { plugin: standIns.provider(filled) })] : []),
      ...above.map((entry, i) => line(`above-${i}`, entry)),
      line(`under-test-${generation}`, own),
      ...below.map((entry, i) => line(`below-${i}`, entry)),
      line('testkit-router', { plugin: standIns.router }),
    ],
    change({ fresh = false, ...change }) {
      const before = { own, generation }
      own = { ...own, ...change }
      if (fresh) generation++
      return () => {
        own = before.own
        generation = before.generation
      }
    },
  }
}

function entryOf(given: Plugin | Entry): Entry {
  return 'plugin' in given ? given : { plugin: given }
}

/** Slots that are needed and that no plugin above provides. */
function unfilled(entries: readonly Entry[]): AnySlot[] {
  const out: AnySlot[] = []
  const provided = new Set<string>()
  for (const { plugin, when } of entries) {
    for (const slot of plugin.needs) if (!provided.has(slot.name) && !out.includes(slot)) out.push(slot)
    if (!when) for (const slot of plugin.provides) provided.add(slot.name)
  }
  return out
}
