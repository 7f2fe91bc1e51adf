/**
 * One request's way through the trimmer: find what is known of its conversation, read what is new, decide, and say what has to be kept.
 *
 *   chain ─▶ branch in memory? ─▶ read new messages ─▶ ask the ledger ─▶ standing ─▶ decide ─▶ cold? decide anew ─▶ records
 *
 * Whatever is found where, the bytes are the same: from memory, from the ledger, or worked out again.
 */

import { globMatcher, type Json, type PromptUnit, type RequestView, type SessionValue, type Trimmer } from 'headgate/plugin'
import type { Branch, Branches, Standing } from './branch.ts'
import { type Chain, isAnswer, promptChain, rootKey, sameKey } from './chain.ts'
import { type Deciding, decide, type ReadUnit, readUnits, type Told, tokensOfLead, yielding } from './decide.ts'
import { branchKey, type Entry, entriesOf, readStanding, rewritingKey, rewritingOf, sentKey, standingKey, standingOf } from './entries.ts'
import { factsOf } from './facts.ts'
import type { Ledger } from './ledger.ts'
import { Marks } from './marks.ts'
import { chooseMasks } from './masks.ts'
import { outsideOf } from './outside.ts'
import { boundsOf, type Policy, policyId, readPolicy, trims } from './policy.ts'
import { Reader, type ReaderState } from './reader.ts'
import type { UnitRecord } from './record.ts'
import type { Rereads } from './rereads.ts'
import type { SessionState, Sessions } from './sessions.ts'

export interface PassDeps {
  readonly ledger: Ledger
  readonly branches: Branches
  readonly sessions: Sessions
  /** Of the config; that of a running session is its own. */
  readonly policy: () => Policy
  /** A cache is lost so many milliseconds after its end. */
  readonly margin: number
  /** Kept entries are written anew after so many milliseconds. */
  readonly refresh: number
  readonly told: Pick<Told, 'refused' | 'mismatch'>
  readonly rereads: Rereads
}

export interface PassInput {
  readonly request: RequestView
  readonly dialect: string
  /** Whose conversation it is: others never share a key. */
  readonly scope: string
  readonly session: SessionValue
  readonly more: readonly Trimmer[]
  /** Tokens of the shortest prompt that is cached. */
  readonly minPrompt: number
  readonly now: number
}

export interface Passed {
  readonly units: readonly PromptUnit[]
  readonly plain: readonly boolean[]
  readonly records: readonly UnitRecord[]
  /** Messages from here on are new in this request. */
  readonly fresh: number
  readonly control: boolean
  readonly state: SessionState
  readonly marks: Marks
  /** The first message that was sent otherwise before: its cache was lost. */
  readonly rewrittenFrom: number | undefined
  /** What is to be kept, once the request is on its way. */
  readonly claims: readonly Entry[]
  readonly writes: readonly Entry[]
}

/** Answers that are looked for in memory, and in the ledger. */
const mostAnswers = 64
const mostAsked = 16
/** Bytes of a body after whose first look others get their turn. */
const largeBody = 4 * 1024 * 1024
/** Lanes of a session that are told apart; a harness has a handful. */
const mostLanes = 64

const emptyMap: ReadonlyMap<string, Json> = new Map()
const emptySet: ReadonlySet<string> = new Set()

