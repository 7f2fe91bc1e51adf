/**
 * Answers to the same requests: of several plugins the first of the list gives it, and the gateway's own stand before those of all plugins. The operator is
 * told. At the path of a model list a plugin stands before the gateway, which is meant so.
 */

import { type Diagnostic, pathText } from '../config/diagnostics.ts'
import type { LoadResult } from '../config/load.ts'
import type { GatewayConfig } from '../config/model.ts'
import { families } from '../dialect/family.ts'
import type { RouteSpec } from '../plugin/host.ts'
import { modelLists } from './model-lists.ts'

export interface OwnedRoute {
  /** Id of the instance. */
  readonly owner: string
  readonly route: Pick<RouteSpec, 'method' | 'path'>
}

/** What two routes that answer the same requests have in common. */
export function routeKey({ method, path }: Pick<RouteSpec, 'method' | 'path'>): string {
  return `${method} ${path.replace(/:[^/]+/g, ':')}`
}

/** The routes that another one stands before, with the instance that answers instead. */
export function routeClashes(routes: readonly OwnedRoute[]): (OwnedRoute & { readonly before: string })[] {
  const first = new Map<string, string>()
  return routes.flatMap((one) => {
    const key = routeKey(one.route)
    const before = first.get(key)
    if (before === undefined) first.set(key, one.owner)
    return before === undefined ? [] : [{ ...one, before }]
  })
}

/** A path of the gateway's own at which something else answers, or that hides something else. */
export interface OwnClash {
  /** The instance whose route is hidden, or where the path stands in the config. */
  readonly at: { readonly owner: string } | { readonly path: readonly ['server', 'live_paths' | 'ready_paths', number] }
  readonly message: string
}

/** What the probes and the docs page hide, and which probes are hidden. Of these the docs page goes first, then `ready_paths`. */
export function ownClashes({ server, mounts }: Pick<GatewayConfig, 'server' | 'mounts'>, routes: readonly OwnedRoute[]): OwnClash[] {
  const clashes: OwnClash[] = []
  const known = mounts.flatMap(({ path, api }) => {
    const family = Object.values(families).find(({ name }) => name === api)
    return family ? [{ prefix: path === '/' ? '' : path, api: family }] : []
  })
  const lists = modelLists(known)
  const taken = new Map([['/docs', 'the page of documentation']])
  for (const key of ['ready_paths', 'live_paths'] as const) {
    for (const [i, path] of server[key].entries()) {
      const before = taken.get(path)
      const at = { path: ['server', key, i] as const }
      if (before === undefined) taken.set(path, `\`server.${key}\``)
      else if (before !== `\`server.${key}\``) clashes.push({ at, message: `${path} is that of ${before}, which answers there` })
      if (lists.has(path)) clashes.push({ at, message: `${path} is that of a list of models, which nobody gets any more` })
    }
  }
  for (const { owner, route } of routes) {
    const before = route.method === 'GET' ? taken.get(route.path) : undefined
    if (before !== undefined) clashes.push({ at: { owner }, message: `it serves GET ${route.path}, and so does ${before}, which answers` })
  }
  return clashes
}

/** The same for people, each at its place. */
export function clashesOf(load: Pick<LoadResult, 'place' | 'plugins'>, config: GatewayConfig, routes: readonly OwnedRoute[]): Diagnostic[] {
  return ownClashes(config, routes).map(({ at, message }) => {
    const path = 'path' in at ? at.path : ['plugins', load.plugins.find(({ id }) => id === at.owner)?.index ?? 0]
    const { file, locate } = load.place(path)
    return { severity: 'warning', file, ...locate(path), path: pathText(path), message, fix: 'give one of them another path, or none' }
  })
}
