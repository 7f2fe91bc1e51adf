/**
 * What passes through the gateway of a run, seen from both ends of its plugins: what the agent sent, what left for the provider, and what the plugins between
 * them said of it. Two plugins, one above and one below those that are watched; they change nothing.
 */

import { definePlugin, type Plugin, Session, type SessionValue, Trim } from '../../src/plugin/index.ts'
import { readChat } from '../support/model/chat.ts'
import { readGemini } from '../support/model/gemini.ts'
import { readMessages } from '../support/model/messages.ts'
import { readResponses } from '../support/model/responses.ts'
import type { Asked } from '../support/model/script.ts'

interface Piece {
  readonly kind: 'tools' | 'system' | 'message'
  readonly start: number
  readonly end: number
}

/** A request as it was on one side. */
export interface Side {
  readonly dialect: string
  readonly bytes: Buffer
  readonly body: Record<string, unknown>
  readonly units: readonly Piece[]
  readonly asked: Asked
}

/** One request of the agent that is a turn of a conversation. */
export interface Passed {
  readonly operation: string
  readonly headers: Headers
  readonly client: Side
  /** The call that the provider had; the last one, where there were several. */
  sent?: Side & { readonly translated: boolean }
  /** Known when it was settled. */
  session?: SessionValue | undefined
  /** Tokens that were trimmed, by class. */
  trimmed?: Readonly<Record<string, number>>
  settled: boolean
}

export interface Watch {
  readonly passed: readonly Passed[]
  readonly builtins: Readonly<Record<string, () => Promise<{ default: Plugin }>>>
}

/** Operations that ask a model for a turn. */
const turns: ReadonlySet<string> = new Set(['chat', 'responses', 'messages', 'generate'])

export function watchPlugins(): Watch {
  const passed = new Map<string, Passed>()
  const above = definePlugin({
    api: 1,
    name: 'watch-client',
    summary: 'Keeps what the agent sent',
    failure: 'closed',
    wants: [Session, Trim],
    setup: () => ({
      request(x) {
        if (!turns.has(x.operation)) return
        const { bytes, units } = x.request
        passed.set(x.id, { operation: x.operation, headers: new Headers(x.headers), client: side(x.dialect, bytes, units), settled: false })
      },
      settle(x) {
        const turn = passed.get(x.id)
        if (turn) Object.assign(turn, { session: x.peek(Session), trimmed: x.peek(Trim)?.classes, settled: true })
      },
    }),
  })
  const below = definePlugin({
    api: 1,
    name: 'watch-sent',
    summary: 'Keeps what leaves',
    failure: 'closed',
    setup: () => ({
      attempt(x, call) {
        const turn = passed.get(x.id)
        if (turn) turn.sent = { ...side(call.dialect, call.body, call.units), translated: call.translated }
      },
    }),
  })
  return {
    get passed() {
      return [...passed.values()]
    },
    builtins: {
      'watch-client': () => Promise.resolve({ default: above }),
      'watch-sent': () => Promise.resolve({ default: below }),
    },
  }
}

/** One side of a request, out of its bytes and where the pieces of its prompt lie. */
export function side(dialect: string, from: Uint8Array, pieces: readonly Piece[]): Side {
  const bytes = Buffer.from(from)
  const body = JSON.parse(bytes.toString()) as Record<string, unknown>
  const units = pieces.map(({ kind, start, end }) => ({ kind, start, end }))
  return { dialect, bytes, body, units, asked: askedOf(dialect, body) }
}

function askedOf(dialect: string, body: Record<string, unknown>): Asked {
  if (dialect.startsWith('anthropic')) return readMessages(body)
  if (dialect.startsWith('gemini')) return readGemini(body, '', true)
  return dialect.includes('responses') ? readResponses(body) : readChat(body)
}
