/**
 * Exact response cache: the answer to the very same request is given again, and requests of the same words at the same time share one call.
 *
 *   request ──fit──▶ kept ──▶ given again
 *                     └─none──▶ somebody is asking ──▶ waits ──▶ given what that one got
 *                                 └─nobody──▶ asks, and keeps the answer when it is a complete one
 *
 * A store that can't be reached makes a miss, never an error. Keys hold whose answer it is (`key.ts`); what may be kept is said by `eligible.ts`.
 */

import type { Exchange, Host, Next, Outcome, PrincipalValue, Recording, Slot, StreamEvent } from 'headgate/plugin'
import { globMatcher, Principal, PromptCache, type PromptCacheValue } from 'headgate/plugin'
import type { ResponseConfig } from './config.ts'
import { unfit } from './eligible.ts'
import { type Answer, createFlights, Landed, type Wait } from './flights.ts'
import { type Asked, keyOf, namespaceOf } from './key.ts'
import { repeatsMember } from './repeats.ts'

/** What is known of one exchange. */
export interface ResponseState {
  /** Model as the client named it: a router below may put a provider's name in its place. */
  model?: string
  /** `hit`, `joined`, `miss`, or why it was passed by; absent when the cache was not asked for. */
  told?: string
  key?: string
  leads?: boolean
  waits?: Wait
  recording?: Recording
  /** When the answer that is given again was made: milliseconds since the epoch. */
  madeAt?: number
  /** Every choice that stopped did so of its own accord. */
  whole?: boolean
}

type X = Exchange<never, Slot<PrincipalValue>, Slot<PromptCacheValue>, { readonly response: ResponseState }>

interface Entry extends Answer {
  readonly at: number
}

const goodStops = new Set(['end', 'tool_calls', 'stop_sequence'])
/** Milliseconds that a look into the store may take. */
const patience = 250

/** The hooks of the cache; undefined when the config never turns it on. */
export function createResponseCache(host: Host, config: ResponseConfig) {
  const { models, header, ttl, scope, vary } = config
  if (models.length === 0 && header === undefined) return undefined
  const matches = globMatcher(models)
  const flights = createFlights()
  const counted = host.counter('response_cache_total', 'Requests for which the response cache was asked, by what came of it')

  /** Whether the cache is wanted, and whether the client itself asks for it. */
  const wanted = (x: X): { readonly byClient: boolean } | undefined => {
    if (/\bno-(store|cache)\b/i.test(x.headers.get('cache-control') ?? '')) return undefined
    const said = header === undefined ? undefined : x.headers.get(header)?.trim().toLowerCase()
    if (said === 'on' || said === 'true') return { byClient: true }
    if (said === 'off' || said === 'false') return undefined
    return models.length > 0 && matches(x.state.response.model ?? '') ? { byClient: false } : undefined
  }

  const look = async (key: string): Promise<Entry | undefined> => {
    let timer: ReturnType<typeof setTimeout> | undefined
    try {
      const late = new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), patience)
      })
      return await Promise.race([host.state.get<Entry>(key), late])
    } catch {
      return undefined
    } finally {
      clearTimeout(timer)
    }
  }

  const again = (x: X, told: 'hit' | 'joined', { reply, from }: Answer, at: number) => {
    const { response } = x.state
    response.told = told
    response.madeAt = at
    x.put(PromptCache, { attribution: 'none', response: told, ...(from && { instead: from }) })
    counted.add(1, { result: told })
    return x.replay(reply)
  }

  return {
    request(x: X): void {
      x.state.response.model = x.request.model
    },

    wraps(x: X): boolean {
      return wanted(x) !== undefined
    },

    async around(x: X, next: Next) {
      const { response } = x.state
      const asked = wanted(x)
      if (!asked) return next()
      const { json: body } = x.request
      const why =
        unfit(x.operation, body, config.any_temperature || asked.byClient) ??
        (repeatsMember(x.request.borrowed) ? 'a member that stands twice' : undefined)
      if (why !== undefined) {
        response.told = 'bypass'
        counted.add(1, { result: 'bypass' })
        x.note(`response cache passed by: ${why}`)
        return next()
      }
      const name = response.model ?? x.request.model
      const places = JSON.stringify([name, host.catalog.find(name)?.targets.map(({ upstream, model }) => [upstream, model]) ?? []])
      const { operation, dialect, path, query, headers, ip } = x
      const about: Asked = { operation, dialect, path, query, headers, ip, body, places }
      const key = keyOf(namespaceOf(scope, x.peek(Principal), about), about, vary)
      const kept = await look(key)
      if (kept && kept.at + ttl > host.now()) return again(x, 'hit', kept, kept.at)

      response.key = key
      const lead = () => {
        response.leads = true
      }
      const wait = config.wait > 0 ? flights.join(key, config.wait, lead) : undefined
      response.told = 'miss'
      counted.add(1, { result: 'miss' })
      try {
        if (wait) response.waits = wait
        const reply = await next(wait ? { after: wait.over } : {})
        if (reply.ok) response.recording = x.record(reply, config.max_size)
        return reply
      } catch (error) {
        if (error instanceof Landed) return again(x, 'joined', error.answer, host.now())
        throw error
      }
    },

    reply(x: X, reply: { readonly headers: Headers }): void {
      const { told, madeAt } = x.state.response
      if (told === undefined) return
      reply.headers.set(header ?? 'x-gateway-cache', told)
      if (madeAt !== undefined) reply.headers.set('age', String(Math.max(0, Math.floor((host.now() - madeAt) / 1000))))
    },

    event(x: X, event: StreamEvent): void {
      if (event.type !== 'stop') return
      const { response } = x.state
      response.whole = response.whole !== false && goodStops.has(event.reason)
    },

    async settle(x: X, outcome: Pick<Outcome, 'end' | 'status' | 'served' | 'continued'>): Promise<void> {
      const { key, leads, waits, recording, whole } = x.state.response
      if (key === undefined) return
      waits?.leave()
      const stored = outcome.end === 'finished' && outcome.status === 200 && whole === true ? recording?.stored : undefined
      const answer: Answer | undefined = stored && { reply: stored, ...billed(outcome) }
      try {
        const entry: Entry | undefined = answer && { at: host.now(), ...answer }
        if (entry) await host.state.set(key, entry, ttl)
      } catch (error) {
        host.log.debug('an answer was not kept', { error: String(error) })
      } finally {
        if (leads) flights.done(key, answer)
      }
    },
  }
}

/** The call that giving an answer again spares. One that went on with another's stream is not all that the answer cost. */
function billed({ served, continued }: Pick<Outcome, 'served' | 'continued'>): Pick<Answer, 'from'> {
  if (!served?.usage || continued || served.usage.source === 'unknown') return {}
  const { raw: _, ...usage } = served.usage
  return { from: { upstream: served.upstream, model: served.model, usage } }
}
