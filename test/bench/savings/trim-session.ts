/**
 * One recorded session through the classes of trimming, and what that does to its bill. No gateway: the texts only.
 */

import { usualBounds } from '../../../plugins/tool-trim/classes/index.ts'
import { factsOf } from '../../../plugins/tool-trim/facts.ts'
import { Reader } from '../../../plugins/tool-trim/reader.ts'
import type { Trim, Trimmed } from '../../../plugins/tool-trim/trimmer.ts'
import type { Json } from '../../../src/plugin/index.ts'
import { lostLines } from './lost-lines.ts'
import { tokensOf } from './tokens.ts'
import { type RecordedMessage, type Trajectory, timesOf } from './trajectories.ts'

export interface TrimmedSession {
  /** Text of each message after trimming; absent where nothing was trimmed. */
  readonly texts: ReadonlyMap<number, Pick<Trimmed, 'text' | 'by' | 'saved'>>
  readonly tools: ReadonlyMap<number, string>
  /** Names of trimmers, once for each result that they were refused on. */
  readonly refused: readonly string[]
  /** Lines that an edit had to match, that stood in the prompt and no longer do. */
  readonly lost: readonly string[]
  readonly results: number
  readonly characters: number
  /** Of this thread's processor time: others use the machine too. */
  readonly milliseconds: number
  readonly slowest: number
}

export interface Counts {
  readonly before: number
  readonly after: number
}

export function textOf(message: RecordedMessage): string {
  if (typeof message.content === 'string') return message.content
  return (message.content ?? []).map((block) => block.text ?? '').join('\n')
}

export function trimSession({ messages }: Trajectory, trim: Trim): TrimmedSession {
  const reader = new Reader(usualBounds, factsOf({}))
  const texts = new Map<number, Pick<Trimmed, 'text' | 'by' | 'saved'>>()
  const tools = new Map<number, string>()
  const refused: string[] = []
  const sent: string[] = []
  let [results, characters, milliseconds, slowest] = [0, 0, 0, 0]
  messages.forEach((message, i) => {
    const text = textOf(message)
    sent.push(text)
    reader.begin(message.role === 'assistant')
    if (message.role !== 'tool') {
      if (text.length > 0) reader.text(message.role, text)
      for (const call of message.tool_calls ?? []) {
        reader.call({ id: call.id, tool: call.function.name, input: parsed(call.function.arguments) })
      }
      return
    }
    results++
    const { tool_call_id: id, name: tool } = message
    const facts = reader.result({ ...(id !== undefined && { id }), ...(tool !== undefined && { tool }), texts: [] })
    tools.set(i, facts.tool)
    const before = process.threadCpuUsage()
    const started = performance.now()
    const trimmed = trim({ ...facts, text }, reader.history)
    reader.history.add(trimmed.seen)
    const took = performance.now() - started
    const used = process.threadCpuUsage(before)
    milliseconds += (used.user + used.system) / 1000
    slowest = Math.max(slowest, took)
    characters += text.length
    refused.push(...trimmed.refused)
    if (trimmed.text !== text) {
      texts.set(i, { text: trimmed.text, by: trimmed.by, saved: trimmed.saved })
      sent[i] = trimmed.text
    }
  })
  return { texts, tools, refused, lost: lostLines(messages, sent), results, characters, milliseconds, slowest }
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Tokens of a system prompt that a log leaves out, at the median. */
const unrecordedSystem = 9500
const fresh = 1.25
const read = 0.1
const lifetime = 300_000

/** The bill of all calls, in tokens of plain input, before and after. */
export function count(trajectory: Trajectory, session: TrimmedSession) {
  const { messages, turns } = trajectory
  const rates = new Float64Array(messages.length)
  const times = timesOf(trajectory)
  let [before, known] = [0, 0]
  turns.forEach((turn, k) => {
    const warm = k > 0 && times[k]! - times[k - 1]! <= lifetime
    const n = Math.min(turn.n, messages.length)
    for (let i = 0; i < n; i++) rates[i]! += warm && i < known ? read : fresh
    if (messages[0]?.role !== 'system') before += unrecordedSystem * (warm ? read : fresh)
    known = n
  })
  let after = before
  const byTrimmer = new Map<string, number>()
  const byTool = new Map<string, { before: number; after: number }>()
  messages.forEach((message, i) => {
    const rate = rates[i]!
    if (rate === 0) return
    for (const call of message.tool_calls ?? []) {
      const cost = rate * tokensOf(call.function.arguments)
      before += cost
      after += cost
    }
    const cost = rate * tokensOf(textOf(message))
    const trimmed = session.texts.get(i)
    const left = trimmed ? rate * tokensOf(trimmed.text) : cost
    before += cost
    after += left
    if (message.role !== 'tool') return
    const name = `${trajectory.agent}/${session.tools.get(i)}`
    const tool = byTool.get(name) ?? { before: 0, after: 0 }
    byTool.set(name, { before: tool.before + cost, after: tool.after + left })
    if (trimmed) byTrimmer.set(trimmed.by.join('+'), (byTrimmer.get(trimmed.by.join('+')) ?? 0) + cost - left)
  })
  return { before, after, byTrimmer, byTool }
}
