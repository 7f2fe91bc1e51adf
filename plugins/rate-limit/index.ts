/**
 * `rate-limit`: so many requests and tokens per window, counted per key, account, tier, address, end user, session or model.
 *
 * This file joins the parts to hooks. All limits of a request are taken in one atomic step of the host's state, or none, so they are exact
 * whatever runs at once; with the store in this process nothing is awaited. Tokens are reserved before and corrected at settlement.
 */

import {
  definePlugin,
  type Exchange,
  type Give,
  Principal,
  type PrincipalValue,
  type Refusal,
  Session,
  type SessionValue,
  type Slot,
  type Take,
  type TakeResult,
} from 'headgate/plugin'
import { config } from './config.ts'
import { beginWriting, dropProvidersFigures, headerWriter } from './headers.ts'
import { compileLimits, type Limit, type LimitConfig, limitsFor } from './limit.ts'
import { type Reserve, reserveOf, usedTokens } from './tokens.ts'
import { refusalMessage, resetText, retryAfter, tooLargeMessage, waitOf } from './told.ts'

/** What the hooks of one exchange share. */
interface Taken {
  /** Limits wait for the body. */
  deferred: boolean
  /** Limits were asked; without `results` the store did not answer. */
  asked: boolean
  limits: readonly Limit[]
  takes: readonly Take[]
  results: readonly TakeResult[] | undefined
  /** Index of the limit that refused; -1 when none did. */
  refusedBy: number
  /** What was taken of the limits of tokens, until it is settled. */
  reserve: Reserve | undefined
  /** The exchange has settled. */
  over: boolean
}

type X = Exchange<never, Slot<PrincipalValue> | Slot<SessionValue>, never, Taken>

const nothing: readonly never[] = []
/** Buckets are corrected whenever it is: they have no windows that end. */
const always = Number.MAX_SAFE_INTEGER