export function passing(deps: PassDeps): (input: PassInput) => Promise<Passed | undefined> {
  const trimOf = trims()
  const { ledger, branches, sessions, rereads } = deps

  return async (input) => {
    const { request, dialect, session, now } = input
    const chain = promptChain(request.borrowed, request.units, dialect, rootKey(input.scope))
    if (chain.units.length === 0) return undefined
    // finding and hashing messages goes by the megabyte
    if (request.borrowed.length > largeBody) await yielding()
    const answers = lastOfAnswers(chain.units)
    const root = answers[0] ?? -1
    const branch = takeBranch(branches, session, chain, answers)
    const found = branch && goOn(branch, chain)
    const start = found?.start ?? 0
    const read = await readUnits(request, dialect, chain, start)

    // everything that the ledger may know, in one go
    const asked = answers.filter((at) => at > (branch?.root ?? -1)).slice(0, mostAsked)
    const ids = read.flatMap((unit) => unit.ids)
    const keysOf = (id: string) => [...asked.map((at) => standingKey(id, chain, at)), ...ids.map((text) => sentKey(id, text))]
    // a session that was forked from another one goes on from there
    const parent = branch ? undefined : session.parent
    const keys = [sessions.key(session.id), ...keysOf(session.id), ...(parent === undefined ? [] : keysOf(parent))]
    const [record, ...values] = await ledger.read(keys)
    const size = asked.length + ids.length
    const known = sessions.find(session.id, record)
    const standings = asked.map((_, i) => readStanding(values[i]) ?? readStanding(values[size + i]))
    const at = standings.findIndex((one) => one !== undefined)
    const ancestor = at < 0 ? branch?.standing : standings[at]
    const ownsRoot =
      at >= 0 ? asked[at] === root && readStanding(values[at]) !== undefined : branch?.root === root && branch.session === session.id
    const own = ownsRoot ? ancestor : undefined

    const policy = known?.policy ?? (await policyNamed(ancestor?.policy)) ?? deps.policy()
    const state = known ?? (await sessions.begin(session.id, policy, ancestor?.control, now))
    if (rereads.harmful) state.refsOff = true
    // a lane that was never seen may have a history that began elsewhere
    const seen = known !== undefined && (session.lane === undefined || known.lanes.has(session.lane))
    const newLane = session.lane !== undefined && !state.lanes.has(session.lane) && state.lanes.size < mostLanes
    if (newLane) state.lanes.add(session.lane)
    const gone = session.last?.warmUntil !== undefined && now > session.last.warmUntil + deps.margin
    const lost = gone || (!ancestor && seen && root >= 0)
    const outside = outsideOf(request.borrowed, request.units)
    const standing: Standing = own ?? {
      floor: ancestor?.floor ?? (seen || lost ? 0 : root + 1),
      control: ancestor?.control ?? state.control,
      policy: policyId(state.policy),
      forced: outside.forced,
      ...(ancestor?.rewritten !== undefined && { rewritten: ancestor.rewritten }),
    }

    // another instance has decided anew since: what is remembered here holds no more
    const stale = branch !== undefined && standing.rewritten !== branch.standing.rewritten
    const from = stale || !found ? 0 : start
    const readAll = from === start ? read : await readUnits(request, dialect, chain, 0)
    const texts = from === start ? ids : readAll.flatMap((unit) => unit.ids)
    const kept = from === start ? values : await ledger.read(texts.map((text) => sentKey(session.id, text)))
    const sent = await sentBefore(standing, texts, (i) =>
      from !== start ? kept[i] : (kept[asked.length + i] ?? kept[size + asked.length + i]),
    )
    const isOwn = (i: number) => (from === start ? values[asked.length + i] : kept[i]) !== undefined
    const ownTexts = new Set(texts.filter((_, i) => isOwn(i)))
    const foreign = foreignIn(request)
    const arm = standing.control ? 'control' : 'trimmed'
    const told: Told = { ...deps.told, referred: () => rereads.referred(arm), again: () => rereads.again(arm) }
    const compiled = compiledOf(state.policy)
    const newReader = () => {
      const reader = new Reader(boundsOf(state.policy), compiled.facts)
      reader.before = tokensOfLead(request, input.minPrompt)
      return reader
    }
    const deciding = (more: Partial<Deciding>): Deciding => ({
      request,
      dialect,
      chain,
      policy: state.policy,
      trim: trimOf(state.policy, !state.refsOff && !outside.continued, input.more),
      reader: more.reader ?? newReader(),
      minPrompt: input.minPrompt,
      isOff: compiled.isOff,
      sent: standing.control ? emptyMap : sent.decisions,
      masked: standing.control ? emptySet : sent.masked,
      floor: standing.floor,
      forcedFrom: forcedFrom(own === undefined && ancestor?.forced === true, chain, readAll, from, root),
      isForeign: foreign,
      marks: new Marks(),
      countFrom: (at >= 0 ? asked[at]! : (branch?.root ?? root)) + 1,
      now,
      told,
      ...more,
    })
    let records: UnitRecord[] = from === 0 ? [] : found!.records
    let work = deciding(from === 0 ? {} : { reader: found!.reader, marks: branch!.marks })
    let atRoot: ReaderState | undefined = await decide(work, readAll, from, root, records)
    if (root < from && root >= 0) atRoot = branch!.atRoot
    let rewrittenFrom: number | undefined

    let current = standing
    if (lost && !own && !standing.control && root >= 0) {
      const anew = await rewrite()
      if (anew) {
        records = anew.records
        work = anew.work
        atRoot = anew.atRoot
        current = anew.standing
        rewrittenFrom = anew.first
      }
    }

    if (root >= 0 && atRoot) {
      const tail = chain.keys.slice(root + 1)
      branches.put(branchKey(session.id, chain, root), {
        session: session.id,
        root,
        records,
        tail,
        atRoot,
        reader: work.reader,
        standing: current,
        policy: state.policy,
        marks: work.marks,
      })
    }
    state.requests++
    return {
      units: chain.units,
      plain: chain.plain,
      records,
      fresh: Math.max(root + 1, 0),
      control: standing.control,
      state,
      marks: work.marks,
      rewrittenFrom,
      ...entriesOf({
        session,
        state,
        sessions,
        standing: current,
        standingName: root < 0 ? undefined : standingKey(session.id, chain, root),
        isNew: own === undefined && rewrittenFrom === undefined,
        records,
        from: branch !== undefined && branch.session !== session.id ? 0 : from,
        known: ownTexts,
        newLane,
        refresh: deps.refresh,
        now,
      }),
    }

    /** The cache is lost: the one moment at which other bytes cost nothing. Written down first; when that fails all stays as it was. */
    async function rewrite(): Promise<
      { records: UnitRecord[]; work: Deciding; atRoot: ReaderState | undefined; standing: Standing; first: number } | undefined
    > {
      // of a history that was rewritten, what stands before the change may be warm
      const warm = gone ? emptySet : ownTexts
      const masked = state.masksOff ? undefined : chooseMasks(state.policy, records, work.reader.turn, warm)
      if (!masked && standing.floor === 0) return undefined
      const all = await readUnits(request, dialect, chain, 0)
      const again = deciding({
        sent: gone ? emptyMap : sent.decisions,
        masked: masked ?? sent.masked,
        floor: 0,
        countFrom: Number.MAX_SAFE_INTEGER,
      })
      const made: UnitRecord[] = []
      const after = await decide(again, all, 0, root, made)
      const first = made.findIndex((record, i) => record.texts.some((text, k) => text.json !== records[i]?.texts[k]?.json))
      if (first < 0) return undefined
      const name = `${branchKey(session.id, chain, root)} ${now.toString(36)}`
      const changed: Standing = { ...standing, floor: 0, rewritten: name }
      const written = await ledger.write([
        [rewritingKey(name), rewritingOf(made)],
        [standingKey(session.id, chain, root), standingOf(changed)],
      ])
      return written ? { records: made, work: again, atRoot: after, standing: changed, first } : undefined
    }
  }

  async function policyNamed(name: string | undefined): Promise<Policy | undefined> {
    if (name === undefined || name === policyId(deps.policy())) return undefined
    const [kept] = await ledger.read([`p:${name}`])
    return readPolicy(kept)
  }

  /** What the ledger says was sent for texts. */
  async function sentBefore(
    standing: Standing,
    texts: readonly string[],
    kept: (index: number) => Json | undefined,
  ): Promise<{ decisions: ReadonlyMap<string, Json>; masked: ReadonlySet<string> }> {
    const decisions = new Map<string, Json>()
    for (const [i, text] of texts.entries()) {
      const value = kept(i)
      if (value !== undefined) decisions.set(text, value)
    }
    const masked = new Set<string>()
    if (standing.rewritten !== undefined && texts.length > 0) {
      const [list] = await ledger.read([rewritingKey(standing.rewritten)])
      for (const [id, value] of Object.entries((list ?? {}) as Readonly<Record<string, Json>>)) {
        if (value === true) masked.add(id)
        else decisions.set(id, value)
      }
    }
    return { decisions, masked }
  }
}

