/**
 * What the public listener answers: inference endpoints by mount, model lists, and the routes of plugins.
 *
 * Plain data, rebuilt with every snapshot. The server dispatches by it and the docs page describes it.
 */

import { type FamilyApi, families, type OperationSpec } from '../dialect/family.ts'
import type { AdminSpec, RouteSpec } from '../plugin/host.ts'
import type { Outside } from '../runtime/handle.ts'
import { modelLists } from '../runtime/model-lists.ts'
import type { Snapshot } from '../runtime/snapshot.ts'

export interface InferenceRoute {
  /** As served; `{model}` stands for a model's id. */
  readonly path: string
  readonly spec: OperationSpec
  readonly api: FamilyApi
}

/** An inference endpoint that a path means; what the path says of the request, where it does. */
export interface FoundRoute {
  readonly spec: OperationSpec
  readonly outside?: Outside
}

export interface RouteTable {
  readonly inference: readonly InferenceRoute[]
  /** Paths of the model lists, with the API that each belongs to when the caller's headers do not tell. */
  readonly models: ReadonlyMap<string, FamilyApi>
  /** Paths below which responses that exist are found by id. */
  readonly responses: readonly string[]
  readonly plugin: readonly { readonly owner: string; readonly route: RouteSpec }[]
  readonly admin: readonly { readonly owner: string; readonly route: AdminSpec }[]
  /** Where it is said that the process lives, and that traffic may come. */
  readonly live: readonly string[]
  readonly ready: readonly string[]
  /** The inference endpoint at a path. */
  find(path: string): FoundRoute | undefined
  /** The API that a path most likely belongs to, for errors about paths that do not exist. */
  apiOf(path: string): FamilyApi
}

/** `…/models/{model}:{verb}`; a model's id may hold slashes and colons. */
const geminiCall = /^(.*)\/(v1beta|v1alpha|v1)\/models\/(.+):([a-zA-Z]+)$/

/** The routes of a snapshot. Earlier mounts win. */
export function routeTable(snapshot: Snapshot): RouteTable {
  const exact = new Map<string, FoundRoute>()
  const inference: InferenceRoute[] = []
  const gemini = new Set<string>()
  const mounts = snapshot.config.mounts.map((m) => ({ prefix: m.path === '/' ? '' : m.path, api: snapshot.apis.get(m.api)! }))
  for (const { prefix, api } of mounts) {
    const isGemini = api === families.gemini
    for (const spec of api.operations) {
      if (spec.upstreamOnly) continue
      if (isGemini) {
        for (const verb of spec.verbs ?? []) inference.push({ path: `${prefix}/v1beta/models/{model}:${verb}`, spec, api })
        continue
      }
      const path = prefix + spec.suffix
      if (exact.has(path)) continue
      exact.set(path, { spec })
      inference.push({ path, spec, api })
    }
    if (isGemini) gemini.add(prefix)
  }
  const longest = [...mounts].sort((a, b) => b.prefix.length - a.prefix.length)
  return {
    inference,
    models: modelLists(mounts),
    responses: inference.flatMap(({ path, api, spec }) => (api === families.openai && spec.suffix === '/responses' ? [path] : [])),
    plugin: snapshot.live.flatMap(({ id, host }) => host.routes.map((route) => ({ owner: id, route }))),
    admin: snapshot.live.flatMap(({ id, host }) => host.adminRoutes.map((route) => ({ owner: id, route }))),
    live: snapshot.config.server.live_paths,
    ready: snapshot.config.server.ready_paths,
    find(path) {
      const found = exact.get(path)
      if (found || gemini.size === 0) return found
      const call = geminiCall.exec(path)
      if (!call || !gemini.has(call[1]!)) return undefined
      const verb = call[4]!
      const spec = families.gemini.operations.find((o) => o.verbs?.includes(verb))
      return spec && { spec, outside: { model: decoded(call[3]!), stream: verb.startsWith('stream') } }
    },
    apiOf: (path) => {
      if (path.includes('/messages')) return families.anthropic
      if (gemini.size > 0 && /\/(v1beta|v1alpha)\/|\/models\/.+:[a-zA-Z]+$/.test(path)) return families.gemini
      const mount = longest.find((m) => m.prefix !== '' && (path === m.prefix || path.startsWith(`${m.prefix}/`)))
      return mount?.api ?? families.openai
    },
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
