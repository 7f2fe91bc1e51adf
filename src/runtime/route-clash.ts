/** Routes of plugins that stand at the same path: the first of the list answers, and the operator is told. */

import type { RouteSpec } from '../plugin/host.ts'

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
