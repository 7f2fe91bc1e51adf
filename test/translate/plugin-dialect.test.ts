/**
 * A dialect that a plugin brings, in the real gateway: Cohere's, as an upstream for clients of every dialect and as an API for clients of its own.
 *
 * Replies are recorded ones; what a strict client is told must be what was recorded. Names of dialects are checked like any other word of the config.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import type { DefinedDialect } from 'headgate/dialect'
import { definePlugin, type Plugin, type PluginDialect } from 'headgate/plugin'
import cohereChat from '../../plugins/examples/cohere-chat/index.ts'
import router from '../../plugins/router/index.ts'
import { Gateway } from '../../src/runtime/gateway.ts'
import { frameEnds } from '../support/delivery.ts'
import { forAll } from '../support/for-all.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { findRecordings, type RecordingEntry, readRecording, replyBytes } from '../support/recordings.ts'
import { type ReplayUpstream, startReplay } from '../support/replay-upstream.ts'
import { leastRequest, matrixConfig, type Spoken, spoken } from './dialects.ts'
import type { Told } from './told.ts'
import { toldByCohere, toldByCohereStream } from './told-cohere.ts'

setDefaultTimeout(60_000)

const plugin = join(import.meta.dir, '../../plugins/examples/cohere-chat/index.ts')
const entries = findRecordings({ dialect: 'cohere-chat' })
const chats = findRecordings({ dialect: 'openai-chat', status: 200, without: ['citations'], limit: 60 })

type Client = Pick<Spoken, 'name' | 'path' | 'headers' | 'whole' | 'streamed'>

const cohere: Client = {
  name: 'cohere',
  path: () => '/cohere/v2/chat',
  headers: { 'content-type': 'application/json', authorization: 'Bearer client-secret' },
  whole: toldByCohere,
  streamed: toldByCohereStream,
}

interface ConfigFile {
  readonly mounts: object[]
  readonly upstreams: Record<string, object>
  readonly models: Record<string, object>
  readonly plugins: object[]
}

function config(upstream: string, change: (file: ConfigFile) => void = () => {}): string {
  const usual = JSON.parse(matrixConfig(upstream))
  usual.upstreams.cohere = { dialect: 'cohere-chat', base_url: upstream, key: 'upstream-secret' }
  usual.models['cohere-*'] = { targets: [{ upstream: 'cohere', model: 'replay-*' }] }
  usual.mounts.push({ path: '/cohere', api: 'cohere-chat' })
  usual.plugins.unshift({ use: plugin })
  change(usual)
  return JSON.stringify(usual)
}

describe('Cohere by a plugin', () => {
  let replay: ReplayUpstream
  let gateway: LocalGateway
  beforeAll(async () => {
    replay = await startReplay()
    gateway = await startLocalGateway(config(replay.url))
  })
  afterAll(async () => {
    await gateway?.stop()
    await replay.stop()
  })

  const post = async (path: string, headers: Readonly<Record<string, string>>, body: string) => {
    const response = await fetch(gateway.url + path, { method: 'POST', headers, body })
    return { status: response.status, body: await response.text(), headers: response.headers }
  }
  const clients: readonly Client[] = [...spoken, cohere]
  const least = (client: Client, model: string, stream: boolean) =>
    client !== cohere
      ? leastRequest(client as Spoken, model, stream)
      : JSON.stringify({ model, ...(stream && { stream }), messages: [{ role: 'user', content: 'Hello' }] })
  const pairs = (found: readonly RecordingEntry[] | undefined) =>
    (found ?? []).flatMap((entry) => clients.map((client) => ({ entry, client })))
  const nameOf = ({ entry, client }: { entry: RecordingEntry; client: { readonly name: string } }) =>
    `${entry.id} to a ${client.name} client`

  test.skipIf(entries === undefined)('recorded replies, whole and streamed, to clients of every dialect and its own', async () => {
    expect(entries!.length).toBeGreaterThan(10)
    await forAll(pairs(entries), nameOf, async ({ entry, client }) => {
      const recording = readRecording(entry)
      const reply = Buffer.from(replyBytes(recording)).toString()
      const expected = entry.stream ? toldByCohereStream(reply) : toldByCohere(reply)
      for (const delivery of entry.stream ? [{}, { cuts: { seed: 5, pieces: 30 } }, { newline: 'crlf' as const }] : [{}]) {
        const id = replay.add(recording, delivery)
        const model = `cohere-${id}`
        const answer = await post(client.path(model, entry.stream), client.headers, least(client, model, entry.stream))
        expect(`${answer.status} ${answer.status === 200 ? '' : answer.body}`).toBe('200 ')
        const got = entry.stream ? client.streamed(answer.body) : client.whole(answer.body)
        same(got, expected)
        const sent = replay.requestsFor(id)[0]!
        expect(sent.path).toBe('/v2/chat')
        expect(sent.headers.get('authorization')).toBe('Bearer upstream-secret')
        expect(JSON.parse(Buffer.from(sent.body).toString()).messages).toEqual([{ role: 'user', content: 'Hello' }])
        if (client === cohere && !('newline' in delivery)) expect(answer.body).toBe(reply) // nothing was translated
      }
    })
  })

  test.skipIf(entries === undefined)('a stream that is cut is never complete (B01)', async () => {
    await forAll(pairs(entries!.filter((e) => e.stream)), nameOf, async ({ entry, client }) => {
      const recording = readRecording(entry)
      const ends = frameEnds(replyBytes(recording))
      for (const frames of [1, 2, Math.floor(ends.length / 2), ends.length - 1]) {
        const model = `cohere-${replay.add(recording, { stopAfter: { frames } })}`
        const answer = await post(client.path(model, true), client.headers, least(client, model, true))
        const got = answer.status === 200 ? client.streamed(answer.body) : client.whole(answer.body)
        expect({ frames, complete: got.complete }).toEqual({ frames, complete: false })
        expect(got.error).toBeString()
      }
    })
  })

  test.skipIf(chats === undefined)('clients of its own reach models of another dialect', async () => {
    await forAll(
      chats!,
      (entry) => entry.id,
      async (entry) => {
        const recording = readRecording(entry)
        const [chat] = spoken
        const reply = Buffer.from(replyBytes(recording)).toString()
        const expected = entry.stream ? chat!.streamed(reply) : chat!.whole(reply)
        if (!expected.complete || expected.error !== undefined || expected.wrong.length > 0) return
        const model = `chat-${replay.add(recording)}`
        const answer = await post(cohere.path(model, entry.stream), cohere.headers, least(cohere, model, entry.stream))
        expect(`${answer.status} ${answer.status === 200 ? '' : answer.body}`).toBe('200 ')
        const got = entry.stream ? cohere.streamed(answer.body) : cohere.whole(answer.body)
        same(got, expected, false)
      },
    )
  })

  function same(got: Told, expected: Told, usage = true): void {
    expect(got.wrong).toEqual([])
    expect(got.error).toBeUndefined()
    expect(got.complete).toBe(true)
    expect(got.text).toBe(expected.text)
    expect(got.reasoning.replace(/\s+/g, '')).toBe(expected.reasoning.replace(/\s+/g, ''))
    expect(got.calls.map(({ name, args }) => ({ name, args }))).toEqual(expected.calls.map(({ name, args }) => ({ name, args })))
    if (expected.stop !== 'filter') expect(got.stop).toBe(expected.stop)
    if (usage && expected.usage) expect(got.usage).toEqual(expected.usage)
  }

  test('a tool loop of a Chat client: definitions, the call with its plan, the result', async () => {
    const reply = { id: 'c', message: { role: 'assistant', content: [{ type: 'text', text: 'ok' }] }, finish_reason: 'COMPLETE', usage: {} }
    const id = replay.addReply({ status: 200, headers: {}, body: Buffer.from(JSON.stringify(reply)), stream: false })
    const parameters = { type: 'object', properties: { path: { type: 'string' } } }
    const answer = await post(
      '/v1/chat/completions',
      { 'content-type': 'application/json' },
      JSON.stringify({
        model: `cohere-${id}`,
        max_completion_tokens: 9,
        top_p: 0.5,
        user: 'u',
        tools: [{ type: 'function', function: { name: 'read', parameters } }],
        tool_choice: 'required',
        messages: [
          { role: 'developer', content: 'Be brief.' },
          { role: 'user', content: 'Read a.txt' },
          {
            role: 'assistant',
            content: null,
            reasoning_content: 'I will read it.',
            tool_calls: [{ id: 'c1', type: 'function', function: { name: 'read', arguments: '{"path":"a.txt"}' } }],
          },
          { role: 'tool', tool_call_id: 'c1', content: 'hello' },
        ],
      }),
    )
    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-gateway-dropped')).toBe('user')
    expect(JSON.parse(Buffer.from(replay.requestsFor(id)[0]!.body).toString())).toEqual({
      model: `replay-${id}`,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Read a.txt' },
        {
          role: 'assistant',
          tool_plan: 'I will read it.',
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'read', arguments: '{"path":"a.txt"}' } }],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'hello' },
      ],
      tools: [{ type: 'function', function: { name: 'read', parameters } }],
      tool_choice: 'REQUIRED',
      max_tokens: 9,
      p: 0.5,
    })
  })

  test('what can not be said is refused in the dialect of the client; errors of the upstream too (G05)', async () => {
    const refused = await post(
      '/v1/chat/completions',
      { 'content-type': 'application/json' },
      JSON.stringify({ model: 'cohere-x', n: 2, messages: [{ role: 'user', content: 'x' }] }),
    )
    expect(refused.status).toBe(400)
    expect(JSON.parse(refused.body).error.param).toBe('n')
    const body = Buffer.from('{"id":"e","message":"too many tokens: the prompt is too long"}')
    const id = replay.addReply({ status: 400, headers: { 'content-type': 'application/json' }, body, stream: false })
    for (const client of clients) {
      const told = client.whole((await post(client.path(`cohere-${id}`, false), client.headers, least(client, `cohere-${id}`, false))).body)
      expect(told.error).toContain('the prompt is too long')
    }
    // the gateway's own refusals, at its mount, and where there is nothing
    for (const [path, status] of [
      ['/cohere/v2/chat', 404],
      ['/cohere/v2/embed', 404],
    ] as const) {
      const answer = await post(path, cohere.headers, least(cohere, 'no-such-model', false))
      expect(answer.status).toBe(status)
      expect(Object.keys(JSON.parse(answer.body))).toEqual(['id', 'message'])
    }
    const wrong = await fetch(`${gateway.url}/cohere/v2/chat`)
    expect({ status: wrong.status, body: Object.keys((await wrong.json()) as object) }).toEqual({ status: 405, body: ['id', 'message'] })
  })

  test('without the plugin, or misspelled, its name is a mistake at its place', async () => {
    const mistakes = async (change: (file: ConfigFile) => void) => {
      const gateway = gatewayOf(config(replay.url, change))
      const { ok, diagnostics } = await gateway.reload()
      expect(ok).toBe(false)
      await gateway.close(0)
      return diagnostics.filter((d) => d.severity === 'error').map((d) => `${d.path}: ${d.message}; ${d.fix}`)
    }
    expect(await mistakes((file) => void file.plugins.shift())).toEqual([
      'mounts[3].api: "cohere-chat" is not allowed here; use one of: openai, anthropic, gemini',
      'upstreams.cohere.dialect: "cohere-chat" is not allowed here; use one of: openai, anthropic, gemini',
    ])
    const misspelled = (file: ConfigFile) => {
      file.upstreams.cohere = { ...file.upstreams.cohere, dialect: 'cohere-chta' }
    }
    expect(await mistakes(misspelled)).toEqual([
      'upstreams.cohere.dialect: "cohere-chta" is not allowed here; did you mean cohere-chat? Use one of: openai, anthropic, gemini, cohere-chat',
    ])
    expect(await mistakes((file) => void file.plugins.push({ use: 'other' }))).toEqual([
      'plugins[3].use: its dialect cohere-chat is that of the plugin cohere-chat too; mend the plugin, or leave one of the two out',
    ])
    expect(await mistakes((file) => void file.plugins.push({ use: 'greedy' }))).toEqual([
      "plugins[3].use: its dialect openai has the name of one of the gateway's own; mend the plugin, or leave one of the two out",
    ])
    expect(await mistakes((file) => void file.plugins.push({ use: 'homemade' }))).toEqual([
      'plugins[3].use: a dialect of homemade was not made with defineDialect; mend the plugin, or leave one of the two out',
    ])
  })

  test('a reload takes the dialect away again', async () => {
    let text = config(replay.url)
    const gateway = gatewayOf(() => text)
    expect((await gateway.reload()).ok).toBe(true)
    expect([...gateway.snapshot.apis.keys()]).toEqual(['openai', 'anthropic', 'gemini', 'cohere-chat'])
    text = config(replay.url, (file) => {
      file.plugins.shift()
      file.mounts.pop()
      delete file.upstreams.cohere
      delete file.models['cohere-*']
    })
    expect((await gateway.reload()).ok).toBe(true)
    expect([...gateway.snapshot.apis.keys()]).toEqual(['openai', 'anthropic', 'gemini'])
    await gateway.close(0)
  })
})

/** A gateway that serves nobody. */
function gatewayOf(text: string | (() => string)): Gateway {
  const bringing = (name: string, dialects: readonly PluginDialect[]) =>
    definePlugin({ api: 1, name, summary: 'Brings dialects', failure: 'open', dialects, setup: () => ({}) })
  const [same] = cohereChat.dialects as [DefinedDialect]
  const plugins: Record<string, Plugin> = {
    router,
    probe: bringing('probe', []),
    other: bringing('other', [{ ...same }]),
    greedy: bringing('greedy', [{ ...same, name: 'openai' }]),
    homemade: bringing('homemade', [{ kind: 'dialect', name: 'homemade' }]),
  }
  return new Gateway({
    configPath: 'gateway.yaml',
    configText: typeof text === 'string' ? () => text : text,
    env: {},
    builtins: Object.fromEntries(Object.entries(plugins).map(([name, made]) => [name, () => Promise.resolve({ default: made })])),
    startDemo: () => Promise.reject(new Error('no demo here')),
    log: { write: () => {} },
  })
}
