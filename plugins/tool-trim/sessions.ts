/**
 * What is known of each session: its frozen policy, whether it is in the control group, and whether references were given up for it. In memory for the
 * running ones, in the ledger for restarts and other instances.
 */

import type { Json } from 'headgate/plugin'
import type { Ledger } from './ledger.ts'
import { isControl, type Policy, policyId, readPolicy } from './policy.ts'

export interface SessionState {
  readonly policy: Policy
  readonly control: boolean
  /** References are made no more. */
  refsOff: boolean
  /** Nothing is cleared any more. */
  masksOff: boolean
  /** Lanes of the session that were seen: a long history in one of them is not the first of it. */
  readonly lanes: Set<string>
  keptAt: number
  /** For whoever asks about a session. */
  requests: number
  results: number
  trimmed: number
  tokens: number
  masked: number
}

export interface Sessions {
  /** Key in the ledger. */
  key(session: string): string
  /** What is known; `kept` is what the ledger says. */
  find(session: string, kept: Json | undefined): SessionState | undefined
  /** Begins a session; `from` is the policy of the one that it was forked from. Takes what another instance has begun meanwhile. */
  begin(session: string, policy: Policy, control: boolean | undefined, now: number): Promise<SessionState>
  /** What the ledger has to say of a session. */
  entries(session: string, state: SessionState): readonly (readonly [key: string, value: Json])[]
  get(session: string): SessionState | undefined
  clear(): void
}

/** Sessions in memory; others are read from the ledger. */
const most = 20_000

export function sessions(ledger: Ledger): Sessions {
  const held = new Map<string, SessionState>()
  const hold = (session: string, state: SessionState): SessionState => {
    held.delete(session)
    held.set(session, state)
    if (held.size > most) held.delete(held.keys().next().value!)
    return state
  }
  const key = (session: string) => `s:${session}`
  const entries = (session: string, state: SessionState) =>
    [
      [key(session), told(state)],
      [`p:${policyId(state.policy)}`, state.policy as unknown as Json],
    ] as const
  return {
    key,
    get: (session) => held.get(session),
    clear: () => held.clear(),
    find(session, kept) {
      const known = held.get(session)
      const told = readState(kept)
      if (known) {
        if (told?.refsOff) known.refsOff = true
        if (told?.masksOff) known.masksOff = true
        for (const lane of told?.lanes ?? []) known.lanes.add(lane)
        return hold(session, known)
      }
      return told && hold(session, told)
    },
    async begin(session, policy, control, now) {
      const state = fresh(policy, control ?? isControl(policy, session), now)
      const [there] = await ledger.claim(entries(session, state))
      return hold(session, readState(there) ?? state)
    },
    entries,
  }
}

function fresh(policy: Policy, control: boolean, now: number): SessionState {
  return {
    policy,
    control,
    refsOff: false,
    masksOff: false,
    lanes: new Set(),
    keptAt: now,
    requests: 0,
    results: 0,
    trimmed: 0,
    tokens: 0,
    masked: 0,
  }
}

function told({ policy, control, refsOff, masksOff, lanes }: SessionState): Json {
  return { p: policy as unknown as Json, c: control, r: refsOff, m: masksOff, l: [...lanes] }
}

function readState(kept: Json | undefined): SessionState | undefined {
  if (typeof kept !== 'object' || kept === null || Array.isArray(kept)) return undefined
  const { p, c, r, m, l } = kept as { readonly [key: string]: Json | undefined }
  const policy = readPolicy(p)
  const lanes = new Set(Array.isArray(l) ? l.filter((lane) => typeof lane === 'string') : [])
  return policy && { ...fresh(policy, c === true, 0), refsOff: r === true, masksOff: m === true, lanes }
}
