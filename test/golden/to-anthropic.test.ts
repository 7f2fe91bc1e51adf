/** Golden: every recorded request of every dialect, written as a Messages request, keeps to what that API demands. */

import { describe, expect, test } from 'bun:test'
import { messagesRequest } from '../../src/dialect/anthropic-messages/request.ts'
import { capabilitiesOf } from '../../src/dialect/capabilities.ts'
import type { Dialect } from '../../src/dialect/codec.ts'
import { geminiGenerate } from '../../src/dialect/gemini/index.ts'
import { jsonSource } from '../../src/dialect/json-source.ts'
import { openaiChat } from '../../src/dialect/openai-chat/index.ts'
import { openaiResponses } from '../../src/dialect/openai-responses/index.ts'
import { translateRequest } from '../../src/dialect/translate.ts'
import { hasRecordings, recordings } from './recordings.ts'

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON of unknown shape
type Loose = any

/** What is wrong with a body; empty when nothing is. */
function faults(body: Loose): string[] {
  const wrong: string[] = []
  const ids = new Set<string>()
  let before: Loose
  let calls: string[] = []
  for (const message of body.messages) {
    const blocks: Loose[] = typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : message.content
    if (message.role === before) wrong.push('C08: one speaker twice')
    before = message.role
    if (blocks.length === 0) wrong.push('C23: an empty turn')
    const answered = blocks.filter((block) => block.type === 'tool_result').map((block) => block.tool_use_id)
    const first = blocks.slice(0, calls.length).map((block) => block.tool_use_id)
    if (String(answered) !== String(calls) || String(first) !== String(calls))
      wrong.push('C08: results do not answer the calls before them')
    calls = []
    for (const block of blocks) {
      if (block.type === 'text' && block.text.trim() === '') wrong.push('C23: an empty text')
      if (block.type === 'thinking' || block.type === 'redacted_thinking') wrong.push('D03: a proof that another provider made')
      if (block.type !== 'tool_use') continue
      if (!/^[\w-]+$/.test(block.id) || ids.has(block.id)) wrong.push(`C09: id ${block.id}`)
      if (!/^[\w-]{1,128}$/.test(block.name)) wrong.push(`C15: name ${block.name}`)
      if (typeof block.input !== 'object' || block.input === null || Array.isArray(block.input))
        wrong.push('C07: an input that is no object')
      ids.add(block.id)
      calls.push(block.id)
    }
  }
  if (calls.length > 0) wrong.push('C08: calls without results')
  if (body.tools?.length === 0) wrong.push('C13: no tools')
  if (body.tool_choice && !body.tools) wrong.push('C13: a choice without tools')
  for (const tool of body.tools ?? []) if (tool.input_schema?.type !== 'object') wrong.push(`a schema of no object: ${tool.name}`)
  if (!Number.isInteger(body.max_tokens)) wrong.push('no cap')
  if (body.thinking?.budget_tokens >= body.max_tokens) wrong.push('D04: the budget is no smaller than the cap')
  if (body.temperature > 1) wrong.push('I08: temperature')
  return wrong
}

const dialects: readonly Dialect[] = [openaiChat, openaiResponses, geminiGenerate]

for (const from of dialects) {
  describe.skipIf(!hasRecordings)(`${from.name} to anthropic-messages`, () => {
    for (const model of ['claude-sonnet-4-5', 'claude-opus-5']) {
      test(`each recorded request, for ${model}`, () => {
        const can = capabilitiesOf('anthropic-messages', 'api.anthropic.com', model)
        let written = 0
        for (const { id, request } of recordings(from.name)) {
          const source = jsonSource(Buffer.from(JSON.stringify(request ?? null)))
          if (!source || !from.request) continue
          const { body, report } = translateRequest(source, from.request, messagesRequest, {
            model,
            upstream: 'claude',
            can,
            stream: false,
          })
          if (report.refusal) {
            expect([id, report.refusal.field, report.refusal.message]).not.toContain('')
            continue
          }
          written++
          expect([id, faults(JSON.parse(Buffer.from(body).toString()))]).toEqual([id, []])
        }
        expect(written).toBeGreaterThan(200)
      })
    }
  })
}
