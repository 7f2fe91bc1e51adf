/**
 * Keeps the provider's prompt cache warm: marks, keys, lifetimes.
 *
 *   attempt ─▶ who is it, what was sent last ─▶ what is worth writing ─▶ inserted into the bytes that leave ─▶ settle ─▶ remembered
 *
 * It works on the bytes of each upstream call, for only then are trimming, routing and translation done and the provider's ways known. One mark of the
 * client, and nothing is changed. Whatever fails here leaves the request as it is.
 */

import type {
  BodyInsertion,
  CacheFacts,
  Exchange,
  Host,
  Outcome,
  PrincipalValue,
  PromptCacheValue,
  SessionValue,
  Slot,
  UpstreamCall,
} from 'headgate/plugin'
import { PromptCache, Session } from 'headgate/plugin'
import { editsOf } from '../watchdog/edits.ts'
import { type Change, compare, type SeenPrompt, seen } from '../watchdog/sent.ts'
import { hasMarks, hasMember } from './client-marks.ts'
import type { PromptConfig } from './config.ts'
import type { Part } from './fan-out.ts'
import { type Identity, identify } from './identity.ts'
import { type Choice, type KeptChoices, keptChoices } from './kept-choices.ts'
import { createLanes, type Lane, type Lanes } from './lanes.ts'
import { marksFor } from './places.ts'
import { cachedOf, expectedRead, leastBytes, wantsLong, worthOf } from './policy.ts'
import { createSharedKeys } from './shared-keys.ts'
import { type Chances, createSightings } from './sightings.ts'

/** What is noted of one upstream call until it is known whether it served. */
export interface CallNote {
  readonly index: number
  readonly upstream: string
  readonly model: string
  readonly translated: boolean
  readonly facts: CacheFacts
  readonly lane: string
  readonly before: Lane | undefined
  /** The body before marks, and where its prompt lies. */
  readonly sent: { readonly body: Uint8Array; readonly units: UpstreamCall['units'] }
  readonly same: number
  readonly change: Change | undefined
  readonly sameRoute: boolean
  readonly long: boolean
  readonly marked: boolean
  readonly key: string | undefined
  readonly value: PromptCacheValue
}

export interface PromptState {
  asked?: string
  who?: Identity | undefined
  /** Asked once, however many calls are made. */
  chances?: Chances
  calls?: CallNote[]
  /** Whether it is part of a fan-out has been asked, and what part it has. */
  entered?: boolean
  part?: Part | undefined
}

export type X = Exchange<never, Slot<SessionValue> | Slot<PrincipalValue>, Slot<PromptCacheValue>, { readonly prompt: PromptState }>

export interface PromptPart {
  attempt(x: X, call: UpstreamCall): void | Promise<void>
  /** What was learnt of the call that served; undefined when nothing was. */
  settle(x: X, outcome: Outcome, misses: (note: CallNote) => Pick<Lane, 'misses' | 'missUnit' | 'stop'>): CallNote | undefined
  readonly lanes: Lanes
  /** Keeps what a process that comes after this one needs to go on alike. */
  close(): Promise<void>
}

/** Calls of one exchange that are noted; more of them are no ordinary fallback. */
const mostCalls = 32

