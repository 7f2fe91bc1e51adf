/**
 * A plugin wrapped so that a conformance case sees what happens to it, and can make one of its hooks fail.
 */

import type { Plugin } from '../plugin/define.ts'
import { exchangeHooks, type HookName, type Hooks } from '../plugin/hooks.ts'

type Fn = (...args: unknown[]) => unknown

/** How a hook is made to fail: it does its work, then never comes back, or throws. */
export type Sabotage = { readonly hook: HookName; readonly how: 'hang' | 'throw' }

/** What happened to the instances of a plugin, in order: `1 settle`, `1 close` …, the number being that of the instance. */
export interface Watch {
  readonly plugin: Plugin
  readonly seen: string[]
  /** How often the sabotaged hook was reached. */
  readonly sabotaged: () => number
  /** The hooks that the plugin defines; known after its setup. */
  readonly hooks: () => readonly HookName[]
}

export function watched(plugin: Plugin, sabotage?: Sabotage): Watch {
  const seen: string[] = []
  let instances = 0
  let hits = 0
  let names: readonly HookName[] = []
  const setup = async (...args: Parameters<Plugin['setup']>): Promise<Hooks> => {
    const number = ++instances
    const hooks: Hooks = await plugin.setup(...args)
    const own = hooks as unknown as Record<string, Fn | undefined>
    names = exchangeHooks.filter((name) => own[name] !== undefined)
    const wrapped: Record<string, unknown> = { ...own }
    if (sabotage && own[sabotage.hook] !== undefined) {
      const { hook, how } = sabotage
      if (hook === 'inspect') wrapped.inspect = { ...hooks.inspect, window: fail(() => hits++) }
      else if (how === 'throw') wrapped[hook] = fail(() => hits++, own[hook]?.bind(hooks))
      else wrapped[hook] = hang(() => hits++, own[hook]!.bind(hooks))
    }
    const settle = wrapped.settle as Fn | undefined
    wrapped.settle = (...with_: unknown[]) => {
      seen.push(`${number} settle`)
      return settle?.apply(hooks, with_)
    }
    wrapped.close = async () => {
      seen.push(`${number} close`)
      await own.close?.call(hooks)
    }
    return wrapped as Hooks
  }
  return { plugin: { ...plugin, setup }, seen, sabotaged: () => hits, hooks: () => names }
}

function hang(hit: () => void, work: Fn): Fn {
  return async (...args) => {
    hit()
    await work(...args)
    return await new Promise(() => {})
  }
}

function fail(hit: () => void, work?: Fn): Fn {
  return (...args) => {
    hit()
    const result = work?.(...args)
    if (typeof result === 'object' && result !== null && 'then' in result) {
      return Promise.resolve(result).then(() => {
        throw new Error('made to fail by the test kit')
      })
    }
    throw new Error('made to fail by the test kit')
  }
}
