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

/**
 * Where clients name their session, in the order in which it is looked for: headers, and members of the body (`body.…`).
 * `body.metadata.user_id` counts only in the forms that Claude Code gives it, `x-client-request-id` only from Codex: from others they name a person, and a request.
 */
export const usualPlaces = [
  'x-claude-code-session-id', // Claude Code
  'body.metadata.user_id',
  'session-id', // Codex
  'session_id', // Codex before, pi
  'thread-id', // Codex
  'x-client-request-id',
  'body.prompt_cache_key',
  'x-session-affinity', // OpenCode
  'x-opencode-session',
  'x-session-id',
  'body.session_id',
  'body.metadata.session_id',
  'x-litellm-session-id',
  'helicone-session-id',
  'x-grok-conv-id',
  'body.conversation',
] as const

/** Headers that name one of several agents in a session. */
const agentHeaders = ['x-claude-code-agent-id', 'thread-id'] as const

/** Finds what the client calls its session; undefined when it names none. @param places headers in lower case and members of the body, in order */
export function clientIds(places: readonly string[]): (headers: Headers, body: () => Envelope) => ClientId | undefined {
  const finders = places.map((place) => ({ place, find: finderOf(place) }))
  return (headers, body) => {
    for (const { place, find } of finders) {
      const id = find(headers, body)
      if (id !== undefined) return { id, agent: agentOf(headers, place) }
    }
    return undefined
  }
}

type Finder = (headers: Headers, body: () => Envelope) => string | undefined

function finderOf(place: string): Finder {
  if (!place.startsWith('body.')) {
    if (place !== 'x-client-request-id') return (headers) => usable(headers.get(place))
    return (headers) => (headers.get('originator')?.startsWith('codex') ? usable(headers.get(place)) : undefined)
  }
  const path = place.slice('body.'.length).split('.')
  if (path.join('.') === 'metadata.user_id') return (_headers, body) => sessionOfUser(field(body().metadata, 'user_id'))
  return (_headers, body) => {
    let value: unknown = body()
    for (const name of path) value = field(value, name)
    // `conversation` is a name, or an object with one
    return usable(value) ?? usable(field(value, 'id'))
  }
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
