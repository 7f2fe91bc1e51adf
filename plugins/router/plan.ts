/**
 * The plan of one request: where it may go, in order. Made once, before anything is called; or the refusal that it earns.
 *
 * Joins what the client asks (model, wishes, header), what the operator allows, and where the conversation is at home. Makes no call.
 */

import { type Catalog, globMatcher, type Model, Principal, type PrincipalValue, type Refusal } from 'headgate/plugin'
import { asBuffer, lastPlaceOf, makerOf, type RouterExchange, sessionOf } from './affinity.ts'
import { type Family, unknownModelMessage, unservedMessage } from './choose.ts'
import type { RouterConfig } from './config.ts'
import type { Homes } from './homes.ts'
import type { CallUnderWay } from './one-call.ts'
import { type Candidate, type OrderContext, order, type Strategy } from './order.ts'
import { providerOf, type Resolved, resolveModel } from './resolve.ts'
import type { Said } from './said.ts'
import type { ShadowTarget } from './shadow.ts'
import type { Track, Tracks } from './track.ts'
import { type ProviderWishes, readWishes, type Wishes } from './wishes.ts'

export interface Plan {
  /** At least one. */
  readonly candidates: readonly Candidate[]
  /** What the conversation is known by, where it matters. */
  readonly session: string | undefined
  /** It goes on from an earlier response, which only one upstream holds: the gateway sends it there, whatever target is set. */
  readonly pinned: boolean
  /** Where the conversation is at home, when that comes first: left only for a reason. */
  readonly home: Track | undefined
}

interface Known {
  /** In the operator's order. */
  readonly candidates: readonly Candidate[]
  /** The plan of a request that has no choice. */
  readonly alone: Plan | undefined
  /** The order of every request, where it is always the same. */
  readonly fixed: readonly Candidate[] | undefined
  /** It matters which conversation a request belongs to. */
  readonly sticky: boolean
}

/** State of one exchange. */
export interface Routing {
  plan: Plan | undefined
  /** The call whose reply is on its way to the client. */
  serving: CallUnderWay | undefined
  /** Where a copy goes, too. */
  shadow: ShadowTarget | undefined
  shadowed: boolean
  /** What the reply has said so far, where another target may have to go on with it. */
  said: Said | undefined
  /** Who was called, in order. */
  readonly tried: Track[]
  /** Of those, the one whose call was not needed. */
  spared: Track | undefined
  /** Makes the request fit for one target, before it is called. */
  prepare: ((candidate: Candidate) => void) | undefined
  /** The conversation no longer fits where it was. */
  outgrown: boolean
}

export type X = RouterExchange<Routing>

export interface PlannerOptions {
  readonly config: RouterConfig
  readonly tracks: Tracks
  readonly homes: Homes
  /** Those of the config in force. */
  readonly catalog: () => Catalog
  readonly upstreams: () => readonly string[]
  readonly now: () => number
}

const earlier = Buffer.from('"previous_response_id"')
const anybody = (): boolean => true
const allowed = new WeakMap<readonly string[], (model: string) => boolean>()

/** A test for "this caller may use that model"; made once per list of globs. */
function mayUse(principal: PrincipalValue | undefined): (model: string) => boolean {
  const globs = principal?.models
  if (!globs) return anybody
  let test = allowed.get(globs)
  if (!test) allowed.set(globs, (test = globMatcher(globs)))
  return test
}

