/**
 * Reads a conversation once, message by message, and knows of it what the next result needs: the texts that references may reach, which call a result
 * answers, how many there were. The same messages in the same order always lead to the same state. Knows no ledger and no request.
 */

import { growingHistory, type HistoryBounds, seenOfCall } from './classes/index.ts'
import type { CallFacts } from './facts.ts'
import type { Call, Result } from './read-unit.ts'
import { type Referred, soon } from './rereads.ts'
import type { GrowingHistory, SeenText } from './trimmer.ts'

/** A call with the number that its result has: that of its place among all calls, for translation puts results in the order of their calls. */
interface Numbered {
  readonly call: Call
  readonly ordinal: number
}

/** A state to go back to. */
export interface ReaderState {
  readonly seen: readonly SeenText[]
  readonly calls: readonly (readonly [string, Numbered])[]
  readonly ordinal: number
  readonly next: number
  readonly turn: number
  readonly answering: boolean
  readonly referred: readonly Referred[]
  readonly before: number
}

/** Calls whose results have not come; more are forgotten, the oldest first. */
const mostCalls = 256

export class Reader {
  readonly history: GrowingHistory
  /** Calls so far, and results that answer none that is known. */
  ordinal = 0
  /** The number of the next result where results come in the order of their calls. */
  private next = 1
  /** Answers of the model so far. */
  turn = 0
  /** Tokens of the prompt so far, about; not counted any more once they are enough for a cache. */
  before = 0
  private answering = false
  /** Files that were given with references in the last turns. */
  private referred: Referred[] = []
  /** By id, or by tool and number where calls have none. */
  private readonly calls = new Map<string, Numbered>()

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
    this.calls.set(call.id ?? this.unnamed(call.tool), { call, ordinal: ++this.ordinal })
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

  /**
   * The next result: what its call says of it, and its number. `inOrder`: the results before it are those of all calls before its own, so that whoever
   * counts results in the prompt comes to this number, in whatever order they are sent on. What the model wrote into the call can be referred to from here on.
   */
  result({ id, tool }: Result): CallFacts & { readonly ordinal: number; readonly inOrder: boolean } {
    const key = id !== undefined && this.calls.has(id) ? id : tool === undefined ? undefined : this.firstOf(tool)
    const found = key === undefined ? undefined : this.calls.get(key)
    const ordinal = found?.ordinal ?? ++this.ordinal
    const inOrder = ordinal === this.next
    this.next = Math.max(this.next, ordinal + 1)
    const facts = this.factsOf(found?.call, tool)
    if (found) {
      this.calls.delete(key!)
      const { kind, path, command } = facts
      const about = { kind, ordinal, ...(path !== undefined && { path }), ...(command !== undefined && { command }) }
      for (const seen of seenOfCall(found.call.tool, found.call.input, about)) this.history.add(seen)
    }
    return { ...facts, ordinal, inOrder }
  }

  snapshot(): ReaderState {
    const { ordinal, next, turn, answering, referred, before } = this
    return { seen: this.history.seen.slice(), calls: [...this.calls], ordinal, next, turn, answering, referred, before }
  }

  /** A reader that goes on from a state. */
  from({ seen, calls, ordinal, next, turn, answering, referred, before }: ReaderState): Reader {
    const reader = new Reader(this.bounds, this.factsOf)
    for (const text of seen) reader.history.add(text)
    for (const [key, call] of calls) reader.calls.set(key, call)
    reader.ordinal = ordinal
    reader.next = next
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
