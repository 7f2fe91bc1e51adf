/**
 * `session`: which conversation a request belongs to, for all plugins below it, and what that conversation came to, for operators.
 *
 * This file joins the parts to hooks. Fails open: a request whose session is not known is served without one.
 */

import {
  definePlugin,
  inputTokens,
  type LaneState,
  type Outcome,
  type PricesAt,
  Principal,
  PromptCache,
  Session,
  type SessionValue,
  Trim,
} from 'headgate/plugin'
import { type Chain, chainOf } from './chain.ts'
import { clientIds, previousReply } from './client-id.ts'
import { config } from './config.ts'
import { type Envelope, envelopeOf } from './envelope.ts'
import { type Asked, type Found, identifier, openingOf, placeOfReply } from './identify.ts'
import { type Caller, callers } from './ids.ts'
import { knownSessions } from './known.ts'
import { sessionLedger } from './ledger.ts'
import { ownerOf } from './owner.ts'
import { sessionRoutes } from './routes.ts'
import { isShared, keptSecret } from './secret.ts'
import { settleSession } from './settle.ts'
import { sharedSessions } from './shared.ts'
import { type RequestTokens, scanUnits, tokenEstimator } from './tokens.ts'
import { addOutcome } from './totals.ts'

/** What the hooks of one exchange share. */
interface Turn {
  caller: Caller | undefined
  chain: Chain | undefined
  found: Found | undefined
  /** Id of a request that is no turn of a conversation. */
  alone: string | undefined
  tokens: RequestTokens | undefined
  /** Input tokens of the request before, while its prefix was warm when this one came. */
  warmInput: number | undefined
}

/** Operations that are turns of a conversation. */
const conversations: ReadonlySet<string> = new Set(['chat', 'messages', 'responses', 'generate', 'converse', 'completions'])
/** A longer list of messages is no conversation: it is not compared. */
const mostUnits = 20_000
/** How long providers keep what was written, at least: five minutes where it does not say an hour. */
const short = 5 * 60_000
const long = 60 * 60_000
const announceEvery = 15_000
const secretEvery = 5000