export function createPromptPart(host: Host, config: PromptConfig, memory: number): PromptPart {
  const lanes = createLanes(host, config.lanes, memory)
  const kept: KeptChoices = keptChoices(host)
  const sightings = createSightings(host)
  const keys = createSharedKeys(host)
  const marksPlaced = host.counter('session_cache_marks_total', 'Cache marks that the gateway put into requests')

  /** Everything is known; changes the call. */
  const act = (
    x: X,
    call: UpstreamCall,
    who: Identity,
    lane: Lane | undefined,
    choice: Choice | undefined,
    chances: Chances | undefined,
  ) => {
    const facts = call.cache
    const { body, units } = call
    if (lane?.turns === 1 && x.receivedAt - lane.at <= facts.lifetime) sightings.wentOn(who.beginning)
    const sameRoute = lane !== undefined && lane.upstream === call.upstream && lane.model === call.model
    const compared = lane && sameRoute ? compare(lane.sent, body, units) : undefined
    const { same = 0, change } = compared ?? {}
    const looked = !call.translated && lane && !lane.marked ? same : 0
    const marking = lane?.marked === true
    const byClient = call.translated
      ? hasMarks(x.request.borrowed, x.request.units, x.dialect, 0, marking)
      : hasMarks(body, units, call.dialect, looked, marking)
    const byOption = call.translated && !byClient && hasMarks(body, units, call.dialect)
    const session = x.peek(Session)
    const last = lane?.at ?? choice?.at ?? session?.last?.at
    const pinged = x.inner?.plugin === host.id
    const gap = last === undefined || pinged ? undefined : x.receivedAt - last
    const long = wantsLong(config.long_lifetime, facts, choice?.long === true || lane?.long === true, gap)
    const insertions: BodyInsertion[] = []
    let placed = 0
    const worth = x.inner?.once !== undefined ? 'nothing' : worthOf(facts, who.goesOn, chances)
    if (facts.marks !== undefined && config.marks && !byClient && !byOption && worth !== 'nothing') {
      const stopped = lane?.stop !== undefined && change !== undefined && change.unit <= lane.stop
      const marks = marksFor(call, units, { facts, long, what: worth, changed: change?.unit, stopped, leastBytes: leastBytes(facts) })
      insertions.push(...marks.flat())
      placed = marks.length
    }
    const end = Buffer.from(body.buffer, body.byteOffset, body.byteLength).lastIndexOf(0x7d)
    const single = facts.marks === 'prompt_cache_breakpoint' && worth !== 'all' && !byClient && config.marks
    if (single && call.units.reduce((sum, u) => sum + u.end - u.start, 0) >= leastBytes(facts) && end > 0)
      insertions.push({ at: end, text: ',"prompt_cache_options":{"mode":"explicit"}' })
    const key = config.keys ? keyFor(call, who, lane, choice?.key, facts) : undefined
    if (key !== undefined && facts.key && end > 0) insertions.push({ at: end, text: `,"prompt_cache_key":${JSON.stringify(key)}` })
    if (key !== undefined && facts.conversationHeader !== undefined && !call.headers.has(facts.conversationHeader))
      call.headers.set(facts.conversationHeader, key)
    const attribution = byClient
      ? 'client'
      : placed > 0 && facts.caching === 'marks'
        ? 'gateway'
        : byOption
          ? 'gateway'
          : facts.caching === 'auto'
            ? 'provider'
            : 'none'
    const expected = attribution === 'none' ? 0 : expectedRead(lane, who.fresh, x.receivedAt, change, sameRoute || lane === undefined)
    const value: PromptCacheValue = { attribution, ...(expected !== undefined && { expected }) }
    const calls = (x.state.prompt.calls ??= [])
    if (calls.length < mostCalls)
      calls.push({
        index: call.index,
        upstream: call.upstream,
        model: call.model,
        translated: call.translated,
        facts,
        lane: who.lane,
        before: lane,
        sent: { body, units },
        same,
        change,
        sameRoute,
        long,
        marked: byClient,
        key: key !== undefined && key !== who.session ? key : undefined,
        value,
      })
    if (long && choice?.long !== true && lane?.long !== true && config.long_lifetime === 'adaptive')
      kept.put(who.lane, { at: x.receivedAt, long: true, key: lane?.key ?? choice?.key })
    if (placed > 0) marksPlaced.add(placed, { upstream: call.upstream })
    call.insert(insertions)
    x.put(PromptCache, value)
  }

  /** The key that this call is to get; undefined when it has one, or its provider knows none. */
  const keyFor = (
    call: UpstreamCall,
    who: Identity,
    lane: Lane | undefined,
    keptKey: string | undefined,
    facts: CacheFacts,
  ): string | undefined => {
    if (!facts.key && facts.conversationHeader === undefined) return undefined
    if (facts.key && hasMember(call.body, call.units, 'prompt_cache_key')) return undefined
    if (!who.fresh) {
      keys.goOn(who.beginning)
      return lane?.key ?? keptKey ?? who.session
    }
    if (who.beginning === '' || who.beginningBytes < leastBytes(facts)) return who.session
    return keys.begin(who.beginning, who.session, facts) ?? who.session
  }

  return {
    lanes,
    close: () => kept.putAll(choices(lanes.recent(host.now() - recently))),
    attempt(x, call) {
      if (x.operation === 'count_tokens') return
      const facts = call.cache
      if (facts.caching === 'none' && !facts.key && facts.conversationHeader === undefined) return
      if (call.units.length === 0 || hasElsewhere(call)) return
      const { prompt } = x.state
      prompt.who ??= identify(x, prompt.asked ?? x.request.model)
      const { who } = prompt
      if (!who) return
      const found = lanes.find(who.lane, x.peek(Session)?.last?.at, who.fresh)
      const asks = facts.marks !== undefined && !who.goesOn && who.beginning !== '' && who.beginningBytes >= leastBytes(facts)
      const simple = !(found instanceof Promise) && (found !== undefined || who.fresh) && !asks
      if (simple) return act(x, call, who, found, undefined, undefined)
      return (async () => {
        const lane = await found
        const choice = lane === undefined && !who.fresh ? await kept.find(who.lane) : undefined
        const chances = asks ? (prompt.chances ??= await sightings.begin(who.beginning, facts.lifetime)) : undefined
        act(x, call, who, lane, choice, chances)
      })()
    },
    settle(x, outcome, misses) {
      const { served } = outcome
      if (!served) return undefined
      const index = outcome.attempts.indexOf(served)
      const note = x.state.prompt.calls?.find((one) => one.index === index)
      if (!note) return undefined
      x.put(PromptCache, note.value)
      const current = lanes.find(note.lane, undefined, true)
      // another request of the lane came later, and is over already
      if (!(current instanceof Promise) && current && current.at > x.receivedAt) return note
      const { usage } = served
      const known = usage !== undefined && usage.source !== 'unknown'
      const written = known ? usage.cacheWrite5m + usage.cacheWrite1h + usage.cacheWriteOther : 0
      const input = known ? usage.inputUncached + usage.cacheRead + written : 0
      const { facts, before, sameRoute } = note
      const hour = note.long || (usage?.cacheWrite1h ?? 0) > 0 || (note.marked && before?.lifetime === facts.longLifetime)
      const earlier = sameRoute ? before?.sent : undefined
      lanes.put(note.lane, {
        at: x.receivedAt,
        turns: (before?.turns ?? 0) + 1,
        until: host.now(),
        upstream: note.upstream,
        model: note.model,
        long: note.long,
        lifetime: hour && facts.longLifetime !== undefined ? facts.longLifetime : facts.lifetime,
        input,
        cached: known ? cachedOf(facts, input, usage.cacheRead, written) : -1,
        marked: note.marked,
        sent: seen(note.sent.body, note.sent.units, earlier, note.same),
        client: clientPrompt(x, note),
        edits: editsOf(x.request.units, outcome.edits),
        key: note.key,
        ...misses(note),
      })
      return note
    },
  }
}

