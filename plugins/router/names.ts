/**
 * The names in the config of the router: which of them mean something, and which are mistakes.
 *
 * What the operator wrote but the gateway left out (`optional: true` without its key) is no mistake: it counts as absent, until it is there. All mistakes are
 * found in one go.
 */

import type { Host } from 'headgate/plugin'
import { unknownModelMessage } from './choose.ts'
import type { RouterConfig } from './config.ts'
import { providerOf, resolveModel } from './resolve.ts'

export interface NamesFound {
  /** Aliases with the model that each ends at, over however many others. */
  readonly aliases: Readonly<Record<string, string>>
  /** Sentences, each with the key that it is about. */
  readonly mistakes: readonly string[]
  /** What names something that was left out, by key. */
  readonly absent: readonly string[]
}

/** Looks at all names. */
export function findNames(
  config: RouterConfig,
  { catalog, upstreams, leftOut }: Pick<Host, 'catalog' | 'upstreams' | 'leftOut'>,
): NamesFound {
  const mistakes: string[] = []
  const absent: string[] = []
  const { aliases, looping } = followAliases(config.aliases)
  for (const loop of looping) mistakes.push(`aliases: ${loop.map(quoted).join(' → ')} leads back to itself and to no model.`)

  const is = (upstream: string, name: string): boolean => upstream === name || providerOf(upstream) === name
  const wasLeft = (name: string): boolean => leftOut.upstreams.includes(providerOf(name))

  function upstream(what: string, name: string): boolean {
    if (upstreams.some((one) => is(one, name))) return true
    if (wasLeft(name)) absent.push(`${what}: ${name}`)
    else mistakes.push(`${what}: no upstream is called ${quoted(name)}.`)
    return false
  }
  function model(what: string, name: string, loose = config.loose_names) {
    const found = resolveModel(name, catalog, aliases, loose)
    if (found) return found.model
    if (resolveModel(name, leftOut, aliases, loose)) absent.push(`${what}: ${name}`)
    else mistakes.push(`${what}: ${unknownModelMessage(name, catalog.similar(name))}`)
    return undefined
  }

  if (config.default_model !== undefined) model('default_model', config.default_model)
  for (const [name, meant] of Object.entries(aliases)) model(`aliases.${name}`, meant)
  for (const [glob, models] of Object.entries(config.fallback_models)) for (const name of models) model(`fallback_models.${glob}`, name)
  for (const name of Object.keys(config.concurrency.upstreams)) upstream('concurrency.upstreams', name)
  for (const name of Object.keys(config.checks)) upstream('checks', name)
  if (config.shadow) {
    const { to, upstream: by } = config.shadow
    const served = model('shadow.to', to, true)
    if (by !== undefined && upstream('shadow.upstream', by) && served && !served.targets.some((target) => is(target.upstream, by))) {
      const others = [...new Set(served.targets.map((target) => providerOf(target.upstream)))]
      mistakes.push(`shadow.upstream: ${quoted(by)} does not serve ${quoted(to)}; it is served by ${others.join(', ')}.`)
    }
  }
  return { aliases, mistakes, absent }
}

/** Where each alias ends, and the loops. One that means itself ends there: it is the name of a model. */
function followAliases(given: Readonly<Record<string, string>>): { aliases: Record<string, string>; looping: string[][] } {
  const aliases: Record<string, string> = {}
  const looping: string[][] = []
  for (const name of Object.keys(given)) {
    const way = [name]
    let at = given[name]!
    while (Object.hasOwn(given, at) && given[at] !== at && !way.includes(at)) {
      way.push(at)
      at = given[at]!
    }
    if (!way.includes(at) || way.length === 1) aliases[name] = at
    // said once for each loop, and not of those that lead into it
    else if (at === name && !looping.some((loop) => loop.includes(name))) looping.push([...way, name])
  }
  return { aliases, looping }
}

function quoted(name: string): string {
  return JSON.stringify(name)
}
