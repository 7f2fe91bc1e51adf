/** Hazards of what a stream means (B, and those of I that are alike) between dialects, over real HTTP. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Spoken } from './dialects.ts'
import {
  block,
  chatStream,
  chatWhole,
  geminiStream,
  geminiWhole,
  messageEnd,
  messageStart,
  messagesStream,
  messagesWhole,
  type Name,
  names,
  othersThan,
  pairs,
  plainReply,
  type Stage,
  speaker,
  startStage,
} from './stage.ts'

setDefaultTimeout(60_000)

let stage: Stage
beforeAll(async () => {
  stage = await startStage()
})
afterAll(() => stage.stop())

const call = (index: number, id: string, name: string, args: string) => ({
  tool_calls: [{ index, id, type: 'function', function: { name, arguments: args } }],
})
const said = ({ told }: { told: { text: string; stop: string; complete: boolean; wrong: readonly string[] } }) => ({
  text: told.text,
  stop: told.stop,
  complete: told.complete,
  wrong: told.wrong,
})
const well = (text: string, stop = 'end') => ({ text, stop, complete: true, wrong: [] })

/** Clients whose stream has an opening of its own, which must stand in it once. */
const openings: Readonly<Record<string, RegExp>> = { messages: /"type":"message_start"/g, responses: /"type":"response.created"/g }

describe('how a stream ends', () => {
  test('B02 a finish reason without [DONE] is an end for all', async () => {
    for (const client of othersThan('chat')) {
      const answer = await stage.ask(client, 'chat', chatStream([{ role: 'assistant', content: 'Hi' }], 'stop', { done: false }))
      expect(said(answer)).toEqual(well('Hi'))
    }
  })

  test('B03 [DONE] without a finish reason is none', async () => {
    for (const client of othersThan('chat')) {
      const answer = await stage.ask(client, 'chat', chatStream([{ role: 'assistant', content: 'Hi' }], null))
      expect(answer.told.complete).toBe(false)
      expect(answer.told.error).toBeString()
    }
  })

  test('B03 but for models that are known never to say one', async () => {
    const quiet = await startStage((config) => {
      config.upstreams.chat.capabilities = { finish_missing: true }
    })
    try {
      const tool = chatStream([{ role: 'assistant', ...call(0, 'call_1', 'look', '{}') }], null)
      for (const client of othersThan('chat')) {
        expect(said(await quiet.ask(client, 'chat', chatStream([{ role: 'assistant', content: 'Hi' }], null)))).toEqual(well('Hi'))
        expect(said(await quiet.ask(client, 'chat', tool))).toEqual(well('', 'tool_calls'))
        const cut = await quiet.ask(client, 'chat', chatStream([{ role: 'assistant', content: 'Hi' }], null, { done: false }))
        expect(cut.told.complete).toBe(false)
      }
      // its own clients get what it says
      const native = await quiet.ask(speaker('chat'), 'chat', chatStream([{ role: 'assistant', content: 'Hi' }], null))
      expect(native.body).toEndWith('data: [DONE]\n\n')
      expect((await quiet.gateway.outcome(native.headers.get('x-request-id')!)).end).toBe('finished')
    } finally {
      await quiet.stop()
    }
  })

  test('B01 I07 an end without its word is an error for all: reset, FIN, and a body that looks complete', async () => {
    for (const { client, upstream } of pairs) {
      const text = plainReply[upstream].stream
      const cut = text.slice(0, text.indexOf('there') - 2)
      const whole = cut.slice(0, cut.replaceAll('\r\n', '\n\n').lastIndexOf('\n\n') < 0 ? 0 : cut.lastIndexOf('data:'))
      for (const ending of ['complete', 'eof', 'reset'] as const) {
        const answer = await stage
          .ask(client, upstream, whole, { delivery: { ending } })
          .catch((error: unknown) => ({ broken: String(error) }))
        if ('broken' in answer) throw new Error(`${client.name} ${upstream} ${ending}: ${answer.broken}`)
        expect(answer.told.complete).toBe(false)
        expect(answer.told.error).toBeString()
        expect(answer.body).not.toContain('[DONE]')
        expect(answer.body).not.toContain('message_stop')
        expect(answer.body).not.toContain('response.completed')
        expect(answer.body).not.toContain('finishReason')
        expect((await stage.gateway.outcome(answer.headers.get('x-request-id')!)).end).toBe('failed')
      }
    }
  })

  test('B04 calls and the word stop: tools are wanted all the same', async () => {
    for (const client of othersThan('chat')) {
      const stream = await stage.ask(client, 'chat', chatStream([{ role: 'assistant', ...call(0, 'call_1', 'look', '{}') }], 'stop'))
      expect(said(stream)).toEqual(well('', 'tool_calls'))
      const tool_calls = call(0, 'call_1', 'look', '{}').tool_calls
      expect(said(await stage.ask(client, 'chat', chatWhole({ tool_calls }, 'stop')))).toEqual(well('', 'tool_calls'))
    }
    for (const client of othersThan('gemini')) {
      const parts = [{ functionCall: { name: 'look', args: {} } }]
      expect(said(await stage.ask(client, 'gemini', geminiWhole(parts)))).toEqual(well('', 'tool_calls'))
      // the call comes before the last chunk
      expect(said(await stage.ask(client, 'gemini', geminiStream([parts, [{ text: '' }]])))).toEqual(well('', 'tool_calls'))
    }
  })

  test('C20 a call that the model could not finish is an error, not an empty answer', async () => {
    for (const client of othersThan('gemini')) {
      for (const finish of ['MALFORMED_FUNCTION_CALL', 'UNEXPECTED_TOOL_CALL']) {
        const whole = await stage.ask(client, 'gemini', geminiWhole([], finish))
        expect(whole.status).toBe(502)
        expect(whole.told.error).toContain(finish)
        const stream = await stage.ask(client, 'gemini', geminiStream([[{ text: 'Let me' }], []], finish))
        expect(stream.told.complete).toBe(false)
        expect(stream.told.error).toContain(finish)
      }
    }
  })

  test('I06 a stop reason of the future is an end', async () => {
    for (const client of othersThan('messages')) {
      const text = [{ type: 'text', text: 'Hi' }]
      expect(said(await stage.ask(client, 'messages', messagesWhole(text, 'bored')))).toEqual(well('Hi'))
      expect(said(await stage.ask(client, 'messages', messagesWhole(text, 'model_context_window_exceeded')))).toEqual(well('Hi', 'length'))
    }
    for (const client of othersThan('gemini'))
      expect(said(await stage.ask(client, 'gemini', geminiWhole([{ text: 'Hi' }], 'BORED')))).toEqual(well('Hi'))
    for (const client of othersThan('chat'))
      expect(said(await stage.ask(client, 'chat', chatWhole({ content: 'Hi' }, 'bored')))).toEqual(well('Hi'))
  })

  test('a filter that let nothing through says so', async () => {
    for (const client of othersThan('gemini')) {
      const { told } = await stage.ask(client, 'gemini', { promptFeedback: { blockReason: 'SAFETY' }, modelVersion: 'm', responseId: 'r' })
      expect({ client: client.name, stop: told.stop, complete: told.complete }).toEqual({
        client: client.name,
        stop: 'filter',
        complete: true,
      })
    }
  })
})