/** Makes the planner of an instance. */
export function createPlanner(options: PlannerOptions): (x: X, family: Family) => Plan | Refusal {
  const { config, tracks, homes, catalog, upstreams, now } = options
  const { aliases, client, default_model } = config
  const spares = Object.entries(config.fallback_models).map(([glob, models]) => ({ matches: globMatcher([glob]), models }))
  const wishesOf = client.models || client.provider
  const known = new WeakMap<Model, Map<Family, Known>>()

  /** What is known of a model for clients of a family; made once. */
  const knownOf = (model: Model, family: Family): Known => {
    let families = known.get(model)
    if (!families) known.set(model, (families = new Map()))
    let found = families.get(family)
    if (found) return found
    const candidates = model.targets.map((target) => ({
      target,
      model: model.id,
      context: model.context,
      track: tracks.of(target),
      provider: providerOf(target.upstream),
      native: target.dialect === undefined || target.dialect === family,
    }))
    if (candidates.length > 1)
      tracks.join(
        model.id,
        candidates.map(({ track }) => track),
      )
    // as listed there is nothing to choose but a key
    const sticky = config.strategy !== 'ordered' || candidates.some((one, i) => i > 0 && sameButKey(one, candidates[i - 1]!))
    const fixed = sticky ? undefined : order(candidates, contextOf(undefined, config.strategy))
    const single = fixed && (config.fallback ? fixed : fixed.slice(0, 1))
    found = {
      candidates,
      sticky,
      fixed: config.fallback && candidates.length > 1 ? fixed : undefined,
      alone: single?.length === 1 ? { candidates: single, session: undefined, pinned: false, home: undefined } : undefined,
    }
    families.set(family, found)
    return found
  }

  return (x, family) => {
    const { request } = x
    const wishes = wishesOf ? readWishes(request, client) : undefined
    if (wishes && 'param' in wishes) return x.refuse('invalid_parameter', wishes)
    for (const name of wishes?.taken ?? []) request.remove(`/${name}`)
    const listed = wishes?.models ?? []
    const named = request.model || listed[0]
    const asked = named || default_model
    const first = asked === undefined ? undefined : resolveModel(asked, catalog(), aliases, config.loose_names)
    // a default that is not there (its upstream was left out) is none
    if (asked === undefined || (!first && !named)) {
      return x.refuse('invalid_request', {
        message: 'The request names no model. Set "model" to one of the list of models.',
        param: 'model',
      })
    }
    const may = mayUse(x.peek(Principal))
    if (!first) return unknown(x, asked, 'model')
    if (first.loose && !may(first.id)) return forbidden(x, asked, 'model')
    const models: Resolved[] = [first]
    for (const id of listed) {
      if (id === asked) continue
      const found = resolveModel(id, catalog(), aliases, config.loose_names)
      if (!found) return unknown(x, id, 'models')
      if (!may(found.loose ? found.id : id)) return forbidden(x, id, 'models')
      models.push(found)
    }
    const forced = client.header === undefined ? undefined : takeHeader(x.headers, client.header)
    if (simple(first, wishes, forced)) {
      const { alone, fixed } = knownOf(first.model, family)
      if (alone) return alone
      if (fixed) return { candidates: atMaker(x, fixed), session: undefined, pinned: isPinned(x), home: undefined }
    }
    const provider = wishes?.provider ?? {}
    if (forced === undefined && provider.allowFallbacks !== false) {
      for (const id of spares.find((spare) => spare.matches(first.id))?.models ?? []) {
        const found = resolveModel(id, catalog(), aliases, config.loose_names)
        if (found && (may(id) || may(found.id)) && !models.some(({ model }) => model === found.model)) models.push(found)
      }
    }
    return plan(x, family, forced === undefined ? models : models.slice(0, 1), asked, provider, forced)
  }

  /** Nobody says more than the model. */
  function simple({ id, provider }: Resolved, wishes: Wishes | undefined, forced: string | undefined): boolean {
    if (provider !== undefined || forced !== undefined || (wishes && wishes.taken.length > 0)) return false
    return spares.length === 0 || !spares.some((spare) => spare.matches(id))
  }

  function plan(
    x: X,
    family: Family,
    models: readonly Resolved[],
    asked: string,
    wishes: ProviderWishes,
    forced: string | undefined,
  ): Plan | Refusal {
    let all: Candidate[][] = models.map(({ model, provider }) => {
      const found = knownOf(model, family).candidates
      return provider === undefined ? [...found] : found.filter((candidate) => candidate.provider === provider)
    })
    if (all[0]!.length === 0) return x.refuse('invalid_request', { message: unservedMessage(asked), param: 'model' })
    const named = [...(forced === undefined ? [] : [forced]), ...(wishes.order ?? []), ...(wishes.only ?? [])]
    for (const name of named) {
      if (upstreams().some((upstream) => upstream === name || providerOf(upstream) === name)) continue
      const message = `This gateway has no upstream ${JSON.stringify(name.slice(0, 100))}.`
      return x.refuse('invalid_request', { message, param: forced === name ? client.header! : 'provider' })
    }
    const wanted = (candidate: Candidate): boolean =>
      (forced === undefined || isNamed(candidate, forced)) &&
      (wishes.only === undefined || wishes.only.some((name) => isNamed(candidate, name))) &&
      !wishes.ignore?.some((name) => isNamed(candidate, name))
    all = all.map((list) => list.filter(wanted))
    if (all.every((list) => list.length === 0)) {
      const message =
        forced === undefined
          ? `No upstream that the request allows serves the model ${JSON.stringify(asked.slice(0, 100))}.`
          : `The upstream ${JSON.stringify(forced)} does not serve the model ${JSON.stringify(asked.slice(0, 100))}.`
      return x.refuse('invalid_request', { message, param: forced === undefined ? 'provider' : client.header! })
    }
    const several = all.some((list) => list.length > 1)
    const { strategy } = config
    const sticky = config.affinity.enabled && several
    const session =
      sticky && (wishes.sort !== undefined || models.some(({ model }) => knownOf(model, family).sticky)) ? sessionOf(x) : undefined
    const context = contextOf(session, strategyOf(wishes.sort) ?? strategy)
    let candidates: readonly Candidate[] = all.flatMap((list) => ranked(order(list, context), wishes.order))
    let home: Track | undefined
    // what the client says of the order is the order
    if (several && sticky && wishes.order === undefined) {
      const first = homeOf(x, candidates, session, context.strategy)
      candidates = atMaker(x, first ? [first, ...candidates.filter((candidate) => candidate !== first)] : candidates)
      if (candidates[0] === first) home = first?.track
    }
    if (!config.fallback || wishes.allowFallbacks === false) candidates = candidates.slice(0, 1)
    return { candidates, session, pinned: isPinned(x), home }
  }

  /** Where the conversation is at home, where it may be served first. */
  function homeOf(x: X, candidates: readonly Candidate[], session: string | undefined, strategy: Strategy): Candidate | undefined {
    if (session === undefined) return undefined
    const place = homes.of(session, now()) ?? lastPlaceOf(x)
    if (place === undefined) return undefined
    if (homes.outgrown(session)) return candidates.find((candidate) => candidate.track.key === place)
    const at = candidates.find((candidate) => candidate.track.key === place && candidate.model === candidates[0]!.model)
    // `ordered` is the operator's word; only the keys of one upstream share a place
    const peer = strategy === 'ordered' ? sameButKey : samePlace
    return at && peer(at, candidates[0]!) ? at : undefined
  }

  /** Who made the proofs in a conversation first. */
  function atMaker(x: X, candidates: readonly Candidate[]): readonly Candidate[] {
    const maker = config.affinity.enabled ? makerOf(x.request.borrowed, upstreams()) : undefined
    return maker === undefined ? candidates : first(candidates, (candidate) => candidate.target.upstream === maker)
  }

  function contextOf(session: string | undefined, strategy: Strategy): OrderContext {
    return { strategy, preferNative: config.prefer_native, session, now: now(), random: Math.random }
  }

  function forbidden(x: X, id: string, param: string): Refusal {
    const message = `This key may not use the model ${JSON.stringify(id.slice(0, 100))}.`
    return x.refuse('permission_denied', { message, param })
  }

  function unknown(x: X, id: string, param: string): Refusal {
    return x.refuse('model_not_found', { message: unknownModelMessage(id, catalog().similar(id)), param })
  }
}

