/**
 * A recorded session as the Messages requests that its agent would have sent: the same bytes again with every turn, and new ones behind them.
 *
 * No cache marks: that is for the gateway. Pieces are made once per session, so that a request is a concatenation.
 */

import type { RecordedBlock, RecordedMessage, Trajectory } from './trajectories.ts'

/** One content block of the conversation, as JSON text. */
interface Piece {
  readonly role: 'user' | 'assistant'
  readonly json: string
  /** Index of the recorded message that it comes from. */
  readonly from: number
}

export interface SessionBodies {
  /** The body of the call whose request was the first `n` recorded messages. */
  body(n: number): string
}

/** Tokens that the first bill of sessions without a recorded system prompt implies, at the median. */
const unrecordedSystem = 9500

export function sessionBodies(trajectory: Trajectory, model: string): SessionBodies {
  const { messages } = trajectory
  let lead = 0
  while (messages[lead]?.role === 'system') lead++
  const system = messages.slice(0, lead).map((message) => JSON.stringify({ type: 'text', text: textOf(message) }))
  // the log leaves the system prompt out: one of the usual length, the same for all sessions of an agent
  if (lead === 0) system.push(JSON.stringify({ type: 'text', text: fillerOf(trajectory.agent) }))
  const pieces: Piece[] = []
  for (let i = lead; i < messages.length; i++)
    for (const json of blocksOf(messages[i]!)) pieces.push({ role: roleOf(messages[i]!), json, from: i })
  const head = `{"model":${JSON.stringify(model)},"max_tokens":8192,"system":[${system.join(',')}],"messages":[`
  return {
    body(n) {
      let text = head
      let role = ''
      for (const piece of pieces) {
        if (piece.from >= n) break
        if (piece.role === role) text += `,${piece.json}`
        else text += `${role === '' ? '' : ']},'}{"role":"${piece.role}","content":[${piece.json}`
        role = piece.role
      }
      return `${text}${role === '' ? '' : ']}'}]}`
    },
  }
}

const roleOf = (message: RecordedMessage) => (message.role === 'assistant' ? 'assistant' : 'user')

function blocksOf(message: RecordedMessage): string[] {
  if (message.role === 'tool') {
    const content = typeof message.content === 'string' ? message.content : (message.content ?? []).map(blockOf)
    return [JSON.stringify({ type: 'tool_result', tool_use_id: message.tool_call_id, content })]
  }
  const blocks: string[] = []
  if (typeof message.content === 'string') {
    if (message.content !== '') blocks.push(JSON.stringify({ type: 'text', text: message.content }))
  } else for (const block of message.content ?? []) blocks.push(JSON.stringify(blockOf(block)))
  for (const call of message.tool_calls ?? []) {
    const head = JSON.stringify({ type: 'tool_use', id: call.id, name: call.function.name })
    blocks.push(`${head.slice(0, -1)},"input":${inputOf(call.function.arguments)}}`)
  }
  if (blocks.length === 0) blocks.push(JSON.stringify({ type: 'text', text: '(nothing)' }))
  return blocks
}

/** Arguments stay the text that the model wrote, where that is an object. */
function inputOf(text: string): string {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return text
  } catch {}
  return JSON.stringify({ raw: text })
}

function blockOf(block: RecordedBlock): object {
  if (block.type === 'text') return { type: 'text', text: block.text === '' ? '(nothing)' : (block.text ?? '(nothing)') }
  return { type: 'image', source: { type: 'base64', media_type: 'image/png', data: `picture of ${block.bytes ?? 0} bytes` } }
}

function textOf(message: RecordedMessage): string {
  if (typeof message.content === 'string') return message.content
  return (message.content ?? []).map((block) => block.text ?? '').join('\n')
}

const fillers = new Map<string, string>()

/** Words that say nothing, about as many as a system prompt and its tools have tokens. */
function fillerOf(agent: string): string {
  let text = fillers.get(agent)
  if (text === undefined) {
    text = `You are ${agent}.`
    for (let i = 0; i < unrecordedSystem / 10; i++) text += ` Rule ${i}: do what the user asks for.`
    fillers.set(agent, text)
  }
  return text
}