/** Members that say that most of the prompt is kept by the provider: what the request holds of it can't be compared with anything. */
const continuing: Readonly<Record<string, readonly string[]>> = {
  'openai-responses': ['previous_response_id', 'conversation'],
  'anthropic-messages': ['thread'],
  'gemini-generate': ['cachedContent', 'cached_content'],
}

function hasElsewhere(call: UpstreamCall): boolean {
  const names = continuing[call.dialect] ?? []
  return names.some((name) => {
    // only what seems to be there is looked for in earnest
    const span = hasMember(call.body, call.units, name) ? call.spanAt(0, `/${name}`) : undefined
    return span !== undefined && call.body[span.start] !== 0x6e
  })
}

/** Milliseconds for which a lane that has not been heard of is kept over a restart. */
const recently = 2 * 3_600_000

function* choices(lanes: ReturnType<Lanes['recent']>): Generator<readonly [string, Choice]> {
  for (const [lane, { at, long, key }] of lanes) yield [lane, { at, long, key }]
}

/** The client's own prompt, where what left was something else. */
function clientPrompt(x: X, note: CallNote): SeenPrompt | undefined {
  const { bytes, units } = x.request
  if (!note.translated && x.request.changes.every(({ start, end }) => !units.some((unit) => start < unit.end && unit.start < end)))
    return undefined
  const earlier = note.before?.client
  return seen(bytes, units, earlier, earlier ? compare(earlier, bytes, units).same : 0)
}
