/**
 * What the public listener answers: inference endpoints by mount, model lists, and the routes of plugins.
 *
 * Plain data, rebuilt with every snapshot. The server dispatches by it and the docs page describes it.
 */

import type { Family } from '../dialect/codec.ts'
import { families, type OperationSpec } from '../dialect/family.ts'
import type { RouteSpec } from '../plugin/host.ts'
import type { Snapshot } from '../runtime/snapshot.ts'

export interface InferenceRoute {
  readonly path: string
  readonly spec: OperationSpec
  readonly family: Family
}

export interface RouteTable {
  readonly inference: readonly InferenceRoute[]
  /** Paths of the model lists. */
  readonly models: readonly string[]
  readonly plugin: readonly { readonly owner: string; readonly route: RouteSpec }[]
  readonly admin: readonly { readonly owner: string; readonly route: RouteSpec }[]
  /** The API family that a path most likely belongs to, for errors about paths that do not exist. */
  familyOf(path: string): Family
}

/** The routes of a snapshot. Earlier mounts win. */
export function routeTable(snapshot: Snapshot): RouteTable {
  const inference = new Map<string, InferenceRoute>()
  const models = new Set<string>()
  const mounts = snapshot.config.mounts.map((m) => ({ prefix: m.path === '/' ? '' : m.path, family: m.api }))
  for (const { prefix, family } of mounts) {
    for (const spec of families[family].operations) {
      const path = prefix + spec.suffix
      if (!inference.has(path)) inference.set(path, { path, spec, family })
    }
    models.add(`${prefix}${family === 'openai' ? '' : '/v1'}/models`)
  }
  const owned = (pick: 'routes' | 'adminRoutes') => snapshot.live.flatMap((l) => l.host[pick].map((route) => ({ owner: l.id, route })))
  const longest = [...mounts].sort((a, b) => b.prefix.length - a.prefix.length)
  return {
    inference: [...inference.values()],
    models: [...models],
    plugin: owned('routes'),
    admin: owned('adminRoutes'),
    familyOf: (path) => {
      if (path.includes('/messages')) return 'anthropic'
      const mount = longest.find((m) => m.prefix !== '' && (path === m.prefix || path.startsWith(`${m.prefix}/`)))
      return mount?.family ?? 'openai'
    },
  }
}
