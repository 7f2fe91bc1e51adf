/**
 * Reads a conversation once, message by message, and knows of it what the next result needs: the texts that references may reach, which call a result
 * answers, how many there were. The same messages in the same order always lead to the same state. Knows no ledger and no request.
 */

import { growingHistory, type HistoryBounds, seenOfCall } from './classes/index.ts'
import type { CallFacts } from './facts.ts'
import type { Call, Result } from './read-unit.ts'
import { type Referred, soon } from './rereads.ts'
import type { GrowingHistory, SeenText } from './trimmer.ts'

/** A state to go back to. */
export interface ReaderState {
  readonly seen: readonly SeenText[]
  readonly calls: readonly (readonly [string, Call])[]
  readonly ordinal: number
  readonly turn: number
  readonly answering: boolean
  readonly referred: readonly Referred[]
  readonly before: number
}

/** Calls whose results have not come; more are forgotten, the oldest first. */
const mostCalls = 256

export class Reader {
  readonly history: GrowingHistory
  /** Results so far. */
  ordinal = 0
  /** Answers of the model so far. */
  turn = 0
  /** Tokens of the prompt so far, about; not counted any more once they are enough for a cache. */
  before = 0
  private answering = false
  /** Files that were given with references in the last turns. */
  private referred: Referred[] = []
  /** By id, or by tool and number where calls have none. */
  private readonly calls = new Map<string, Call>()

  constructor(
    private readonly bounds: HistoryBounds,
    private readonly factsOf: (call: Call | undefined, name: string | undefined) => CallFacts,
  ) {
    this.history = growingHistory(bounds)
  }

  /** A message begins. */
  begin(isAnswer: boolean): void {
    if (isAnswer && !this.answering) this.turn++
    this.answering = isAnswer
  }

  /** @returns whether it reads a file that was given with references a short while ago */
  call(call: Call): boolean {
    this.calls.set(call.id ?? this.unnamed(call.tool), call)
    if (this.calls.size > mostCalls) this.calls.delete(this.calls.keys().next().value!)
    if (this.referred.length === 0) return false
    const path = this.factsOf(call, undefined).read?.path
    this.referred = this.referred.filter((one) => this.turn - one.turn <= soon)
    const recent = this.referred.filter((one) => one.path !== path)
    const again = recent.length < this.referred.length
    this.referred = recent
    return again
  }

  /** A file was given with references. */
  refer(path: string): void {
    this.referred = [...this.referred.slice(-15), { path, turn: this.turn }]
  }

  text(role: string, text: string): void {
    this.history.add({ from: 'message', part: role, tool: '', kind: 'api', ordinal: this.ordinal + 1, text })
  }

  /** The next result: what its call says of it. What the model wrote into the call can be referred to from here on. */
  result({ id, tool }: Result): CallFacts & { readonly ordinal: number } {
    const ordinal = ++this.ordinal
    const key = id !== undefined && this.calls.has(id) ? id : tool === undefined ? undefined : this.firstOf(tool)
    const call = key === undefined ? undefined : this.calls.get(key)
    const facts = this.factsOf(call, tool)
    if (call) {
      this.calls.delete(key!)
      const { kind, path, command } = facts
      const about = { kind, ordinal, ...(path !== undefined && { path }), ...(command !== undefined && { command }) }
      for (const seen of seenOfCall(call.tool, call.input, about)) this.history.add(seen)
    }
    return { ...facts, ordinal }
  }

  snapshot(): ReaderState {
    const { ordinal, turn, answering, referred, before } = this
    return { seen: this.history.seen.slice(), calls: [...this.calls], ordinal, turn, answering, referred, before }
  }

  /** A reader that goes on from a state. */
  from({ seen, calls, ordinal, turn, answering, referred, before }: ReaderState): Reader {
    const reader = new Reader(this.bounds, this.factsOf)
    for (const text of seen) reader.history.add(text)
    for (const [key, call] of calls) reader.calls.set(key, call)
    reader.ordinal = ordinal
    reader.turn = turn
    reader.answering = answering
    reader.before = before
    reader.referred = [...referred]
    return reader
  }

  private unnamed(tool: string): string {
    for (let i = 0; ; i++) if (!this.calls.has(`${tool}\n${i}`)) return `${tool}\n${i}`
  }
  /** The oldest call of a tool that has no id. */
  private firstOf(tool: string): string | undefined {
    for (const key of this.calls.keys()) if (key.startsWith(`${tool}\n`)) return key
    return undefined
  }
}