/** It goes on from an earlier response. Clients also send the member with null in it. */
function isPinned({ operation, request }: X): boolean {
  return (
    operation === 'responses' && asBuffer(request.borrowed).includes(earlier) && typeof request.at('/previous_response_id') === 'string'
  )
}

/** Two keys of one upstream. */
function sameButKey(a: Candidate, b: Candidate): boolean {
  return a.provider === b.provider && a.target.model === b.target.model
}

/** Same priority, and both translated or both not: otherwise another order holds. */
function samePlace(a: Candidate, b: Candidate): boolean {
  return (a.target.priority ?? 0) === (b.target.priority ?? 0) && a.native === b.native
}

/** Those that hold first, each half in its order. */
function first(candidates: readonly Candidate[], holds: (candidate: Candidate) => boolean): Candidate[] {
  return [...candidates.filter(holds), ...candidates.filter((candidate) => !holds(candidate))]
}

function isNamed({ provider, target }: Candidate, name: string): boolean {
  return provider === name || target.upstream === name
}

/** As the client lists the upstreams, then the others. */
function ranked(candidates: readonly Candidate[], wanted: readonly string[] | undefined): Candidate[] {
  if (!wanted) return [...candidates]
  const rank = (candidate: Candidate): number => {
    const at = wanted.findIndex((name) => isNamed(candidate, name))
    return at < 0 ? wanted.length : at
  }
  return [...candidates].sort((a, b) => rank(a) - rank(b))
}

function strategyOf(sort: ProviderWishes['sort']): Strategy | undefined {
  return sort === undefined ? undefined : sort === 'price' ? 'lowest_cost' : 'lowest_latency'
}

/** The header's value, taken out: it is meant for the gateway. */
function takeHeader(headers: Headers, name: string): string | undefined {
  const value = headers.get(name)?.trim()
  if (value !== undefined) headers.delete(name)
  return value || undefined
}
