/** Conversations for tests: made once, written in each dialect of clients as its turns go on. */

import { afterEach, expect } from 'bun:test'
import { definePlugin, Session, type SessionValue, Trim, type TrimValue } from 'headgate/plugin'
import { type PluginKit, type Result, type TestPluginOptions, testPlugin } from 'headgate/testkit'
import toolTrim from './index.ts'

export interface Step {
  readonly say?: string
  readonly user?: string
  readonly calls?: readonly StepCall[]
}
export interface StepCall {
  readonly tool: string
  readonly input: Readonly<Record<string, unknown>>
  readonly result: string
  readonly error?: boolean
}

export const read = (path: string, result: string, more: object = {}): StepCall => ({
  tool: 'Read',
  input: { file_path: path, ...more },
  result,
})
export const run = (command: string, result: string): StepCall => ({ tool: 'Bash', input: { command }, result })

/** A file as Claude Code's tool prints it. */
export function numbered(text: string): string {
  return text
    .split('\n')
    .map((line, i) => `${String(i + 1).padStart(6)}→${line}`)
    .join('\n')
}

/** So many lines, all different. */
export function source(lines: number, seed = 'a'): string {
  return Array.from({ length: lines }, (_, i) => `  const ${seed}Value${i} = compute${i % 7}('${seed}', ${i * 37}) // step ${i}`).join('\n')
}

type Message = Record<string, unknown>

/** The messages of a conversation after each of its steps. */
export function chat(steps: readonly Step[], start = 'Fix the bug'): Message[] {
  const messages: Message[] = [{ role: 'user', content: start }]
  for (const [s, { say, user, calls = [] }] of steps.entries()) {
    const toolCalls = calls.map(({ tool, input }, c) => ({
      id: `call_${s}_${c}`,
      type: 'function',
      function: { name: tool, arguments: JSON.stringify(input) },
    }))
    messages.push({ role: 'assistant', content: say ?? null, ...(toolCalls.length > 0 && { tool_calls: toolCalls }) })
    for (const [c, { result }] of calls.entries()) messages.push({ role: 'tool', tool_call_id: `call_${s}_${c}`, content: result })
    if (user !== undefined) messages.push({ role: 'user', content: user })
  }
  return messages
}

export function messages(steps: readonly Step[], start = 'Fix the bug', mark = false): Message[] {
  const out: Message[] = [{ role: 'user', content: start }]
  for (const [s, { say, user, calls = [] }] of steps.entries()) {
    const said = say === undefined ? [] : [{ type: 'text', text: say }]
    const uses = calls.map(({ tool, input }, c) => ({ type: 'tool_use', id: `toolu_${s}_${c}`, name: tool, input }))
    out.push({ role: 'assistant', content: [...said, ...uses] })
    const results: Message[] = calls.map(({ result, error }, c) => ({
      type: 'tool_result',
      tool_use_id: `toolu_${s}_${c}`,
      content: result,
      ...(error && { is_error: true }),
    }))
    if (user !== undefined) results.push({ type: 'text', text: user })
    if (results.length > 0) out.push({ role: 'user', content: results })
  }
  const last = out.at(-1)!
  if (mark) {
    if (typeof last.content === 'string') last.content = [{ type: 'text', text: last.content }]
    const blocks = last.content as Message[]
    blocks[blocks.length - 1] = { ...blocks.at(-1)!, cache_control: { type: 'ephemeral' } }
  }
  return out
}

export function responses(steps: readonly Step[], start = 'Fix the bug'): Message[] {
  const items: Message[] = [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: start }] }]
  for (const [s, { say, user, calls = [] }] of steps.entries()) {
    items.push({ type: 'reasoning', id: `rs_${s}`, summary: [], encrypted_content: 'gAAAA' })
    if (say !== undefined) items.push({ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: say }] })
    for (const [c, { tool, input }] of calls.entries())
      items.push({ type: 'function_call', call_id: `call_${s}_${c}`, name: tool, arguments: JSON.stringify(input) })
    for (const [c, { result }] of calls.entries()) items.push({ type: 'function_call_output', call_id: `call_${s}_${c}`, output: result })
    if (user !== undefined) items.push({ type: 'message', role: 'user', content: user })
  }
  return items
}

export function gemini(steps: readonly Step[], start = 'Fix the bug'): Message[] {
  const contents: Message[] = [{ role: 'user', parts: [{ text: start }] }]
  for (const { say, user, calls = [] } of steps) {
    const parts: Message[] = say === undefined ? [] : [{ text: say }]
    for (const { tool, input } of calls) parts.push({ functionCall: { name: tool, args: input } })
    contents.push({ role: 'model', parts })
    const back: Message[] = calls.map(({ tool, result }) => ({ functionResponse: { name: tool, response: { output: result } } }))
    if (user !== undefined) back.push({ text: user })
    if (back.length > 0) contents.push({ role: 'user', parts: back })
  }
  return contents
}

/** Texts of tool results in the messages that were sent, in order. */
export function resultsOf(sent: unknown): string[] {
  const body = sent as { messages?: Message[]; input?: Message[]; contents?: Message[] }
  const texts: string[] = []
  for (const message of body.messages ?? body.input ?? body.contents ?? []) {
    if (message.role === 'tool') texts.push(String(message.content))
    if (message.type === 'function_call_output') texts.push(String(message.output))
    const blocks = (message.content ?? message.parts) as Message[] | string | undefined
    if (!Array.isArray(blocks)) continue
    for (const block of blocks) {
      if (block.type === 'tool_result') texts.push(typeof block.content === 'string' ? block.content : JSON.stringify(block.content))
      const response = (block.functionResponse as { response?: Record<string, unknown> } | undefined)?.response
      if (response) texts.push(String(Object.values(response)[0]))
    }
  }
  return texts
}

const kits: PluginKit[] = []
afterEach(async () => {
  for (const kit of kits.splice(0)) expect(await kit.close()).toBe(true)
})

/** What the slot said of the last exchange. */
export const told: { trim: TrimValue | undefined } = { trim: undefined }
const listener = definePlugin({
  api: 1,
  name: 'listener',
  summary: 'Keeps what was trimmed',
  wants: [Trim],
  failure: 'closed',
  setup: () => ({
    settle(x) {
      told.trim = x.peek(Trim)
    },
  }),
})

export async function kitOf(config: object = {}, options: TestPluginOptions = {}): Promise<PluginKit> {
  const kit = await testPlugin(toolTrim, { with: { control_share: 0, ...config }, above: [listener], ...options })
  kits.push(kit)
  return kit
}

/** Sends the messages of a Chat conversation as one session's request. */
export async function send(
  kit: PluginKit,
  list: readonly object[],
  session: Partial<SessionValue> = {},
  more: object = {},
): Promise<Result> {
  const r = await kit.chat({ messages: list, ...more }, { slots: [[Session, { id: 'ses_1', turn: 1, ...session }]] })
  expect(r.status).toBe(200)
  return r
}

/** What the upstream was sent, as text. */
export const sentBy = (r: Result): string => Buffer.from(r.sent[0]!.body).toString()
/** The messages in it, each as JSON text. */
export const sentMessages = (r: Result): string[] =>
  ((r.sent[0]!.json as { messages: unknown[] }).messages ?? []).map((m) => JSON.stringify(m))
