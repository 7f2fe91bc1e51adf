/** Hazards of tools and results that a client sends (C) between dialects, over real HTTP: what upstreams get. What clients are told: `hazards-c.test.ts`. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import {
  chatWhole,
  geminiWhole,
  type Loose,
  messagesWhole,
  othersThan,
  pairs,
  plainReply,
  responsesWhole,
  type Stage,
  speaker,
  startStage,
} from './stage.ts'
import { history, schema, sentResults, sentTools, toolsOf } from './tools-of.ts'

setDefaultTimeout(60_000)

let stage: Stage
beforeAll(async () => {
  stage = await startStage()
})
afterAll(() => stage.stop())

describe('results of the client', () => {
  test('C08 C11 results in messages of their own and out of order: one turn, in the order of the calls, text behind', async () => {
    for (const { client, upstream } of pairs) {
      const made = [1, 2, 3].map((i) => ({ id: `call_${i}`, name: 'look', args: `{"z":"${i}"}`, result: `R${i}`, error: i === 2 }))
      const { sent, status, body } = await stage.ask(client, upstream, plainReply[upstream].whole, {
        add: { ...toolsOf(client, ['look']), ...history(client, made) },
      })
      expect(`${status} ${status === 200 ? '' : body}`).toBe('200 ')
      const { ids, resultIds, texts, adjacent } = sentResults(upstream, sent[0])
      expect(new Set(ids).size).toBe(upstream === 'gemini' && ids[0] === 'look' ? 1 : 3)
      expect(resultIds).toEqual(ids)
      expect(texts.map((text, i) => text.includes(`R${i + 1}`))).toEqual([true, true, true])
      expect(adjacent).toBe(true)
      // C11: that it failed reaches the upstream
      if (client.name === 'messages') expect(texts[1]).toMatch(/fail|error/i)
      const whole = JSON.stringify(sent[0])
      expect(whole.lastIndexOf('And now?')).toBeGreaterThan(whole.lastIndexOf('R3'))
    }
  })

  test('C08 a call without a result gets one, and a result without a call is a clear 400', async () => {
    for (const { client, upstream } of pairs) {
      if (client.name === 'gemini') continue // there results are counted, and stand beside each other
      const made = [1, 2].map((i) => ({ id: `call_${i}`, name: 'look', args: '{}', result: `R${i}` }))
      const full = history(client, made)
      const list: Loose[] = full.messages ?? full.input
      const isFirst = (m: Loose) => JSON.stringify(m).includes('"R1"')
      const without = { ...full, [full.messages ? 'messages' : 'input']: list.filter((m) => !isFirst(m)) }
      const missing = await stage.ask(client, upstream, plainReply[upstream].whole, { add: { ...toolsOf(client, ['look']), ...without } })
      expect(missing.status).toBe(200)
      const { ids, resultIds } = sentResults(upstream, missing.sent[0])
      expect(resultIds).toEqual(ids)
      const orphan = {
        ...full,
        [full.messages ? 'messages' : 'input']: list.filter((m) => !JSON.stringify(m).match(/tool_calls|"function_call"|"tool_use"/)),
      }
      const refused = await stage.ask(client, upstream, plainReply[upstream].whole, { add: { ...toolsOf(client, ['look']), ...orphan } })
      expect(refused.status).toBe(400)
      expect(refused.told.error).toContain('call_')
      expect(refused.sent).toHaveLength(0)
    }
  })

  test('C10 H19 a picture in a result is seen, by its own bytes and not by the name it came with', async () => {
    const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
    const client = speaker('messages')
    const result = [
      { type: 'text', text: 'A picture' },
      { type: 'image', source: { type: 'base64', media_type: 'image/jpg', data: png } },
    ]
    for (const upstream of ['chat', 'responses', 'gemini'] as const) {
      const { sent, status, body } = await stage.ask(client, upstream, plainReply[upstream].whole, {
        add: { ...toolsOf(client, ['look']), ...history(client, [{ id: 'toolu_1', name: 'look', args: '{}', result }]) },
      })
      expect(`${status} ${status === 200 ? '' : body}`).toBe('200 ')
      const text = JSON.stringify(sent[0])
      expect(text).toContain(png)
      expect(text).toContain('image/png')
      expect(text).not.toContain('image/jp')
    }
  })

  test('C17 a result that speaks of $ref is data', async () => {
    for (const client of othersThan('gemini')) {
      const { sent, status } = await stage.ask(client, 'gemini', plainReply.gemini.whole, {
        add: {
          ...toolsOf(client, ['look']),
          ...history(client, [{ id: 'call_1', name: 'look', args: '{}', result: '{"$ref":"#/nowhere"}' }]),
        },
      })
      expect(status).toBe(200)
      const { functionResponse } = sent[0].contents.flatMap((c: Loose) => c.parts).find((p: Loose) => p.functionResponse)
      expect(functionResponse.response).not.toHaveProperty('$ref')
    }
  })

  test('C23 C27 empty texts and nulls beside calls are neither sent to Claude nor in the way', async () => {
    const chat = speaker('chat')
    const tool_calls = [{ id: 'call_1', type: 'function', function: { name: 'look', arguments: '{}' } }]
    for (const content of ['', null, [{ type: 'text', text: '' }]]) {
      for (const upstream of ['messages', 'gemini', 'responses'] as const) {
        const { sent, status } = await stage.ask(chat, upstream, plainReply[upstream].whole, {
          add: {
            ...toolsOf(chat, ['look']),
            messages: [
              { role: 'user', content: 'Look.' },
              { role: 'assistant', content, tool_calls },
              { role: 'tool', tool_call_id: 'call_1', content: 'R' },
              { role: 'assistant', content: 'Seen.', tool_calls: null },
              { role: 'user', content: 'And now?' },
            ],
          },
        })
        expect(status).toBe(200)
        expect(JSON.stringify(sent[0])).not.toContain('"text":""')
      }
    }
  })

  test('C24 lists of parts in each role arrive in full', async () => {
    const chat = speaker('chat')
    const two = (a: string, b: string) => [
      { type: 'text', text: a },
      { type: 'text', text: b },
    ]
    const tool_calls = [{ id: 'call_1', type: 'function', function: { name: 'look', arguments: '{}' } }]
    const messages = [
      { role: 'system', content: two('s-one', 's-two') },
      { role: 'user', content: two('u-one', 'u-two') },
      { role: 'assistant', content: two('a-one', 'a-two'), tool_calls },
      { role: 'tool', tool_call_id: 'call_1', content: two('t-one', 't-two') },
    ]
    for (const upstream of ['messages', 'gemini', 'responses'] as const) {
      const { sent } = await stage.ask(chat, upstream, plainReply[upstream].whole, { add: { ...toolsOf(chat, ['look']), messages } })
      const text = JSON.stringify(sent[0])
      for (const who of ['s', 'u', 'a', 't']) for (const which of ['one', 'two']) expect(text).toContain(`${who}-${which}`)
    }
  })
})

describe('tools and their choice', () => {
  test('C12 C13 a choice without tools, or of a tool that went, is no choice', async () => {
    const none: Readonly<Record<string, Loose>> = {
      chat: { tool_choice: 'auto', tools: [] },
      responses: { tool_choice: 'auto', tools: [] },
      messages: { tool_choice: { type: 'auto' }, tools: [] },
      gemini: { toolConfig: { functionCallingConfig: { mode: 'AUTO' } }, tools: [] },
    }
    for (const { client, upstream } of pairs) {
      const { sent, status, body } = await stage.ask(client, upstream, plainReply[upstream].whole, { add: none[client.name]! })
      expect(`${status} ${status === 200 ? '' : body}`).toBe('200 ')
      for (const member of ['tools', 'tool_choice', 'toolConfig']) expect(sent[0]).not.toHaveProperty(member)
    }
    const client = speaker('messages')
    const hosted = { ...toolsOf(client, ['look']), tool_choice: { type: 'tool', name: 'web_search' } }
    hosted.tools.push({ type: 'web_search_20250305', name: 'web_search' })
    for (const upstream of ['chat', 'responses', 'gemini'] as const) {
      const { sent, status } = await stage.ask(client, upstream, plainReply[upstream].whole, { add: hosted })
      if (status === 200) expect(JSON.stringify(sent[0])).not.toContain('web_search')
      else expect(status).toBe(400)
    }
  })

  test('C14 a tool that must be called must be called everywhere', async () => {
    const must: Readonly<Record<string, Loose>> = {
      chat: { tool_choice: 'required' },
      responses: { tool_choice: 'required' },
      messages: { tool_choice: { type: 'any' } },
      gemini: { toolConfig: { functionCallingConfig: { mode: 'ANY' } } },
    }
    for (const { client, upstream } of pairs) {
      const { sent } = await stage.ask(client, upstream, plainReply[upstream].whole, {
        add: { ...toolsOf(client, ['look']), ...must[client.name]! },
      })
      const { tool_choice, toolConfig } = sent[0]
      const got = {
        chat: tool_choice,
        responses: tool_choice,
        messages: tool_choice?.type,
        gemini: toolConfig?.functionCallingConfig?.mode,
      }[upstream]
      expect(`${client.name} ${upstream} ${got}`).toBe(
        `${client.name} ${upstream} ${{ chat: 'required', responses: 'required', messages: 'any', gemini: 'ANY' }[upstream]}`,
      )
    }
  })

  test('C15 long names have an alias upstream, and their own towards the client, in history too', async () => {
    const long = `mcp__server_with_a_long_name__${'tool_'.repeat(12)}end`
    for (const { client, upstream } of pairs) {
      if (client.name === 'gemini' && upstream === 'messages') continue // both take more than 64
      const add = { ...toolsOf(client, [long]), ...history(client, [{ id: 'call_1', name: long, args: '{}', result: 'R' }]) }
      const first = await stage.ask(client, upstream, plainReply[upstream].whole, { add })
      const alias = sentTools(upstream, first.sent[0])[0]!.name
      expect(alias.length).toBeLessThanOrEqual(upstream === 'messages' ? 128 : 64)
      const inHistory = JSON.stringify(first.sent[0]).split(`"${alias}"`).length - 1
      expect(inHistory).toBeGreaterThanOrEqual(2)
      if (alias !== long) expect(JSON.stringify(first.sent[0])).not.toContain(long)
      const reply = {
        chat: chatWhole({ tool_calls: [{ id: 'c_1', type: 'function', function: { name: alias, arguments: '{}' } }] }, 'tool_calls'),
        responses: responsesWhole([
          { type: 'function_call', id: 'fc_1', call_id: 'c_1', name: alias, arguments: '{}', status: 'completed' },
        ]),
        messages: messagesWhole([{ type: 'tool_use', id: 'toolu_1', name: alias, input: {} }], 'tool_use'),
        gemini: geminiWhole([{ functionCall: { name: alias, args: {} } }]),
      }[upstream]
      const second = await stage.ask(client, upstream, reply, { add })
      expect(second.told.calls.map((c) => c.name)).toEqual([long])
    }
  })

  test('C16 C22 I10 schemas keep their words and the order of their properties', async () => {
    const rich = {
      $schema: 'http://json-schema.org/draft-07/schema#',
      type: 'object',
      properties: {
        zeta: { $ref: '#/$defs/Z' },
        alpha: { anyOf: [{ type: 'string' }, { type: 'null' }] },
        mid: { const: 'x' },
        n: { type: ['integer', 'null'], minimum: 0 },
      },
      required: ['zeta'],
      additionalProperties: false,
      $defs: { Z: { type: 'object', properties: { b: { type: 'string' }, a: { type: 'string' } } } },
    }
    for (const { client, upstream } of pairs) {
      const { sent } = await stage.ask(client, upstream, plainReply[upstream].whole, { add: toolsOf(client, ['look', rich]) })
      const [tool] = sentTools(upstream, sent[0])
      expect(Object.keys(tool!.schema.properties)).toEqual(['zeta', 'alpha', 'mid', 'n'])
      expect(tool!.schema).toEqual(rich)
    }
    const chat = speaker('chat')
    const strict = { tools: [{ type: 'function', function: { name: 'look', parameters: schema, strict: true } }] }
    expect((await stage.ask(chat, 'responses', plainReply.responses.whole, { add: strict })).sent[0].tools[0].strict).toBe(true)
    expect(
      (
        await stage.ask(speaker('responses'), 'chat', plainReply.chat.whole, {
          add: { tools: [{ type: 'function', name: 'look', parameters: schema, strict: true }] },
        })
      ).sent[0].tools[0].function,
    ).toMatchObject({ name: 'look' })
  })
})
