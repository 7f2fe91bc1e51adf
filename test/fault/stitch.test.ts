/**
 * Streams that die after their first content and go on with another model: the client's own SDK reads one stream, with one beginning, one end, one text.
 *
 * Real sockets. Every client's API, broken upstreams of the same and of another API, continued by either.
 */

import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { BadUpstream, Misbehaviour } from '../support/bad-upstream.ts'
import { sampleText } from '../support/sample-replies.ts'
import { type Asked, asked, isOneStream, newer, older, type Stand, startStand } from './stitched.fixture.ts'

setDefaultTimeout(30_000)

let stand: Stand
let sick: BadUpstream
let well: BadUpstream
const rows: string[] = []

beforeAll(async () => {
  stand = await startStand()
  ;({ sick, well } = stand)
})
afterAll(async () => {
  await stand.stop()
  console.log(rows.sort().join('\n'))
})

const breaks: readonly (readonly [string, Misbehaviour, string])[] = [
  ['cut', { do: 'cut-after-content', by: 'eof' }, 'reset'],
  ['cut inside a frame', { do: 'cut-after-content', by: 'reset', halfFrame: true }, 'reset'],
  ['ended without its end', { do: 'cut-after-content', by: 'complete' }, 'truncated'],
  ['an error frame', { do: 'error-after-content' }, 'error_in_reply'],
  ['silence', { do: 'hang-mid-stream' }, 'idle_timeout'],
]

describe('every client, on every pair of upstreams', () => {
  for (const api of ['chat', 'messages', 'responses'] as const) {
    for (const from of ['chat', 'messages', 'responses'] as const) {
      for (const to of ['chat', 'messages', 'responses'] as const) {
        test.each(breaks)(`${api} client, ${from} breaks, ${to} goes on: %s`, async (name, how, failure) => {
          // as many frames as hold some of the content, not all
          const frames = from === 'chat' ? 3 : 5
          sick.forModel(`broken-${older}`, how.do === 'hang-mid-stream' ? { ...how, frames } : how)
          const { raw, text, usage, outcome } = await stand.read(api, `${from}-${to}/${older}`)
          const said = text.slice(0, text.length - sampleText.length)
          expect(text).toBe(said + sampleText)
          expect(sampleText.startsWith(said) && said !== '').toBe(true)
          isOneStream(api, raw)
          expect(outcome).toMatchObject({ end: 'finished', streamState: 'completed', upstream: `sick-${from}` })
          expect(outcome.attempts).toMatchObject([
            { upstream: `sick-${from}`, failure },
            { upstream: `well-${to}`, status: 200 },
          ])
          expect(outcome.attempts[1]!.failure).toBeUndefined()
          expect(outcome.served).toBe(outcome.attempts[0]!)
          expect(outcome.continued).toEqual([outcome.attempts[1]!])
          expect(outcome.verdicts).toMatchObject([{ plugin: 'router', did: 'resumed', detail: `well-${to}` }])
          // the tokens of both: those that broke off are counted from their text, as far as nobody said
          const first = Math.max(1, usage.output! - 3)
          expect(usage.output! > 3 && first < 8).toBe(true)
          expect(usage.input).toBe(from === 'messages' ? 22 : 11)
          expect(outcome.usage).toMatchObject({ source: 'partial', outputVisible: usage.output! })
          rows.push(
            `${api.padEnd(9)} ${from.padEnd(9)} → ${to.padEnd(9)} ${name.padEnd(22)} ${JSON.stringify(said)} + ${JSON.stringify(sampleText)}, usage ${usage.input}/${usage.output}`,
          )
        })
      }
    }
  }
})

describe('how the other one is asked', () => {
  beforeEach(() => {
    for (const model of [older, newer]) sick.forModel(`broken-${model}`, { do: 'cut-after-content', by: 'eof' })
  })
  test('Anthropic before 4.6: by prefill, without white space at its end', async () => {
    await stand.read('messages', `messages-messages/${older}`, { thinking: { type: 'enabled', budget_tokens: 1024 } })
    const body = asked(well)
    expect(body.messages).toEqual([
      { role: 'user', content: 'Hello!' },
      { role: 'assistant', content: expect.stringMatching(/^Hello.*\S$/) },
    ])
    expect(body.max_tokens).toBeLessThan(50)
    expect(body.thinking).toBeUndefined()
  })
  test('D06: Anthropic from 4.6 on, Chat and Responses: the text, and a sentence that asks for the rest', async () => {
    for (const [api, to, model] of [
      ['messages', 'messages', newer],
      ['chat', 'chat', older],
      ['chat', 'messages', newer],
      ['responses', 'responses', older],
    ] as const) {
      await stand.read(api, `${api}-${to}/${model}`)
      const body = asked(well)
      const list = (body.messages ?? body.input) as Asked['messages']
      expect([to, list.map((one) => one.role)]).toEqual([to, ['user', 'assistant', 'user']])
      expect(JSON.stringify(list[2])).toContain('Continue it exactly where it stops')
      expect(JSON.stringify(list[1])).toContain('Hello')
    }
  })
  test('a Chat client on Claude before 4.6: by prefill', async () => {
    await stand.read('chat', `chat-messages/${older}`)
    expect(asked(well).messages.map((m) => m.role)).toEqual(['user', 'assistant'])
  })
  test("the client's own prefill is gone on with", async () => {
    const messages = [
      { role: 'user', content: 'Greet' },
      { role: 'assistant', content: 'I say: ' },
    ]
    await stand.read('messages', `messages-messages/${older}`, { messages })
    expect(asked(well).messages).toEqual([messages[0]!, { role: 'assistant', content: expect.stringMatching(/^I say: Hello/) }])
  })
  test('no member of the client is lost', async () => {
    const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }]
    await stand.read('chat', `chat-chat/${older}`, { tools, temperature: 0.5, seed: 7, max_tokens: 50 })
    expect(asked(well)).toMatchObject({ tools, temperature: 0.5, seed: 7, model: older, stream: true })
  })
})

describe('twice', () => {
  test('the second one breaks off, too: the third goes on with both texts', async () => {
    sick.forModel(`broken-${older}`, { do: 'cut-after-content', by: 'eof' })
    sick.forModel(`again-${older}`, { do: 'cut-after-content', by: 'eof' })
    const { text, raw, outcome } = await stand.read('chat', `twice/${older}`)
    isOneStream('chat', raw)
    expect(outcome.attempts.map((a) => a.upstream)).toEqual(['sick-chat', 'sick-messages', 'well-chat'])
    expect(outcome.continued).toEqual(outcome.attempts.slice(1))
    expect(text.endsWith(sampleText)).toBe(true)
    const body = asked(well)
    expect(body.messages.map((m) => m.role)).toEqual(['user', 'assistant', 'user'])
    expect(body.messages[1]!.content).toBe(text.slice(0, -sampleText.length))
  })
  test('the second one refuses: the third goes on', async () => {
    sick.forModel(`broken-${older}`, { do: 'cut-after-content', by: 'eof' })
    sick.forModel(`again-${older}`, { do: 'status', status: 500 })
    const { text, outcome } = await stand.read('messages', `twice/${older}`)
    expect(outcome.attempts.map((a) => a.failure ?? 'ok')).toEqual(['reset', 'status', 'ok'])
    expect(text.endsWith(sampleText)).toBe(true)
    expect(asked(well).messages.map((m) => m.role)).toEqual(['user', 'assistant', 'user'])
  })
})

test('metrics tell of it', () => {
  expect(stand.gateway.gateway.services.metrics.text()).toMatch(/headgate_router_stitched\{from="sick-chat",to="well-messages"\} \d+/)
})
