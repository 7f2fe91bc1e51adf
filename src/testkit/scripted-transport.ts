/**
 * The scripted upstream behind the gateway's transport interface: no socket, no waiting, the same callbacks in the same order.
 *
 * It records every request, and whether the gateway cancelled it. Requests are told apart by the exchange that they belong to, which
 * the asynchronous context carries.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { families } from '../dialect/family.ts'
import { headerPairs } from '../upstream/http/request-head.ts'
import type { HttpErrorKind, HttpRequestOptions, Transport } from '../upstream/http/transport.ts'
import { dialectNamed, encodeReply, type SentRequest, scriptOf, type UpstreamScript, wireAnswer } from './upstream-script.ts'

export interface ScriptedTransport extends Transport {
  /** Replaces the script. */
  script(script: UpstreamScript): void
  /** Runs what belongs to one exchange; its requests are found by `sentBy`. */
  within<T>(exchange: string, run: () => T): T
  /** The upstream requests of an exchange so far; a live list. */
  sentBy(exchange: string): readonly SentRequest[]
}

const utf8 = new TextEncoder()

export function scriptedTransport(first: UpstreamScript): ScriptedTransport {
  const context = new AsyncLocalStorage<string>()
  const sent = new Map<string, SentRequest[]>()
  let answerTo = scriptOf(first)
  let open = 0

  const listOf = (exchange: string): SentRequest[] => {
    const known = sent.get(exchange) ?? []
    if (!sent.has(exchange)) sent.set(exchange, known)
    return known
  }

  return {
    script(script) {
      answerTo = scriptOf(script)
    },
    within: (exchange, run) => context.run(exchange, run),
    sentBy: listOf,
    stats: () => ({ open, idle: 0 }),
    close() {},
    request(options) {
      const list = listOf(context.getStore() ?? '')
      const aborting = new AbortController()
      const request = recorded(options, list.length, aborting.signal)
      list.push(request)
      let waiting: PromiseWithResolvers<void> | undefined
      open++
      queueMicrotask(() => {
        const run = async (): Promise<void> => {
          const answer = await answerTo(request)
          if (aborting.signal.aborted) return
          if (answer.unreachable) throw new Broken('connect', 'ECONNREFUSED (scripted)', false)
          const wire = wireAnswer(answer, request)
          options.handler.head(wire.status, wire.headers)
          let count = 0
          if (answer.breakAfter !== undefined && answer.breakAfter === 0) throw new Broken('reset', 'ECONNRESET (scripted)', true)
          for await (const chunk of wire.body) {
            while (waiting) await waiting.promise
            if (aborting.signal.aborted) return
            options.handler.data(typeof chunk === 'string' ? utf8.encode(chunk) : chunk)
            if (aborting.signal.aborted) return
            count++
            if (count === answer.breakAfter) throw new Broken('reset', 'ECONNRESET (scripted)', true)
            await Promise.resolve() // chunks are separate reads
          }
          if (!aborting.signal.aborted) options.handler.end(true)
        }
        run()
          .catch((error: unknown) => {
            if (aborting.signal.aborted) return
            const broken = error instanceof Broken ? error : new Broken('protocol', String(error), true)
            options.handler.error({ kind: broken.kind, message: broken.message, sent: true, answered: broken.answered })
          })
          .finally(() => open--)
      })
      return {
        pause() {
          waiting ??= Promise.withResolvers()
        },
        resume() {
          waiting?.resolve()
          waiting = undefined
        },
        abort() {
          aborting.abort()
          waiting?.resolve()
          waiting = undefined
        },
      }
    },
  }
}

class Broken extends Error {
  constructor(
    readonly kind: HttpErrorKind,
    message: string,
    readonly answered: boolean,
  ) {
    super(message)
  }
}

function recorded(options: HttpRequestOptions, index: number, signal: AbortSignal): SentRequest {
  const body = new Uint8Array(Buffer.concat(options.body.map((piece) => Uint8Array.from(piece))))
  const text = Buffer.from(body).toString()
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = undefined
  }
  const asked = (json ?? {}) as { stream?: unknown; stream_options?: { include_usage?: unknown } }
  const pathname = options.path.split('?', 1)[0]!
  const dialect =
    Object.values(families)
      .flatMap((f) => f.operations)
      .find((o) => pathname.endsWith(o.suffix))?.dialect.name ?? 'openai-chat'
  return {
    index,
    url: `${options.origin.key}${options.path}`,
    path: options.path,
    method: options.method,
    headers: new Headers([...headerPairs(options.headers)] as [string, string][]),
    body,
    text,
    json,
    dialect,
    stream: asked.stream === true,
    signal,
    encode: (events) => encodeReply(dialectNamed(dialect), events, asked.stream === true, asked.stream_options?.include_usage === true),
  }
}
