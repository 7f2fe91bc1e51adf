/**
 * `definePlugin`: the one thing that a plugin file exports.
 *
 * Config type, per-exchange state and the slots a hook may touch are all inferred from the definition.
 */

import type { Static, TObject } from 'typebox'
import type { AnySlot } from './exchange.ts'
import type { allHooks, Hooks } from './hooks.ts'
import type { Host } from './host.ts'

export type FailureMode = 'open' | 'closed'

/** A dialect as a plugin names it; `headgate/dialect` knows the rest of it. */
export interface PluginDialect {
  readonly kind: 'dialect'
  /** Kebab-case. */
  readonly name: string
}

/** Makes an unknown name among the hooks a compile error: it would be a hook that never runs. */
type OnlyHooks<H> = { readonly [K in Exclude<keyof H, (typeof allHooks)[number]>]: never }

export interface PluginDefinition<
  C extends TObject,
  N extends readonly AnySlot[],
  W extends readonly AnySlot[],
  P extends readonly AnySlot[],
  S,
  H extends Hooks<N[number], W[number], P[number], NoInfer<S>> = Hooks<N[number], W[number], P[number], NoInfer<S>>,
> {
  /** Version of this API. */
  readonly api: 1
  /** Kebab-case; the default id of an instance. */
  readonly name: string
  /** One sentence for `headgate explain` and the docs. */
  readonly summary: string
  /** TypeBox object; strict: unknown keys are mistakes. Absent = no config. */
  readonly config?: C
  /** Slots that must be filled by a plugin above. */
  readonly needs?: N
  /** Slots that are used when there. */
  readonly wants?: W
  /** Slots that this plugin fills. */
  readonly provides?: P
  /** What happens when a hook throws or times out: `closed` refuses the exchange, `open` goes on without this plugin. The operator's `on_error` wins. */
  readonly failure: FailureMode
  /**
   * This plugin needs to know what every reply used. Streams of Chat Completions report that only when asked: with such a plugin in the list the
   * gateway asks (`stream_options.include_usage`), and keeps from the client the one chunk that it did not ask for. A function says it of one config.
   */
  readonly usage?: boolean | ((config: Static<C>) => boolean)
  /**
   * The end of each reply waits until the `settle` hooks are done: of a stream the end of its last chunk, of a whole reply all of it. For what must
   * be on the disk before a client has its answer. Nothing waits longer than the hooks' timeouts. A function says it of one config.
   */
  readonly holdsEnd?: boolean | ((config: Static<C>) => boolean)
  /**
   * This plugin wants to be told how long each hook took (`outcome.hooks`). With one such plugin in the list the hooks of all are timed; without, nothing is.
   * A function says it of one config.
   */
  readonly hookTimes?: boolean | ((config: Static<C>) => boolean)
  /**
   * This plugin also hears of shadows, the copies of requests that plugins send elsewhere (`x.shadow`): its `attempt` and `settle` run for them, nothing else.
   * They belong to no caller: slots are empty, also those that it needs.
   */
  readonly shadows?: boolean
  /**
   * Wire formats that this plugin brings, each made with `defineDialect` of `headgate/dialect`. While the plugin stands in the list, upstreams may name them as
   * their `dialect` and mounts as their `api`.
   */
  readonly dialects?: readonly PluginDialect[]
  /** Makes this plugin's state for one exchange. */
  readonly state?: () => S
  /** Builds the instance. Throwing here is a start-up error. */
  setup(host: Host, config: Static<C>): H | Promise<H>
}

/** A plugin as the host sees it, its types erased. */
export interface Plugin {
  readonly api: 1
  readonly name: string
  readonly summary: string
  readonly config?: TObject
  readonly needs: readonly AnySlot[]
  readonly wants: readonly AnySlot[]
  readonly provides: readonly AnySlot[]
  readonly failure: FailureMode
  // biome-ignore lint/suspicious/noExplicitAny: as with `setup`
  readonly usage?: boolean | ((config: any) => boolean)
  // biome-ignore lint/suspicious/noExplicitAny: as with `setup`
  readonly holdsEnd?: boolean | ((config: any) => boolean)
  // biome-ignore lint/suspicious/noExplicitAny: as with `setup`
  readonly hookTimes?: boolean | ((config: any) => boolean)
  readonly shadows?: boolean
  readonly dialects?: readonly PluginDialect[]
  readonly state?: () => unknown
  // biome-ignore lint/suspicious/noExplicitAny: the types were checked where the plugin was defined
  setup(host: Host, config: any): Hooks<any, any, any, any> | Promise<Hooks<any, any, any, any>>
}

/**
 * Declares a plugin.
 * @throws TypeError when the definition is not usable: wrong api version, name not kebab-case.
 */
export function definePlugin<
  // biome-ignore lint/complexity/noBannedTypes: {} is "no config" here
  C extends TObject = TObject<{}>,
  const N extends readonly AnySlot[] = [],
  const W extends readonly AnySlot[] = [],
  const P extends readonly AnySlot[] = [],
  S = undefined,
  H extends Hooks<N[number], W[number], P[number], NoInfer<S>> & OnlyHooks<H> = Hooks<N[number], W[number], P[number], NoInfer<S>>,
>(definition: PluginDefinition<C, N, W, P, S, H>): Plugin {
  if (definition.api !== 1) throw new TypeError(`plugin ${String(definition.name)}: this host speaks plugin api 1`)
  if (!/^[a-z][a-z0-9-]*$/.test(definition.name)) throw new TypeError(`plugin name ${JSON.stringify(definition.name)} must be kebab-case`)
  return Object.freeze({
    ...definition,
    needs: definition.needs ?? [],
    wants: definition.wants ?? [],
    provides: definition.provides ?? [],
  }) as Plugin
}
