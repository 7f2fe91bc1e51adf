/**
 * Which conversation a client says it is in: by headers and body fields of real clients, in a fixed order.
 *
 * `user` and the like name a person, who has many conversations: never used. What is found names a session among those of one caller and authorises
 * nothing, so that nothing is checked but its length. Pure.
 */

import type { Envelope } from './envelope.ts'

export interface ClientId {
  /** As the client sent it. Never leaves the gateway. */
  readonly id: string
  /** Which of several agents in that session speaks, where the client says so. */
  readonly agent: string
}

/** Longer ones are no ids. */
const longest = 512

/** Headers that name a session, in the order in which they are asked. */
export const sessionHeaders = [
  'x-claude-code-session-id', // Claude Code
  'session-id', // Codex
  'session_id', // Codex before, pi
  'thread-id', // Codex
  'x-session-affinity', // OpenCode
  'x-opencode-session',
  'x-session-id',
  'x-litellm-session-id',
  'helicone-session-id',
  'x-grok-conv-id',
] as const

/** Headers that name one of several agents in a session. */
const agentHeaders = ['x-claude-code-agent-id', 'thread-id'] as const

/** What the client calls its session; undefined when it names none. @param names headers to ask, in order, lower case */
export function clientIdOf(headers: Headers, body: () => Envelope, names: readonly string[]): ClientId | undefined {
  for (const name of names) {
    const id = usable(headers.get(name))
    if (id !== undefined) return { id, agent: agentOf(headers, name) }
  }
  const envelope = body()
  const id =
    sessionOfUser(field(envelope.metadata, 'user_id')) ??
    // a thread of Codex; other clients make up a request id for each request
    (headers.get('originator')?.startsWith('codex') ? usable(headers.get('x-client-request-id')) : undefined) ??
    usable(envelope.prompt_cache_key) ??
    usable(envelope.session_id) ??
    usable(field(envelope.metadata, 'session_id')) ??
    usable(envelope.conversation) ??
    usable(field(envelope.conversation, 'id'))
  return id === undefined ? undefined : { id, agent: agentOf(headers, '') }
}

/** The reply that this request goes on from, by the id that its provider gave it; undefined when it names none. */
export function previousReply(envelope: Envelope): string | undefined {
  return usable(envelope.previous_response_id) ?? usable(field(envelope.thread, 'previous_message_id'))
}

/** Claude Code's `metadata.user_id`: JSON with `session_id`, or `user_…_account_…_session_<uuid>`. Other values name a person. */
function sessionOfUser(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > 2000) return undefined
  if (value.startsWith('{')) {
    try {
      return usable(field(JSON.parse(value), 'session_id'))
    } catch {
      return undefined
    }
  }
  return usable(/^user_.*_session_([0-9A-Za-z-]{8,})$/s.exec(value)?.[1])
}

function agentOf(headers: Headers, taken: string): string {
  for (const name of agentHeaders) {
    if (name === taken) continue
    const agent = usable(headers.get(name))
    if (agent !== undefined) return agent
  }
  return ''
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
}

function usable(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const id = value.trim()
  return id.length > 0 && id.length <= longest ? id : undefined
}