interface Compiled {
  readonly facts: ReturnType<typeof factsOf>
  readonly isOff: (tool: string) => boolean
}
const compiledPolicies = new WeakMap<Policy, Compiled>()
function compiledOf(policy: Policy): Compiled {
  let compiled = compiledPolicies.get(policy)
  if (!compiled) compiledPolicies.set(policy, (compiled = { facts: factsOf(policy.kinds), isOff: globMatcher(policy.notTools) }))
  return compiled
}

/** Positions of the last message of each answer, the newest first. One at the very end is the beginning of an answer that is to come. */
function lastOfAnswers(units: readonly PromptUnit[]): number[] {
  const found: number[] = []
  let after = true
  for (let i = units.length - 1; i >= 0 && found.length < mostAnswers; i--) {
    const answer = isAnswer(units[i]!.role)
    if (answer && !after) found.push(i)
    after = answer
  }
  return found
}

function takeBranch(branches: Branches, { id, parent }: SessionValue, chain: Chain, answers: readonly number[]): Branch | undefined {
  for (const at of answers) {
    const branch =
      branches.take(branchKey(id, chain, at)) ?? (parent === undefined ? undefined : branches.take(branchKey(parent, chain, at)))
    if (branch) return branch
  }
  return undefined
}

/** Where a branch goes on: behind all that it has seen when that is there again, else behind the last answer that it knows. */
function goOn(branch: Branch, chain: Chain): { start: number; reader: Reader; records: UnitRecord[] } {
  const begin = branch.root + 1
  const same = branch.tail.length <= chain.keys.length - begin && branch.tail.every((key, i) => sameKey(key, chain.keys[begin + i]!))
  const { reader, records } = branch
  if (same) return { start: begin + branch.tail.length, reader, records }
  return { start: begin, reader: reader.from(branch.atRoot), records: records.slice(0, begin) }
}

/** From which message on results stay as they are, because the only one answers a call that the client forced. */
function forcedFrom(forced: boolean, chain: Chain, read: readonly ReadUnit[], start: number, root: number): number {
  const never = chain.units.length
  if (!forced) return never
  let results = 0
  for (const [i, { pieces }] of read.entries()) if (start + i > root) results += pieces.filter((piece) => piece.kind === 'result').length
  return results === 1 ? root + 1 : never
}

/** Whether a message was changed by a plugin above: what it made of it stands. */
function foreignIn(request: RequestView): (unit: PromptUnit) => boolean {
  if (request.firstEdit < 0) return () => false
  const { changes } = request
  return ({ start, end }) => changes.some((change) => change.start < end && start < change.end)
}
