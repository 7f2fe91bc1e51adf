/** Where a stream that died is never gone on with, and what becomes of those that can't be: the client gets the error, and everything settles once. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { BadUpstream } from '../support/bad-upstream.ts'
import { authPlugin } from '../support/gateway-config.ts'
import { startLocalGateway } from '../support/local-gateway.ts'
import { sampleErrorFrame, sampleStream } from '../support/sample-replies.ts'
import { until, within } from '../support/within.ts'
import { type Api, ask, older, type Stand, startStand } from './stitched.fixture.ts'

setDefaultTimeout(30_000)

let stand: Stand
let sick: BadUpstream
let well: BadUpstream

beforeAll(async () => {
  stand = await startStand()
  ;({ sick, well } = stand)
})
afterAll(() => stand.stop())

describe('never', () => {
  const format = { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object' } } }
  test.each([
    ['several answers', 'chat', { n: 2 }],
    ['a format', 'chat', { response_format: format }],
    ['log probabilities', 'chat', { logprobs: true }],
    ['a format', 'messages', { output_config: { format: { type: 'json_schema', schema: { type: 'object' } } } }],
    ['a format', 'responses', { text: { format: { type: 'json_object' } } }],
  ] as const)('%s, %s', async (_name, api, more) => {
    sick.forModel(`broken-${older}`, { do: 'cut-after-content', by: 'eof' })
    const outcome = await stand.broken(api, `${api}-${api}/${older}`, more)
    expect(outcome.attempts).toHaveLength(1)
    expect(outcome).toMatchObject({ end: 'failed', streamState: 'upstream_error' })
    expect(outcome.continued).toBeUndefined()
  })

  test('within a tool call, after a signed thought, after something unknown; every client', async () => {
    const chat = (delta: object) =>
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`
    const message = (type: string, more: object = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`
    const begin = sampleStream('anthropic-messages').opening[0]!
    const streams: Readonly<Record<string, readonly string[]>> = {
      'chat call': [
        chat({ role: 'assistant', content: 'Let me see' }),
        chat({ tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":' } }] }),
      ],
      'messages call': [
        begin,
        message('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
        message('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'Let me see' } }),
        message('content_block_stop', { index: 0 }),
        message('content_block_start', { index: 1, content_block: { type: 'tool_use', id: 'toolu_1', name: 'f', input: {} } }),
        message('content_block_delta', { index: 1, delta: { type: 'input_json_delta', partial_json: '{"x":' } }),
      ],
      'messages proof': [
        begin,
        message('content_block_start', { index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } }),
        message('content_block_delta', { index: 0, delta: { type: 'thinking_delta', thinking: 'hm' } }),
        message('content_block_delta', { index: 0, delta: { type: 'signature_delta', signature: 'U0lH' } }),
        message('content_block_stop', { index: 0 }),
        message('content_block_start', { index: 1, content_block: { type: 'text', text: '' } }),
        message('content_block_delta', { index: 1, delta: { type: 'text_delta', text: 'Hello' } }),
      ],
      'messages hidden': [
        begin,
        message('content_block_start', { index: 0, content_block: { type: 'redacted_thinking', data: 'abc' } }),
        message('content_block_stop', { index: 0 }),
        message('content_block_start', { index: 1, content_block: { type: 'text', text: '' } }),
        message('content_block_delta', { index: 1, delta: { type: 'text_delta', text: 'Hello' } }),
      ],
      'messages search': [
        begin,
        message('content_block_start', { index: 0, content_block: { type: 'server_tool_use', id: 's', name: 'web_search', input: {} } }),
        message('content_block_stop', { index: 0 }),
        message('content_block_start', { index: 1, content_block: { type: 'text', text: '' } }),
        message('content_block_delta', { index: 1, delta: { type: 'text_delta', text: 'Hello' } }),
      ],
    }
    for (const [name, frames] of Object.entries(streams)) {
      const [from] = name.split(' ') as [Api]
      const server = Bun.serve({
        port: 0,
        hostname: '127.0.0.1',
        fetch: () => new Response(frames.join(''), { headers: { 'content-type': 'text/event-stream' } }),
      })
      const upstream = (url: string) =>
        from === 'messages'
          ? { dialect: 'anthropic', base_url: url, key: 'k' }
          : { dialect: 'openai', base_url: `${url}/v1`, key: 'k', apis: ['chat'] }
      const own = await startLocalGateway(
        JSON.stringify({
          version: 1,
          upstreams: { a: upstream(server.url.origin), b: upstream(well.url) },
          models: { m: { targets: ['a', 'b'].map((u) => ({ upstream: u, model: older })) } },
          plugins: [{ use: 'probe' }, authPlugin, { use: 'router', with: { stitch: true } }],
        }),
      )
      try {
        // what the provider's own tools did is no part of the stream that clients of other APIs get
        for (const api of name === 'messages search' ? (['messages'] as const) : (['chat', 'messages', 'responses'] as const)) {
          const response = await ask(own.url, api, 'm')
          const raw = await response.text()
          const { attempts, end } = await own.outcome(response.headers.get('x-request-id')!)
          expect([name, api, attempts.length, end]).toEqual([name, api, 1, 'failed'])
          expect(raw).toContain('"error"')
          expect(raw).not.toMatch(/\[DONE\]|message_stop|response\.completed/)
        }
      } finally {
        await own.stop()
        await server.stop(true)
      }
    }
  })

  test("an upstream's own error frame that nobody goes on from is told once, as it came", async () => {
    sick.forModel(`broken-${older}`, { do: 'error-after-content', message: 'so busy' })
    for (const api of ['chat', 'messages', 'responses'] as const) {
      const more = api === 'chat' ? { n: 2 } : api === 'messages' ? { output_format: {} } : { text: { format: { type: 'json_object' } } }
      const response = await ask(stand.gateway.url, api, `${api}-${api}/${older}`, more)
      const raw = await response.text()
      expect([api, raw.match(/so busy/g)?.length]).toEqual([api, 1])
      expect(raw).toContain(
        sampleErrorFrame(api === 'messages' ? 'anthropic-messages' : api === 'chat' ? 'openai-chat' : 'openai-responses', 'so busy'),
      )
      expect(raw).not.toMatch(/\[DONE\]|message_stop|response\.completed/)
      expect((await stand.gateway.outcome(response.headers.get('x-request-id')!)).end).toBe('failed')
    }
  })

  test('when nobody else is there, or the others fail: the error that there was', async () => {
    sick.forModel(`broken-${older}`, { do: 'cut-after-content', by: 'eof' })
    well.forModel(older, { do: 'status', status: 500 })
    const outcome = await stand.broken('messages', `messages-messages/${older}`)
    well.forModel(older, { do: 'ok' })
    expect(outcome.attempts.map((a) => a.failure)).toEqual(['reset', 'status'])
    expect(outcome).toMatchObject({ end: 'failed', upstream: 'sick-messages' })
    expect(outcome.continued).toBeUndefined()
    expect(stand.gateway.gateway.services.metrics.text()).toContain('headgate_router_not_stitched{why="the others failed"}')
  })
})

test('a client that leaves while another one is asked: that call ends, and it settles once', async () => {
  sick.forModel(`broken-${older}`, { do: 'cut-after-content', by: 'eof' })
  well.forModel(older, { do: 'hang-before-head' })
  const calls = well.calls.length
  const leaving = new AbortController()
  const response = await ask(stand.gateway.url, 'messages', `messages-messages/${older}`, {}, leaving.signal)
  const reader = response.body!.getReader()
  await reader.read()
  const call = await within(5000, 'the other one is asked', well.call(calls))
  await call.held
  leaving.abort()
  expect(await within(5000, 'its call ends', call.closed)).toBe('peer')
  const outcome = await stand.gateway.outcome(response.headers.get('x-request-id')!)
  expect(outcome.end).toBe('abandoned')
  well.forModel(older, { do: 'ok' })
  await until(2000, 'nothing runs', () => well.running() === 0)
})

test('no sign of life while nobody serves; the one that goes on has its own', async () => {
  const own = await startStand({ server: { heartbeat: '60ms' } })
  own.sick.forModel(`broken-${older}`, { do: 'cut-after-content', by: 'eof' })
  own.well.forModel(older, { do: 'hang-before-head' })
  const calls = own.well.calls.length
  const response = await ask(own.gateway.url, 'messages', `messages-messages/${older}`)
  const raw = response.text()
  const call = await within(5000, 'the other one is asked', own.well.call(calls))
  await call.held
  await Bun.sleep(200) // less than the limit for its first byte
  call.release()
  expect(await within(5000, 'the stream', raw)).not.toContain(': keep-alive')
  own.well.forModel(older, { do: 'hang-mid-stream', frames: 4 })
  const alive = ask(own.gateway.url, 'messages', `messages-messages/${older}`).then((r) => r.text())
  const second = await within(5000, 'the other one is asked again', own.well.call(calls + 1))
  await second.held
  await Bun.sleep(200)
  second.release()
  expect(await within(5000, 'the second stream', alive)).toContain(': keep-alive')
  await own.stop()
})
