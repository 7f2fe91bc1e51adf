/** Builds neutral conversations for tests of the Messages writer, and writes them. */

import { capabilitiesOf } from '../capabilities.ts'
import type { Capabilities } from '../capability.ts'
import type { Content, Conversation, Params, Tool, Turn } from '../conversation.ts'
import { writeJson } from '../json-text.ts'
import { LossReport } from '../loss.ts'
import { ToolNames } from '../tool-names.ts'
import { messagesRequest } from './request.ts'

// biome-ignore lint/suspicious/noExplicitAny: JSON that was just written
export type Loose = any

export interface Written {
  readonly body: Loose
  readonly dropped: readonly string[]
  readonly refusal: LossReport['refusal']
}
export interface Asked {
  readonly turns?: readonly Turn[]
  readonly tools?: readonly Tool[]
  readonly toolChoice?: Conversation['toolChoice']
  readonly parallelCalls?: boolean
  readonly params?: Params
  readonly names?: Conversation['names']
}
export const claude = capabilitiesOf('anthropic-messages', 'api.anthropic.com', 'claude-sonnet-4-6')

export function write(asked: Asked, can: Partial<Capabilities> = {}, maxOutput?: number): Written {
  const report = new LossReport()
  const conversation: Conversation = {
    source: 'openai-chat',
    stream: false,
    turns: [user(text('hi'))],
    tools: [],
    params: {},
    names: {},
    extras: [],
    ...asked,
  }
  const names = new ToolNames(128)
  const target = { model: 'claude', upstream: 'up', can: { ...claude, ...can }, maxOutput, toolName: names.of }
  const body = JSON.parse(writeJson(messagesRequest.write(conversation, target, report)))
  return { body, dropped: report.dropped, refusal: report.refusal }
}
export const text = (value: string, more: object = {}): Content => ({ type: 'text', text: value, ...more })
export const call = (id: string, args = '{}', name = 'f'): Content => ({ type: 'call', id, name, kind: 'function', arguments: args })
export const result = (id: string, ...content: (Content & { type: 'text' | 'media' })[]): Content => ({ type: 'result', id, content })
export const turn = (role: Turn['role'], ...content: Content[]): Turn => ({ role, content })
export const user = (...content: Content[]): Turn => turn('user', ...content)
export const model = (...content: Content[]): Turn => turn('assistant', ...content)
export const tool = (name: string, more: Partial<Tool> = {}): Tool => ({ kind: 'function', name, field: 'tools[0]', ...more })
export const media = (kind: 'image' | 'document' | 'audio', source: object, more: object = {}): Content =>
  ({ type: 'media', kind, source, field: 'messages[0].content[0]', ...more }) as Content