export default definePlugin({
  api: 1,
  name: 'session',
  summary: 'Which conversation a request belongs to: named by the client, or found by the messages that it goes on from',
  config,
  wants: [Principal, Trim, PromptCache],
  provides: [Session],
  failure: 'open',
  usage: true,
  state: (): Turn => ({
    caller: undefined,
    chain: undefined,
    found: undefined,
    alone: undefined,
    tokens: undefined,
    warmInput: undefined,
  }),

  async setup(host, config) {
    const { idle } = config
    const now = () => host.now()
    const known = knownSessions(config.sessions, idle)
    const sharing = await isShared(host)
    const shared = sharing
      ? sharedSessions({
          state: host.state,
          known,
          log: host.log,
          now,
          idle,
          opening: openingOf,
          replyPlace: ({ caller, previous }: Asked) => (previous === undefined ? undefined : placeOfReply(caller, previous)),
        })
      : undefined
    const ledger = sharing ? sessionLedger(host.state, host.log, idle, now) : undefined
    const ids = identifier(known, shared)
    const tokens = tokenEstimator()
    const clientIdOf = clientIds(config.ids.map((place) => (place.startsWith('body.') ? place : place.toLowerCase())))
    const header = config.header === false ? undefined : config.header.toLowerCase()
    const sources = host.counter('session_requests', 'Requests by how their session was found')
    const estimates = host.histogram(
      'session_token_estimate_error',
      'How far estimated input tokens were from those billed, as a share of these',
    )
    host.gauge('sessions', 'Sessions known to this instance', () => [{ value: known.size }])

    let secret = config.secret ?? (await keptSecret(host, sharing))
    let callerOf = callers(secret ?? crypto.randomUUID())
    if (config.secret === undefined && (sharing || secret === undefined)) {
      // a store that was away, or has lost what it kept: the instances come to one secret again
      host.task('secret', secretEvery, async () => {
        if (secret !== undefined && !sharing) return
        const kept = await keptSecret(host, sharing, secret)
        if (kept === undefined || kept === secret) return
        secret = kept
        callerOf = callers(kept)
      })
    }
    if (ledger) {
      host.task('announce', announceEvery, () => ledger.announce(known.list()).catch(() => {})) // the store is away: again in a while
    }
    sessionRoutes(host, known, ledger)

    const slotOf = (found: Found, tokens: RequestTokens): SessionValue => {
      const { session, lane, source, turn } = found
      return {
        id: session.id,
        turn,
        lane: lane.id,
        source,
        ...(session.parent !== undefined && { parent: session.parent }),
        ...(lane.last && { last: lane.last }),
        inputTokens: () => tokens.estimate(),
        tokenRatio: tokens.ratio(),
      }
    }

    return {
      request(x) {
        const { owner, key } = ownerOf(x.peek(Principal), x)
        const caller = callerOf(owner.account, key)
        /** One request that nobody can go on from: the session that its client names, else one of its own. Told, and not kept. */
        const alone = (client?: string) => {
          if (header !== undefined) x.state.alone = caller.id(client === undefined ? `request ${x.id}` : `client ${client}`)
        }
        const { borrowed: bytes, model } = x.request
        if (!conversations.has(x.operation)) return alone(clientIdOf(x.headers, () => envelopeOf(bytes, x.request.units))?.id)
        const units = x.request.units.length > mostUnits ? [] : x.request.units
        let read: Envelope | undefined
        const envelope = () => (read ??= envelopeOf(bytes, units))
        const client = clientIdOf(x.headers, envelope)
        const previous = x.operation === 'responses' || x.dialect === 'anthropic-messages' ? previousReply(envelope()) : undefined
        const hasMessages = units.length > 0 && units.at(-1)!.kind === 'message'
        if (client === undefined && (!config.prefix || (!hasMessages && previous === undefined))) return alone()
        const chain = chainOf(bytes, units, caller.seed, x.dialect)
        // a plugin that makes a call for somebody repeats what that somebody said: a ping, say
        const retry = x.inner !== undefined || Number(x.headers.get('x-stainless-retry-count') ?? 0) > 0
        const answerTokens = (end: number) => scanUnits(bytes, units, end, chain.answerEnd(end))
        const asked: Asked = { caller, owner, chain, model, client, previous, answerTokens, retry, now: x.receivedAt }
        const put = (found: Found) => {
          const { last } = found.lane
          const kept = previous === undefined ? 0 : (last?.input ?? 0)
          const { state } = x
          state.caller = caller
          state.chain = chain
          state.found = found
          state.tokens = tokens.of({ model, bytes, units, chain, anchor: found.anchor, kept })
          state.warmInput = last?.warmUntil !== undefined && last.warmUntil > x.receivedAt ? last.input : undefined
          sources.add(1, { source: found.source })
          x.put(Session, slotOf(found, state.tokens))
        }
        const found = ids.identify(asked)
        if (found instanceof Promise) return found.then(put)
        put(found)
      },

      ...(header !== undefined && {
        reply(x, reply) {
          const { found, alone } = x.state
          const id = found?.session.id ?? alone
          if (id !== undefined) reply.headers.set(header, id)
        },
      }),

      ready() {
        // nobody waits for it: the task says it again
        if (ledger) void ledger.announce([]).catch(() => {})
      },

      async settle(x, outcome) {
        const { found, chain, caller, tokens, warmInput } = x.state
        if (!found || !chain || !caller || !tokens) return
        tokens.estimate() // whoever asks for it later has it: the body will be gone
        const { session, lane } = found
        const { served } = outcome
        const usage = served?.usage ?? (served ? outcome.usage : undefined)
        const billed = usage?.source === 'reported' ? usage : undefined
        const input = billed && inputTokens(billed)
        const at = Math.round(x.receivedAt + outcome.timings.endAt)
        const trim = x.peek(Trim)
        const prices: PricesAt = { catalog: host.catalog, at: x.receivedAt }
        addOutcome(session.totals, outcome, { prices, trim, cache: x.peek(PromptCache), warmInput })
        if (input !== undefined && input > 0) {
          estimates.observe(Math.abs(tokens.estimate() / input - 1))
          tokens.learn(input, trim?.newTokens ?? 0)
        }
        settleSession(found, {
          chain,
          now: at,
          answered: outcome.end === 'finished',
          input: input === 0 ? undefined : input,
          output: billed?.outputVisible,
          ...(served && { state: laneStateOf(outcome, lane.last, at) }),
        })
        const places = placesOf(x.operation, x.dialect, caller, served?.replyId)
        for (const place of places) known.mark(place, session)
        if (shared && ledger) await Promise.all([shared.settled(session, lane, places), ledger.write(session)])
      },
    }
  },
})

/** Where others will look for the session by the id of the reply. */
function placesOf(operation: string, dialect: string, caller: Caller, replyId: string | undefined): bigint[] {
  if (replyId === undefined || (operation !== 'responses' && dialect !== 'anthropic-messages')) return []
  return [placeOfReply(caller, replyId)]
}

function laneStateOf(
  { served, usage: all }: Outcome,
  before: LaneState | undefined,
  at: number,
): Omit<LaneState, 'at' | 'units' | 'input'> {
  const usage = served?.usage ?? all
  const base = { ...(served && { upstream: served.upstream, model: served.model }) }
  if (usage.source !== 'reported') return base
  const written = usage.cacheWrite5m + usage.cacheWrite1h + usage.cacheWriteOther
  // what is read is refreshed for as long as it was written for
  const wasLong = before?.warmUntil !== undefined && before.warmUntil - before.at > short
  const lasts = usage.cacheWrite1h > 0 || (usage.cacheRead > 0 && wasLong) ? long : short
  return { ...base, cacheRead: usage.cacheRead, cacheWrite: written, ...(usage.cacheRead + written > 0 && { warmUntil: at + lasts }) }
}