export default definePlugin({
  api: 1,
  name: 'rate-limit',
  summary: 'Requests and tokens per window, per key, account, tier, IP, user, session or model',
  config,
  wants: [Principal, Session],
  failure: 'closed',
  usage: (config) => config.tokens !== undefined || config.limits.some((limit) => limit.tokens !== undefined),
  state: (): Taken => ({
    deferred: false,
    asked: false,
    limits: nothing,
    takes: nothing,
    results: undefined,
    refusedBy: -1,
    reserve: undefined,
    over: false,
  }),

  async setup(host, config) {
    const { catalog, state } = host
    const { window, by, default_output, body } = config
    const simple = config.requests !== undefined || config.tokens !== undefined
    const listed = config.limits as readonly LimitConfig[]
    if (!simple && listed.length === 0) throw new Error('set `requests`, `tokens` or `limits`')
    const own = { window, by, requests: config.requests, tokens: config.tokens } as LimitConfig
    const limits = compileLimits(simple ? [own, ...listed] : listed, catalog)
    await mustBeCountable(limits)
    const limitsOf = limitsFor(limits, catalog)
    const mode = config.headers === true ? 'always' : config.headers === false ? 'never' : config.headers
    const write = headerWriter(config.header_names, config.reset)
    /** The headers by which a limit below has spoken. */
    const spoken = mode === 'missing' ? ['requests', 'tokens'].map((what) => config.header_names.limit.replace('{what}', what)) : []
    const refused = host.counter('rate_limit_refused', 'Requests refused, by the limit that refused them')

    /** A bucket may be too large to be counted exactly: that is told at the start, not at the first request. */
    async function mustBeCountable(limits: readonly Limit[]): Promise<void> {
      for (const limit of limits) if (limit.kind === 'bucket') await peek([limit], ['start'])
    }
    function takeOf(limit: Limit, subject: string, amount: number): Take {
      const { prefix, window, kind, capacity } = limit
      const key = prefix + subject
      return kind === 'fixed'
        ? { key, amount, limit: limit.limit, window }
        : { key, amount, limit: limit.limit, window, kind, burst: capacity }
    }

    /** Takes from all of `limits` that are for this request. */
    function take(
      x: X,
      principal: PrincipalValue | undefined,
      limits: readonly Limit[],
    ): undefined | Refusal | Promise<undefined | Refusal> {
      const taken = x.state
      const asked: Limit[] = []
      const takes: Take[] = []
      let reserve: Reserve | undefined
      for (const limit of limits) {
        if (limit.matches !== undefined && !limit.matches(x, principal)) continue
        let amount = 1
        if (limit.what === 'tokens') {
          reserve ??= reserveOf(x, catalog, default_output)
          if (reserve === undefined) continue
          if (reserve.input > limit.capacity) return tooLarge(x, limit, limit.subject(x, principal), reserve.input)
          amount = Math.min(reserve.input + reserve.output, limit.capacity)
        }
        asked.push(limit)
        takes.push(takeOf(limit, limit.subject(x, principal), amount))
      }
      if (takes.length === 0) return undefined
      taken.asked = true
      taken.limits = asked
      taken.takes = takes
      const one = takes.length === 1 && takes[0]!.kind === undefined ? takes[0]! : undefined
      if (one === undefined) {
        const results = state.takeAll(takes)
        return results instanceof Promise ? decideLater(x, taken, reserve, results) : decide(x, taken, reserve, results)
      }
      const result = state.take(one.key, one.amount, one.limit, one.window)
      return result instanceof Promise ? decideLater(x, taken, reserve, result) : decide(x, taken, reserve, [result])
    }
    async function decideLater(
      x: X,
      taken: Taken,
      reserve: Reserve | undefined,
      answer: Promise<TakeResult | readonly TakeResult[]>,
    ): Promise<Refusal | undefined> {
      const results = await answer
      const verdict = decide(x, taken, reserve, Array.isArray(results) ? results : [results as TakeResult])
      // the hook timed out, and the exchange ended without what is there only now
      if (taken.over && taken.reserve !== undefined) await settleAt(taken, 0)
      return verdict
    }
    function decide(x: X, taken: Taken, reserve: Reserve | undefined, results: readonly TakeResult[]): Refusal | undefined {
      taken.results = results
      if (!results[0]!.taken) return refuse(x, taken, results)
      taken.reserve = reserve
      return undefined
    }
    /** Corrects what was reserved to what was used. */
    function settleAt(taken: Taken, used: number): void | Promise<void> {
      const { limits, takes, results } = taken
      taken.reserve = undefined
      const corrections: Give[] = []
      for (const [i, limit] of limits.entries()) {
        if (limit.what !== 'tokens') continue
        const take = takes[i]!
        const amount = take.amount - used
        if (amount !== 0) corrections.push({ ...take, amount, at: limit.kind === 'bucket' ? always : results![i]!.resetAt })
      }
      return corrections.length > 0 ? state.give(corrections) : undefined
    }

    /** The refusal by the limit that takes longest to have enough. */
    function refuse(x: X, taken: Taken, results: readonly TakeResult[]): Refusal {
      const now = host.now()
      let by = 0
      let longest = Number.NEGATIVE_INFINITY
      for (const [i, result] of results.entries()) {
        if (result.remaining >= taken.takes[i]!.amount) continue
        const wait = waitOf(taken.limits[i]!, result, now)
        if (wait > longest) [by, longest] = [i, wait]
      }
      taken.refusedBy = by
      const [limit, { key, amount }, result] = [taken.limits[by]!, taken.takes[by]!, results[by]!]
      told(x, limit)
      const seconds = retryAfter(longest)
      const extra: Record<string, string | number | boolean> = { ...body.extra }
      if (body.retry_after !== undefined) extra[body.retry_after] = seconds
      if (body.limit !== undefined) extra[body.limit] = limit.capacity
      if (body.remaining !== undefined) extra[body.remaining] = Math.max(0, result.remaining)
      if (body.reset !== undefined) extra[body.reset] = asValue(resetText(config.reset, result.resetAt, now))
      return x.refuse('rate_limited', {
        message: refusalMessage(limit, key.slice(limit.prefix.length), amount, seconds),
        retryAfter: seconds,
        ...(Object.keys(extra).length > 0 && { extra }),
      })
    }
    function tooLarge(x: X, limit: Limit, subject: string, tokens: number): Refusal {
      told(x, limit)
      return x.refuse('request_too_large', { message: tooLargeMessage(limit, subject, tokens) })
    }
    function told(x: X, limit: Limit): void {
      refused.add(1, { limit: limit.id })
      x.note(`limit ${limit.id}`)
    }

    /** Where limits stand, when nothing was taken; undefined while the store is away, for headers are not worth a refusal. */
    async function peek(limits: readonly Limit[], subjects: readonly string[]): Promise<readonly TakeResult[] | undefined> {
      try {
        return await state.takeAll(limits.map((limit, i) => takeOf(limit, subjects[i]!, 0)))
      } catch (error) {
        if (error instanceof RangeError) throw error
        return undefined
      }
    }
    async function writeStanding(x: X, headers: Headers): Promise<void> {
      const principal = x.peek(Principal)
      const limits = limitsOf(principal).early.filter((limit) => limit.matches === undefined || limit.matches(x, principal))
      if (limits.length === 0) return
      const results = await peek(
        limits,
        limits.map((limit) => limit.subject(x, principal)),
      )
      if (results) write(headers, { limits, results, refusedBy: -1 }, host.now())
    }

    const endWriting = mode === 'never' ? undefined : beginWriting()

    return {
      admit(x) {
        const principal = x.peek(Principal)
        const set = limitsOf(principal)
        // model lists and routes have no body: what needs none is all there is for them
        if (x.operation === 'models' || x.operation === 'route')
          return take(
            x as X,
            principal,
            set.early.filter((limit) => limit.what === 'requests'),
          )
        if (!set.needsBody) return take(x as X, principal, set.all)
        x.state.deferred = true
        return undefined
      },

      request(x) {
        if (!x.state.deferred) return undefined
        x.state.deferred = false
        const principal = x.peek(Principal)
        return take(x, principal, limitsOf(principal).all)
      },

      ...(mode !== 'never' && {
        reply(x, reply) {
          dropProvidersFigures(reply)
          const { results, refusedBy, limits, asked } = x.state
          if (mode === 'limited' && refusedBy < 0) return undefined
          if (mode === 'missing' && refusedBy < 0 && spoken.some((name) => reply.headers.has(name))) return undefined
          if (results !== undefined) return write(reply.headers, { limits, results, refusedBy }, host.now())
          return asked ? undefined : writeStanding(x, reply.headers)
        },
      }),

      settle(x, outcome) {
        const { reserve } = x.state
        x.state.over = true
        return reserve === undefined ? undefined : settleAt(x.state, usedTokens(outcome, reserve))
      },

      close: () => endWriting?.(),
    }
  },
})

/** A reset as a member of the body: a number where it is one. */
function asValue(text: string): string | number {
  return /^\d+$/.test(text) ? Number(text) : text
}
