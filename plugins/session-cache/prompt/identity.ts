/**
 * Which line of turns an exchange is part of, and what it begins with. From the client's own bytes, before any edit.
 *
 * A line of its own is what shares the session, the model asked for and the first message: a system prompt that changes each time, or a reminder in the middle,
 * makes no new one, and agents that share a session are told apart.
 */

import {
  type Exchange,
  Principal,
  type PrincipalValue,
  type PromptCacheValue,
  type PromptUnit,
  Session,
  type SessionValue,
  type Slot,
} from 'headgate/plugin'
import { hashText } from './hold.ts'
import { byModel, messagesFrom } from './places.ts'

export interface Identity {
  readonly lane: string
  /** Key at the provider for the whole session. */
  readonly session: string
  /** Hash of the caller with tools and system; empty when there are none. */
  readonly beginning: string
  /** Bytes of tools and system. */
  readonly beginningBytes: number
  /** It is the first request of its lane, as far as anybody knows. */
  readonly fresh: boolean
  /** It has tools, the model has spoken in it, or the client has given it a name: it will go on. */
  readonly goesOn: boolean
}

/** Whoever knows only these slots can be told apart. */
export type Known = Exchange<never, Slot<SessionValue> | Slot<PrincipalValue>, Slot<PromptCacheValue>, unknown>

/** @param asked the model that the client asked for */
export function identify(x: Pick<Known, 'request' | 'peek'>, asked: string): Identity | undefined {
  const { borrowed: bytes, units } = x.request
  if (units.length === 0) return undefined
  const session = x.peek(Session)
  const caller = x.peek(Principal)?.account ?? ''
  const from = messagesFrom(units)
  const lead = units.slice(0, from)
  const beginningBytes = lead.reduce((sum, unit) => sum + unit.end - unit.start, 0)
  const beginning = lead.length === 0 ? '' : hashText(caller, asked, ...lead.map((unit) => piece(bytes, unit)))
  const first = units[from]
  const tools = lead.some((unit) => unit.kind === 'tools')
  const opener = first ? piece(bytes, first) : ''
  const own = hashText(caller, session ? session.id : beginning, asked, tools ? 'tools' : '', opener)
  const spoken = units.some((unit) => unit.kind === 'message' && byModel(unit.role))
  return {
    lane: own,
    session: session?.id ?? `hg_${own}`,
    beginning,
    beginningBytes,
    fresh: session ? session.source === 'new' && session.turn === 1 : !spoken,
    goesOn: tools || spoken || (session !== undefined && (session.turn > 1 || session.source === 'client')),
  }
}

function piece(bytes: Uint8Array, { start, end }: PromptUnit): Uint8Array {
  return bytes.subarray(start, end)
}
