/**
 * One call of one token shortly before what a finished answer has in the provider's cache expires. Opt-in: it is traffic that nobody asked for.
 *
 * After an answer without tool calls one in five comes back in the five minutes after the lifetime, so that one ping pays on long prompts, and a second one
 * does not. The ping is the client's own request again, byte for byte but for `max_tokens` and `stream`, so that it takes the same way. Bounded.
 */

import type { Exchange, Host, Outcome, PrincipalValue, PromptCacheValue, SessionValue, Slot, StreamEvent } from 'headgate/plugin'
import { Principal } from 'headgate/plugin'
import type { PromptConfig } from './config.ts'
import type { CallNote, PromptState } from './prompt-cache.ts'

type X = Exchange<never, Slot<SessionValue> | Slot<PrincipalValue>, Slot<PromptCacheValue>, { readonly prompt: PromptState }>

export interface Pings {
  event(x: X, event: StreamEvent): void
  /** The call that served is over. */
  settled(x: X, note: CallNote, outcome: Outcome): void
  close(): void
}

interface Due {
  readonly at: number
  readonly request: () => Request
  readonly principal: PrincipalValue | undefined
  readonly bytes: number
}

/** Milliseconds before the end of the lifetime. */
const early = 20_000
const every = 5000
const mostBytes = 64 * 1024 * 1024
/** A lifetime above this needs no ping. */
const longest = 15 * 60_000
/** Who the caller is is said by the call itself. */
const private_ =
  /^(authorization|x-api-key|api-key|x-goog-api-key|cookie|host|content-length|connection|accept-encoding|transfer-encoding)$/

export function createPings(host: Host, config: PromptConfig): Pings {
  const due = new Map<string, Due>()
  const ends = new WeakMap<object, string>()
  let bytes = 0
  const sent = host.counter('session_cache_pings_total', 'Calls that were made to keep a prompt in the provider cache')
  const drop = (lane: string) => {
    bytes -= due.get(lane)?.bytes ?? 0
    due.delete(lane)
  }
  host.task('ping', every, async (signal) => {
    for (const [lane, { at, request, principal }] of [...due]) {
      if (at > host.now() || signal.aborted) continue
      drop(lane)
      const response = await host.call(request(), { principal, signal })
      await response.body?.cancel()
      sent.add(1, { status: String(response.status) })
    }
  })
  return {
    event(x, event) {
      if (event.type === 'stop') ends.set(x.state.prompt, event.reason)
    },
    settled(x, note, outcome) {
      drop(note.lane)
      const { facts, sent: was } = note
      const usage = outcome.served?.usage
      const lasts = note.long ? (facts.longLifetime ?? facts.lifetime) : facts.lifetime
      const cached = usage ? usage.cacheRead + usage.cacheWrite5m + usage.cacheWriteOther : 0
      if (x.inner || outcome.end !== 'finished' || ends.get(x.state.prompt) !== 'end') return
      if (facts.caching !== 'marks' || lasts > longest || cached < config.ping_from || bytes + was.body.length > mostBytes) return
      const body = asPing(x)
      if (!body) return
      const headers = new Headers([...x.headers].filter(([name]) => !private_.test(name)))
      headers.set('content-type', 'application/json')
      const url = `http://gateway.internal${x.path}${x.query === '' ? '' : `?${x.query}`}`
      const request = () => new Request(url, { method: 'POST', headers, body: body as Uint8Array<ArrayBuffer> })
      due.set(note.lane, { at: x.receivedAt + lasts - early, request, principal: x.peek(Principal), bytes: body.length })
      bytes += body.length
    },
    close: () => due.clear(),
  }
}

/** The request for one token and no stream; undefined where it can't be said. */
function asPing({ request }: X): Uint8Array | undefined {
  const { bytes } = request
  const most = ['/max_tokens', '/max_completion_tokens', '/max_output_tokens'].map((name) => request.spanAt(0, name)).find((span) => span)
  // a budget of thoughts must be smaller than max_tokens
  if (!most || request.spanAt(0, '/thinking/budget_tokens')) return undefined
  const stream = request.spanAt(0, '/stream')
  const edits = [{ ...most, text: '1' }, ...(stream ? [{ ...stream, text: 'false' }] : [])].sort((a, b) => a.start - b.start)
  const pieces: Uint8Array[] = []
  let from = 0
  for (const { start, end, text } of edits) {
    pieces.push(bytes.subarray(from, start), Buffer.from(text))
    from = end
  }
  pieces.push(bytes.subarray(from))
  return Buffer.concat(pieces)
}
