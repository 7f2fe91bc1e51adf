/** Signs of life on quiet streams: between frames, for whoever reads comments, and never for an upstream that is dead. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type BadUpstream, startBadUpstream } from '../support/bad-upstream.ts'
import { verdictOf } from '../support/client.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { until } from '../support/within.ts'

setDefaultTimeout(20_000)
const beat = ': keep-alive\n\n'

let bad: BadUpstream
let dying: BadUpstream
let slow: ReturnType<typeof Bun.serve>
let gateway: LocalGateway

beforeAll(async () => {
  bad = await startBadUpstream()
  dying = await startBadUpstream()
  slow = Bun.serve({
    port: 0,
    async fetch() {
      await Bun.sleep(400) // more than three signs of life would take
      return Response.json({ error: { message: 'Slow down.', type: 'rate_limit_error', param: null, code: null } }, { status: 429 })
    },
  })
  gateway = await startLocalGateway(
    JSON.stringify({
      version: 1,
      server: { heartbeat: '120ms' },
      mounts: [
        { path: '/v1', api: 'openai' },
        { path: '/', api: 'anthropic' },
        { path: '/g', api: 'gemini' },
      ],
      upstreams: {
        up: { dialect: 'openai', base_url: `${bad.url}/v1` },
        dying: { dialect: 'openai', base_url: `${dying.url}/v1` },
        slow: { dialect: 'openai', base_url: `http://127.0.0.1:${slow.port}/v1` },
      },
      models: {
        '*': { targets: [{ upstream: 'up' }] },
        dying: { targets: [{ upstream: 'dying' }] },
        slow: { targets: [{ upstream: 'slow' }] },
      },
      plugins: [{ use: './watch.ts', when: { header: { 'x-watch': ['yes'] } } }, { use: 'router' }],
    }),
    {
      'watch.ts': `import { definePlugin } from 'headgate/plugin'
export default definePlugin({ api: 1, name: 'watch', summary: 'Looks', failure: 'open', setup: () => ({ event() {} }) })`,
    },
  )
})
afterAll(async () => {
  await gateway.stop()
  await bad.stop()
  await slow.stop(true)
})

const messages = [{ role: 'user', content: 'x' }]
const clients = {
  'chat, as received': ['/v1/chat/completions', { messages }, {}],
  'chat, through a plugin': ['/v1/chat/completions', { messages }, { 'x-watch': 'yes' }],
  'messages, translated': ['/v1/messages', { messages, max_tokens: 9 }, { 'anthropic-version': '2023-06-01' }],
} as const

/** A stream that hangs at the upstream after its first content: what has come so far, and how it goes on. */
async function hanging(path: string, body: object, headers: Record<string, string>, upstream = bad) {
  const n = upstream.calls.length
  upstream.always({ do: 'hang-mid-stream', frames: 2 })
  const response = await fetch(`${gateway.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'm', stream: true, ...body }),
  })
  let text = ''
  const over = (async () => {
    for await (const chunk of response.body!) text += new TextDecoder().decode(chunk)
  })()
  const call = await upstream.call(n)
  return { call, over, text: () => text, beats: () => text.split(beat).length - 1 }
}

describe.each(Object.entries(clients))('%s', (name, [path, body, headers]) => {
  test('A11: gets comments while the upstream is quiet, between frames, and then the rest', async () => {
    const stream = await hanging(path, body, headers)
    await until(5000, 'three signs of life', () => stream.beats() >= 3)
    expect(stream.text().replaceAll(beat, '')).toMatch(/\n\n$/)
    stream.call.release()
    await stream.over
    const said = stream.text().replaceAll(beat, '')
    expect(said).not.toContain('keep-alive')
    expect(verdictOf(name.startsWith('chat') ? 'openai' : 'anthropic', said)).toBe('success')
  })
})

test.each(Object.entries(clients))(
  'A12: %s: before content there is no sign of life, so that a late refusal keeps its status',
  async (_, [path, body, headers]) => {
    const response = await fetch(`${gateway.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ ...body, model: 'slow', stream: true }),
    })
    const text = await response.text()
    expect([response.status, text]).toEqual([429, expect.stringContaining('Slow down.')])
    expect(text).not.toContain(beat)
  },
)

test('no stream gets any once its upstream is dead', async () => {
  const streams = await Promise.all(
    Object.values(clients).map(([path, body, headers]) => hanging(path, { ...body, model: 'dying' }, headers, dying)),
  )
  for (const stream of streams) await until(5000, 'a sign of life', () => stream.beats() > 0)
  await dying.stop()
  for (const stream of streams) await stream.over
  const before = streams.map((stream) => stream.text())
  for (const text of before) expect(text).toMatch(/error/)
  await Bun.sleep(300)
  expect(streams.map((stream) => stream.text())).toEqual(before)
})

test("Google's clients get none", async () => {
  const stream = await hanging(
    '/g/v1beta/models/m:streamGenerateContent?alt=sse',
    { contents: [{ role: 'user', parts: [{ text: 'x' }] }] },
    {},
  )
  await Bun.sleep(500)
  expect(stream.text()).toContain('Hello')
  expect(stream.beats()).toBe(0)
  stream.call.release()
  await stream.over
})
