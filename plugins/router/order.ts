/**
 * In which order the targets of a model are tried: priorities, the client's own API first, then the strategy; sessions keep to where they are.
 *
 * Pure but for the chance that is passed in. Health is not looked at here: who may not be called is moved back later.
 */

import { type PriceList, priceAt, type Target } from 'headgate/plugin'
import type { Track } from './track.ts'

export const strategies = ['ordered', 'weighted', 'lowest_cost', 'lowest_latency', 'least_busy'] as const
export type Strategy = (typeof strategies)[number]

/** One place where a request can go. */
export interface Candidate {
  readonly target: Target
  /** The catalogue's id of the model. */
  readonly model: string
  /** Its context window in tokens, where it is known. */
  readonly context: number | undefined
  readonly track: Track
  /** The name of its upstream in the file: several keys share it. */
  readonly provider: string
  /** Its upstream speaks the client's API. */
  readonly native: boolean
}

export interface OrderContext {
  readonly strategy: Strategy
  readonly preferNative: boolean
  /** What a conversation is known by; absent = each request is on its own. */
  readonly session: string | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
  /** From 0 to 1. */
  readonly random: () => number
}

/** All candidates of one model, best first. The given list is not changed. */
export function order(candidates: readonly Candidate[], context: OrderContext): readonly Candidate[] {
  if (candidates.length < 2) return candidates
  const pools = new Map<number, Candidate[]>()
  for (const candidate of candidates) {
    const rank = (candidate.target.priority ?? 0) * 2 + (context.preferNative && !candidate.native ? 1 : 0)
    const pool = pools.get(rank)
    if (pool) pool.push(candidate)
    else pools.set(rank, [candidate])
  }
  return [...pools.keys()].sort((a, b) => a - b).flatMap((rank) => orderPool(pools.get(rank)!, context))
}

function orderPool(pool: readonly Candidate[], context: OrderContext): readonly Candidate[] {
  if (pool.length < 2) return pool
  switch (context.strategy) {
    case 'ordered':
      return keyed(pool, context)
    case 'weighted':
      return spread(pool, context)
    case 'lowest_cost':
      return cheapest(pool, context)
    case 'lowest_latency':
      return quickest(pool, context)
    case 'least_busy':
      return context.session === undefined ? leastBusy(pool, context.random) : spread(pool, context)
  }
}

/** In the operator's order; the keys of one upstream share their place, and the work. */
function keyed(pool: readonly Candidate[], context: OrderContext): readonly Candidate[] {
  const out: Candidate[] = []
  for (let i = 0; i < pool.length; ) {
    let end = i + 1
    while (end < pool.length && pool[end]!.provider === pool[i]!.provider && pool[end]!.target.model === pool[i]!.target.model) end++
    const keys = pool.slice(i, end)
    out.push(...(keys.length === 1 ? keys : context.session === undefined ? leastBusy(keys, context.random) : spread(keys, context)))
    i = end
  }
  return out
}

/**
 * By weight: at random, or for a session always the same (rendezvous hashing): when a target goes, only its sessions move, and instances
 * of the gateway agree without a word.
 */
function spread(pool: readonly Candidate[], { session, random }: OrderContext): readonly Candidate[] {
  return sorted(pool, (c) => Math.log(session === undefined ? random() : chanceOf(session, c)) / weightOf(c), true)
}

/** Between 0 and 1, both excluded; evenly spread over sessions. */
function chanceOf(session: string, { target }: Candidate): number {
  const hash = Bun.hash(`${session}\n${target.upstream}\n${target.model}`) as bigint
  return (Number(hash >> 11n) + 1) / (2 ** 53 + 2)
}

function leastBusy(pool: readonly Candidate[], random: () => number): readonly Candidate[] {
  return sorted(pool, (c) => c.track.inflight / weightOf(c) + random() * 1e-6)
}

/** By what input and output cost, output counted once and input three times; unknown prices last. A session has its own order among equal ones. */
function cheapest(pool: readonly Candidate[], context: OrderContext): readonly Candidate[] {
  const even = context.session === undefined ? pool : spread(pool, context)
  return sorted(even, ({ target }) => costOf(target.price, context.now))
}

function costOf(list: PriceList | undefined, now: number): number {
  const price = list && priceAt(list, now)
  if (price?.input === undefined || price.output === undefined) return Number.POSITIVE_INFINITY
  return Number(price.input * 3n + price.output)
}

/**
 * Power of two choices: of two drawn at random the quicker one goes first, so that not all run to the one that is quickest now. A session that is at home
 * nowhere goes by its hash instead, among those that are not far slower than the best: another instance finds it there.
 */
function quickest(pool: readonly Candidate[], context: OrderContext): readonly Candidate[] {
  const { now, random, session } = context
  const load = (c: Candidate): number => c.track.load(now) / weightOf(c)
  const rest = sorted(pool, load)
  if (session !== undefined) {
    const most = load(rest[0]!) * farSlower
    const near = rest.filter((c) => load(c) <= most || c.track.load(now) === 0)
    return [...spread(near, context), ...rest.filter((c) => !near.includes(c))]
  }
  const one = Math.floor(random() * pool.length)
  let other = Math.floor(random() * (pool.length - 1))
  if (other >= one) other++
  const first = rest[Math.min(one, other)]!
  return [first, ...rest.filter((c) => c !== first)]
}

/** So many times the time of the quickest. */
const farSlower = 3

function weightOf({ target }: Candidate): number {
  return target.weight ?? 1
}

/** Sorted by a figure that is asked for once each; equal ones keep their order. */
function sorted(pool: readonly Candidate[], of: (candidate: Candidate) => number, down = false): readonly Candidate[] {
  return pool
    .map((candidate) => ({ candidate, figure: of(candidate) }))
    .sort((a, b) => (a.figure === b.figure ? 0 : a.figure < b.figure !== down ? -1 : 1))
    .map(({ candidate }) => candidate)
}
