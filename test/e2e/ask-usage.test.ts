/**
 * A plugin that needs usage: the gateway asks for it in Chat streams, and the client sees nothing of that.
 */

import { afterEach, describe, expect, test } from 'bun:test'
import { definePlugin, exactNumber, type Outcome, type Plugin, Type } from 'headgate/plugin'
import { type PluginKit, testPlugin } from 'headgate/testkit'
import { openaiChat } from '../../src/dialect/openai-chat/index.ts'
import { askForUsage, withUsageAsked } from '../../src/runtime/ask-usage.ts'
import { withoutUsageOnly } from '../../src/upstream/usage-chunk.ts'

const kits: PluginKit[] = []
afterEach(async () => {
  for (const kit of kits.splice(0)) await kit.close()
})

const chunk = (members: string) =>
  `data: {"id":"c1","object":"chat.completion.chunk","created":1767225600,"model":"upstream-model",${members}}\n\n`
const content = chunk('"choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}],"usage":null')
const azure = chunk('"choices":[],"prompt_filter_results":[],"usage":null')
const finish = chunk('"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null')
const usage = chunk('"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}')
const done = 'data: [DONE]\n\n'

const needing = (hooks: object = {}): Plugin =>
  definePlugin({
    api: 1,
    name: 'needs-usage',
    summary: 'Needs usage',
    failure: 'closed',
    usage: true,
    setup: () => ({ settle() {}, ...hooks }),
  })
const needingOf = (usage: (config: { tokens?: number }) => boolean) =>
  definePlugin({
    api: 1,
    name: 'needs-usage',
    summary: 'Needs usage where its config says so',
    failure: 'closed',
    config: Type.Object({ tokens: Type.Optional(Type.Integer()) }),
    usage,
    setup: () => ({ settle() {} }),
  })
const plain = definePlugin({ api: 1, name: 'plain', summary: 'Needs none', failure: 'closed', setup: () => ({ settle() {} }) })

async function kitOf(plugin: Plugin, options: Parameters<typeof testPlugin>[1] = {}): Promise<PluginKit> {
  const kit = await testPlugin(plugin, options)
  kits.push(kit)
  return kit
}
/** As a provider that says usage only when it is asked. */
const provider = (chunks: (asked: boolean) => readonly string[]) => ({
  upstream: (sent: { json: unknown }) => ({
    body: chunks((sent.json as { stream_options?: { include_usage?: boolean } }).stream_options?.include_usage === true),
  }),
})
const polite = provider((asked) => [azure, content, finish, ...(asked ? [usage] : []), done])

describe('a Chat stream, and a plugin that needs usage', () => {
  const raw = '{ "model":"test-model", "messages":[{"role":"user","content":"Hä"}],"stream":true, "n": 1.0 }'

  test('F01: the body is received bytes but for the model and the question, which stands at the end', async () => {
    const kit = await kitOf(needing(), polite)
    const { sent } = await kit.chat(raw)
    expect(sent[0]!.text).toBe(raw.replace('test-model', 'test-model').replace(' }', ' ,"stream_options":{"include_usage":true}}'))
  })

  test('a config that needs none is not asked for, one that does is, and a reload changes it', async () => {
    const kit = await kitOf(
      needingOf((config) => config.tokens !== undefined),
      polite,
    )
    const asked = async () => (await kit.chat({ stream: true })).sent[0]!.json as Record<string, unknown>
    expect(await asked()).not.toHaveProperty('stream_options')
    expect(await kit.reload({ with: { tokens: 5 } })).toEqual([])
    expect(await asked()).toMatchObject({ stream_options: { include_usage: true } })
  })

  test('the usage-only chunk, and only that, is kept from the client; the record has the usage', async () => {
    const kit = await kitOf(needing(), polite)
    const { body, outcome } = await kit.chat(raw)
    expect(body).toBe(azure + content + finish + done)
    expect(outcome.usage).toMatchObject({ source: 'reported', inputUncached: 7, outputVisible: 5 })
  })

  test('however the bytes are cut', async () => {
    const whole = Buffer.from(azure + content + finish + usage + done)
    for (let size = 1; size < 400; size += 37) {
      const pieces = Array.from({ length: Math.ceil(whole.length / size) }, (_, i) => whole.subarray(i * size, (i + 1) * size))
      const kit = await kitOf(needing(), { upstream: { body: pieces } })
      expect((await kit.chat(raw)).body).toBe(azure + content + finish + done)
    }
  })

  test('a client that asks gets it, and its body is left alone', async () => {
    const kit = await kitOf(needing(), polite)
    const asking = raw.replace(' }', ', "stream_options": {"include_usage": true, "x": 1} }')
    const { body, sent } = await kit.chat(asking)
    expect(sent[0]!.text).toBe(asking)
    expect(body).toBe(azure + content + finish + usage + done)
  })

  test.each([
    ['{"include_usage":false,"x":1}', '{"include_usage":true,"x":1}'],
    ['{"x":1}', '{"x":1,"include_usage":true}'],
    ['null', '{"include_usage":true}'],
  ])('stream_options %s become %s', async (given, made) => {
    const kit = await kitOf(needing(), polite)
    const { body, sent } = await kit.chat(raw.replace(' }', `,"stream_options":${given} }`))
    expect(sent[0]!.text).toBe(raw.replace(' }', `,"stream_options":${made} }`))
    expect(body).not.toContain('prompt_tokens')
  })

  test('attempt hooks see what will be sent; request hooks see what was received', async () => {
    const seen: string[] = []
    const kit = await kitOf(
      needing({
        request: (x: { request: { json: object } }) => void seen.push(JSON.stringify(Object.keys(x.request.json))),
        attempt: (_: unknown, call: { body: Uint8Array }) => void seen.push(Buffer.from(call.body).toString()),
      }),
      polite,
    )
    const { body } = await kit.chat(raw)
    expect(seen[0]).not.toContain('stream_options')
    expect(seen[1]).toEndWith(',"stream_options":{"include_usage":true}}')
    expect(body).toBe(azure + content + finish + done)
  })

  test('event hooks hear the usage; what one adds to it leaves, and nothing else does', async () => {
    const heard: string[] = []
    const quiet = await kitOf(needing({ event: (_: unknown, event: { type: string }) => void heard.push(event.type) }), polite)
    expect((await quiet.chat(raw)).body).toBe(azure + content + finish + done)
    expect(heard).toContain('usage')

    const adding = needing({
      event: (_: unknown, event: { type: string }) =>
        event.type === 'usage' ? { ...event, extra: { cost: exactNumber('0.000001') } } : undefined,
    })
    const kit = await kitOf(adding, polite)
    expect((await kit.chat(raw)).body).toBe(azure + content + finish + usage.replace('12}', '12,"cost":0.000001}') + done)
  })

  test('usage beside content stays: clients of such providers know it', async () => {
    const both = finish.replace('"usage":null', '"usage":{"prompt_tokens":7,"completion_tokens":5}')
    const kit = await kitOf(needing(), { upstream: { body: [content, both, done] } })
    const { body, outcome } = await kit.chat(raw)
    expect(body).toBe(content + both + done)
    expect(outcome.usage.source).toBe('reported')
  })

  test('a stream that breaks off ends as it did before: with an error', async () => {
    const kit = await kitOf(needing(), { upstream: { body: [content, finish.slice(0, 40)] } })
    const { body, outcome } = await kit.chat(raw)
    expect(outcome.end).toBe('failed')
    expect(body).toStartWith(content + finish.slice(0, 40))
    expect(body).toContain('"error"')
  })

  test.each([
    ['api.openai.com', {}, true],
    ['api.mistral.ai', {}, false],
    ['api.mistral.ai', { streamUsage: true }, true],
    ['localhost', { streamUsage: false }, false],
  ])('%s with %j is asked: %p (some refuse the field)', (hostname, can, asked) => {
    const exchange = { core: { body: { stream: true, model: 'm' } }, withholdUsage: true }
    const body = [Buffer.from('{}')]
    const out = withUsageAsked(exchange as never, { origin: { hostname }, can } as never, { dialect: openaiChat } as never, body)
    expect(out !== body).toBe(asked)
    expect(exchange.withholdUsage).toBe(asked)
  })
})