describe('what stands in a stream', () => {
  test('B05 B06 thoughts, texts and calls between each other: blocks one by one', async () => {
    const deltas = [
      { role: 'assistant', reasoning_content: 'Hm' },
      { content: 'I' },
      { reasoning_content: 'm.' },
      call(0, 'call_1', 'look', '{"a"'),
      { content: ' look' },
      { tool_calls: [{ index: 0, function: { arguments: ':1}' } }] },
      { reasoning_content: ' Yes.' },
    ]
    for (const client of othersThan('chat')) {
      const { told } = await stage.ask(client, 'chat', chatStream(deltas, 'tool_calls'))
      expect(told.wrong).toEqual([])
      expect({ text: told.text, reasoning: told.reasoning.replace(/\s/g, ''), calls: told.calls.map((c) => c.args) }).toEqual({
        text: 'I look',
        reasoning: 'Hmm.Yes.',
        calls: [{ a: 1 }],
      })
    }
  })

  test('B18 chunks without choices, and first chunks of Azure without id and model', async () => {
    const filter = 'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}\n\n'
    for (const client of othersThan('chat')) {
      const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
      const answer = await stage.ask(client, 'chat', filter + chatStream([{ role: 'assistant', content: 'Hi' }], 'stop', { usage }))
      expect(said(answer)).toEqual(well('Hi'))
      expect(answer.told.usage).toMatchObject({ input: 3, output: 2 })
    }
  })

  test('B19 B20 Chat clients get usage if they ask for it, from every upstream, and else none', async () => {
    const chat = speaker('chat')
    const usage = '"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5},"error":null'
    const streams = {
      messages: plainReply.messages.stream,
      responses: plainReply.responses.stream.replaceAll('"error":null', usage),
      gemini: geminiStream([[{ text: 'Hi' }]], 'STOP', { promptTokenCount: 3, candidatesTokenCount: 2, totalTokenCount: 5 }),
    }
    for (const [upstream, stream] of Object.entries(streams) as [Name, string][]) {
      const asked = await stage.ask(chat, upstream, stream)
      expect(`${upstream} ${(asked.body.match(/"choices":\[\]/g) ?? []).length}`).toBe(`${upstream} 1`)
      expect(asked.told.usage?.input).toBe(3)
      const silent = await stage.ask(chat, upstream, stream, { add: { stream_options: { include_usage: false } } })
      expect(silent.body).not.toContain('"choices":[]')
      expect(silent.told.complete).toBe(true)
    }
  })

  test('B21 a finish said twice is one, and usage said twice is not two', async () => {
    const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
    const head = { id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm' }
    const again = `data: ${JSON.stringify({ ...head, choices: [{ index: 0, delta: { content: '' }, finish_reason: 'stop' }], usage })}\n\n`
    const text = chatStream([{ role: 'assistant', content: 'Hi' }], 'stop', { done: false, usage })
    for (const client of othersThan('chat')) {
      const answer = await stage.ask(client, 'chat', `${text}${again}data: [DONE]\n\n`)
      expect(said(answer)).toEqual(well('Hi'))
      expect(answer.told.usage).toMatchObject({ input: 3, output: 2 })
    }
  })

  test('B22 a message that is whole at its start, and a second one behind it', async () => {
    const full = messageStart(
      { input_tokens: 3, output_tokens: 2 },
      { content: [{ type: 'text', text: 'All of it' }], stop_reason: 'end_turn' },
    )
    const second = [
      messageStart(),
      ...block(0, { type: 'text', text: '' }, { type: 'text_delta', text: 'One' }),
      messageStart({}, { id: 'msg_2' }),
      ...messageEnd(),
    ]
    for (const client of othersThan('messages')) {
      expect(said(await stage.ask(client, 'messages', messagesStream([full, { type: 'message_stop' }])))).toEqual(well('All of it'))
      const two = await stage.ask(client, 'messages', messagesStream(second))
      expect(two.told.complete).toBe(false)
      expect(two.told.error).toBeString()
    }
  })

  test('D01 a signature of Claude comes whole to each client that has a place for it, and never as text', async () => {
    const stream = messagesStream([
      messageStart(),
      ...block(
        0,
        { type: 'thinking', thinking: '', signature: '' },
        { type: 'thinking_delta', thinking: 'Hm.' },
        { type: 'signature_delta', signature: 'S1g/+==' },
      ),
      ...block(1, { type: 'redacted_thinking', data: 'H1d/+==' }),
      ...block(2, { type: 'text', text: '' }, { type: 'text_delta', text: 'Hi' }),
      ...messageEnd(),
    ])
    for (const client of othersThan('messages')) {
      const answer = await stage.ask(client, 'messages', stream)
      expect(said(answer)).toEqual(well('Hi'))
      expect(answer.told.reasoning).toBe('Hm.')
      for (const proof of ['S1g/+==', 'H1d/+==']) {
        const tagged = `hg1.anthropic-messages.messages.${proof}`
        // Google's signatures are base64
        expect(answer.body).toContain(client.name === 'gemini' ? Buffer.from(tagged).toString('base64') : tagged)
      }
    }
  })
})

describe('an upstream that fails, and another one', () => {
  /** Goes to a second upstream when the first one fails. */
  const fallback = `
import { definePlugin } from 'headgate/plugin'
export default definePlugin({
  api: 1, name: 'fallback', summary: 'Calls a second upstream', failure: 'open',
  setup: () => ({
    async around(x, next) {
      const first = await next()
      const [upstream, model] = (x.headers.get('x-second') ?? '').split(' ')
      if (first.ok || !model) return first
      x.setTarget({ upstream, model })
      x.request.setModel(model)
      return await next()
    },
  }),
})`
  let two: Stage
  beforeAll(async () => {
    two = await startStage((config) => config.plugins.push({ use: './fallback.ts' }), { 'fallback.ts': fallback })
  })
  afterAll(() => two.stop())

  const busy = { type: 'error', error: { type: 'overloaded_error', message: 'Too busy.' } }
  const busyStream = (opening: readonly object[]) => messagesStream([...(opening as { type: string }[]), busy])
  const replay = (body: string) => ({
    status: 200,
    headers: { 'content-type': 'text/event-stream' },
    body: Buffer.from(body),
    stream: true,
  })

  test('B07 B10 B11 before content the second one answers, as if it had been the first', async () => {
    for (const client of [...othersThan('messages'), speaker('messages')]) {
      for (const second of names) {
        for (const opening of [[], [messageStart()]]) {
          const id = two.replay.addReply(replay(plainReply[second].stream))
          const headers = { 'x-second': `${second} replay-${id}` }
          const answer = await two.ask(client, 'messages', busyStream(opening), { headers })
          expect({ client: client.name, second, ...said(answer) }).toEqual({ client: client.name, second, ...well('Hi there') })
          const pattern = openings[client.name]
          if (pattern) expect(answer.body.match(pattern)).toHaveLength(1)
          expect(two.replay.requestsFor(id)).toHaveLength(1)
          // B13: the same request, in the words of the second one
          const again = Buffer.from(two.replay.requestsFor(id)[0]!.body).toString()
          expect(again).toContain('Hello')
          expect(again).not.toMatch(/Too busy|"role":"(assistant|model)"|continue/i)
          const outcome = await two.gateway.outcome(answer.headers.get('x-request-id')!)
          expect(outcome.attempts.map((attempt) => attempt.failure ?? 'none')).toEqual(['error_in_reply', 'none'])
        }
      }
    }
  })

  test('B11 a connection that is refused is seen before anything is sent', async () => {
    const down = await startStage(
      (config) => {
        config.upstreams.messages.base_url = 'http://127.0.0.1:1'
        config.plugins.push({ use: './fallback.ts' })
      },
      { 'fallback.ts': fallback },
    )
    try {
      const id = down.replay.addReply(replay(plainReply.gemini.stream))
      const answer = await down.ask(speaker('chat'), 'messages', plainReply.messages.stream, {
        headers: { 'x-second': `gemini replay-${id}` },
      })
      expect(said(answer)).toEqual(well('Hi there'))
    } finally {
      await down.stop()
    }
  })

  test('B09 B13 after content nobody begins anew', async () => {
    const begun = [messageStart(), ...block(0, { type: 'text', text: '' }, { type: 'text_delta', text: 'Half' }).slice(0, 2)]
    for (const client of othersThan('messages')) {
      const id = two.replay.addReply(replay(plainReply.chat.stream))
      const answer = await two.ask(client, 'messages', busyStream(begun), { headers: { 'x-second': `chat replay-${id}` } })
      expect(answer.told.error).toContain('Too busy.')
      expect(answer.told.complete).toBe(false)
      expect(answer.body).toContain('Half')
      expect(answer.body).not.toContain('there')
      expect(two.replay.requestsFor(id)).toHaveLength(0)
    }
  })

  test('what the first upstream could not be told is not said of the second', async () => {
    const chat = speaker('chat')
    const id = two.replay.addReply({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(plainReply.chat.whole)),
      stream: false,
    })
    const answer = await two.ask(chat, 'messages', busy, { status: 529, add: { seed: 4 }, headers: { 'x-second': `chat replay-${id}` } })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-gateway-dropped')).toBeNull()
    expect(JSON.parse(Buffer.from(two.replay.requestsFor(id)[0]!.body).toString()).seed).toBe(4)
  })
})

describe('B14 B15 a stream for Responses clients, from every upstream', () => {
  test('has each event once, in order, numbered, and all again at its end', async () => {
    const client: Spoken = speaker('responses')
    for (const upstream of ['chat', 'messages', 'gemini'] as const) {
      const { body, told } = await stage.ask(client, upstream, plainReply[upstream].stream)
      expect(told.wrong).toEqual([])
      expect(body.match(openings.responses!)).toHaveLength(1)
      const events = [...body.matchAll(/^event: (.+)$/gm)].map((match) => match[1])
      expect(events.filter((name) => name !== 'response.output_text.delta')).toEqual([
        'response.created',
        'response.in_progress',
        'response.output_item.added',
        'response.content_part.added',
        'response.output_text.done',
        'response.content_part.done',
        'response.output_item.done',
        'response.completed',
      ])
      const numbers = [...body.matchAll(/"sequence_number":(\d+)/g)].map((match) => Number(match[1]))
      expect(numbers).toEqual(numbers.map((_, i) => i))
    }
  })
})
