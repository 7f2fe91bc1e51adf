/** What the session plugin is measured by on recorded sessions: sessions told apart, tokens estimated. */

import { chainOf } from '../../../plugins/session/chain.ts'
import { tokenEstimator } from '../../../plugins/session/tokens.ts'
import { replaySessions } from './replay.ts'

export interface IdentityResult {
  readonly sessions: number
  readonly requests: number
  readonly ids: number
  /** Sessions that share an id with another one. */
  readonly merged: readonly string[]
  /** Sessions that got more than one id. */
  readonly split: readonly string[]
}

/** Replays sessions and compares the ids that they get with what they are. */
export function measureIdentity(files: readonly string[], named: boolean): IdentityResult {
  const owners = new Map<string, Set<string>>()
  const ids = new Map<string, Set<string>>()
  let requests = 0
  replaySessions(files, named, ({ session, found }) => {
    requests++
    put(owners, found.session.id, session.file)
    put(ids, session.file, found.session.id)
  })
  const merged = new Set([...owners.values()].filter((files) => files.size > 1).flatMap((files) => [...files]))
  return {
    sessions: ids.size,
    requests,
    ids: owners.size,
    merged: [...merged],
    split: [...ids].filter(([, set]) => set.size > 1).map(([file]) => file),
  }
}

export interface TokenResult {
  /** Relative errors of requests whose lane has been billed before, signed. */
  readonly later: readonly number[]
  /** Of requests that are the first of their session. */
  readonly first: readonly number[]
  /** Of those: where tools and system of the lane were seen in another session before, and where the text of both is in the request. */
  readonly firstSeen: readonly number[]
  readonly firstTold: readonly number[]
}

/** Replays sessions and compares estimates with what was billed. */
export function measureTokens(files: readonly string[]): TokenResult {
  const estimator = tokenEstimator()
  const later: number[] = []
  const first: number[] = []
  const firstSeen: number[] = []
  const firstTold: number[] = []
  const shapes = new Set<string>()
  replaySessions(files, false, ({ session, turn, body, found, index }) => {
    const { usage } = turn
    if (!usage) return
    const input = usage.in + usage.cache_read + usage.cache_write
    if (input === 0) return
    const chain = chainOf(body.bytes, body.units, 0n)
    const { anchor } = found
    const tokens = estimator.of({
      model: session.model,
      ...body,
      chain: { ...chain, shape: BigInt(Bun.hash(found.lane.base)) },
      anchor,
      kept: 0,
    })
    const error = tokens.estimate() / input - 1
    if (anchor) later.push(error)
    else if (index === 0) {
      first.push(error)
      if (shapes.has(found.lane.base)) firstSeen.push(error)
      if (session.messages[0]!.role === 'system') firstTold.push(error)
    }
    shapes.add(found.lane.base)
    tokens.learn(input, 0)
  })
  return { later, first, firstSeen, firstTold }
}

/** The share `p` of absolute values lies below it. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = values.map(Math.abs).sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN
}

function put(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key)
  if (set) set.add(value)
  else map.set(key, new Set([value]))
}