const askedOf = ({ sent }: { sent: readonly { text: string }[] }) => sent[0]!.text.includes('include_usage')

describe('nothing is asked', () => {
  test.each([
    ['without such a plugin', plain, { stream: true }],
    ['of a whole reply', needing(), {}],
  ])('%s', async (_, plugin, body) => {
    const kit = await kitOf(plugin)
    expect(askedOf(await kit.chat(body))).toBe(false)
  })
  test('of Messages, which tell unasked', async () => {
    const kit = await kitOf(needing())
    const { sent, outcome } = await kit.messages({ stream: true })
    expect(askedOf({ sent })).toBe(false)
    expect(outcome.usage.source).toBe('reported' satisfies Outcome['usage']['source'])
  })
})

describe('askForUsage', () => {
  const text = (pieces: readonly Uint8Array[] | undefined) => pieces && Buffer.concat(pieces).toString()
  const of = (...parts: string[]) => text(askForUsage(parts.map((part) => Buffer.from(part))))

  test('writes into the last piece, whatever follows the object', () => {
    expect(of('{"a":', '1', '}\n ')).toBe('{"a":1,"stream_options":{"include_usage":true}}\n ')
  })
  test('finds a member that edits have cut in two', () => {
    const cut = ['{"x":1', ',"stream_', 'options":{"include_', 'usage":true}', '}']
    expect(of(...cut)).toBeUndefined()
  })
  test('of a text that only mentions the field changes no more', () => {
    const body = '{"messages":[{"content":"stream_options"}],"stream":true}'
    expect(of(body)).toBe(body.replace(/}$/, ',"stream_options":{"include_usage":true}}'))
  })
  test.each(['', '[', '{"stream_options":{', '["stream_options"]'])('leaves %j to the provider', (body) => {
    expect(of(body)).toBeUndefined()
  })
})

test('the filter of a live stream hands on pause, resume, cancel and the end', () => {
  const calls: string[] = []
  const note = (name: string) => () => void calls.push(name)
  const live = withoutUsageOnly({
    dialect: 'openai-chat',
    attach: (sink) => {
      sink.chunk(Buffer.from(usage.slice(0, 10)))
      sink.chunk(Buffer.from(usage.slice(10).trimEnd()))
      sink.end()
    },
    pause: note('pause'),
    resume: note('resume'),
    atBoundary: () => true,
    missingEnd: () => 'x',
    cancel: note('cancel'),
  })
  const seen: string[] = []
  live.attach({ chunk: (bytes) => void seen.push(Buffer.from(bytes).toString()), end: () => void seen.push('end') })
  live.pause()
  live.resume()
  live.cancel()
  expect(seen).toEqual(['end'])
  expect(calls).toEqual(['pause', 'resume', 'cancel'])
  expect([live.atBoundary(), live.missingEnd()]).toEqual([true, 'x'])
})
