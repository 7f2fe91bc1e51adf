/** One upstream call in the real pipeline: that it always ends, and what is known of it then. */

import { describe, expect, test } from 'bun:test'
import { plug } from '../../test/support/plug.ts'
import { families } from '../dialect/family.ts'
import type { LiveStream } from '../pipeline/reply-core.ts'
import { type StreamEvent, unknownUsage } from '../plugin/index.ts'
import { testPlugin, textEvents, type UpstreamScript } from '../testkit/index.ts'
import { UpstreamCall } from './call.ts'
import { ownHeaders } from './headers.ts'
import { parseUrl } from './http/origin.ts'

/** A stream that goes on after its first content only when told. */
function gated(end: (frames: string[]) => string[] = (frames) => frames) {
  const go = Promise.withResolvers<void>()
  const script: UpstreamScript = (sent) => ({
    body: (async function* () {
      const frames = end(sent.encode(textEvents('one', 'two')))
      yield frames.slice(0, 2).join('')
      await go.promise
      yield* frames.slice(2)
      await new Promise(() => {})
    })(),
  })
  return { script, go: () => go.resolve() }
}

describe('a branch that its plugin cancels after it has begun to answer', () => {
  test('ends as an error, and settles once', async () => {
    const branch = new AbortController()
    const kit = await testPlugin(plug('around', { around: (_x, next) => next({ signal: branch.signal }) }), { upstream: gated().script })
    const call = kit.start({ body: { stream: true } })
    await call.read()
    branch.abort()
    const r = await call.result()
    expect(r).toMatchObject({ text: 'one', outcome: { end: 'failed', code: 'upstream_error', streamState: 'upstream_error' } })
    expect(r.outcome.attempts).toMatchObject([{ failure: 'aborted', message: 'A plugin of this gateway ended the call.' }])
    expect(await kit.close()).toBe(true)
  })

  test('by a timeout, before it has begun: told as one, not as if the client had gone', async () => {
    const signal = AbortSignal.abort(new DOMException('', 'TimeoutError'))
    const kit = await testPlugin(plug('around', { around: (_x, next) => next({ signal }) }))
    expect(await kit.chat()).toMatchObject({
      status: 504,
      outcome: { end: 'failed', code: 'upstream_timeout', attempts: [{ failure: 'aborted' }] },
    })
    expect(await kit.close()).toBe(true)
  })

  test('also when nobody reads it yet', async () => {
    const branch = new AbortController()
    const kit = await testPlugin(
      plug('around', {
        async around(_x, next) {
          const reply = await next({ signal: branch.signal })
          branch.abort()
          return reply
        },
      }),
      { upstream: gated().script },
    )
    expect(await kit.chat({ stream: true })).toMatchObject({ outcome: { end: 'failed', code: 'upstream_error' } })
    expect(await kit.close()).toBe(true)
  })
})

describe('what a client leaves behind', () => {
  test('the usage that the upstream had told of by then is settled (E10)', async () => {
    const { script, go } = gated((frames) => frames.map((frame) => frame.replace('data: [DONE]\n\n', '')))
    const kit = await testPlugin(plug('none', {}), { upstream: script })
    const call = kit.start({ body: { stream: true, stream_options: { include_usage: true } } })
    await call.read()
    go()
    let text = ''
    while (!text.includes('completion_tokens')) text += (await call.read()) ?? expect.unreachable('the stream ended before its usage')
    call.abort()
    expect(await call.outcome()).toMatchObject({
      end: 'abandoned',
      usage: { source: 'reported', inputUncached: 7, outputVisible: 5 },
      attempts: [{ failure: 'aborted' }],
    })
    expect(await kit.close()).toBe(true)
  })
})

describe('usage that is all zeros (E10)', () => {
  const zeros: StreamEvent = { type: 'usage', usage: { ...unknownUsage, source: 'reported' } }
  const said = (...usage: StreamEvent[]) => textEvents('one').flatMap((event) => (event.type === 'usage' ? usage : [event]))

  test.each([false, true])('says nothing of a reply with content; streamed: %p', async (stream) => {
    const kit = await testPlugin(plug('none', {}), { upstream: { events: said(zeros) } })
    for (const dialect of ['openai-chat', 'anthropic-messages'])
      expect(await kit.send({ dialect, body: { stream, stream_options: { include_usage: true } } })).toMatchObject({
        status: 200,
        outcome: { usage: { source: 'unknown' } },
      })
    await kit.close()
  })

  test('takes nothing back of what the stream has reported before', async () => {
    const kit = await testPlugin(plug('none', {}), {
      upstream: (sent) => ({
        body: sent
          .encode(textEvents('one'))
          .flatMap((frame) =>
            frame.includes('"prompt_tokens"') ? [frame, frame.replace(/("(?:prompt|completion|total)_tokens":)\d+/g, '$10')] : [frame],
          ),
      }),
    })
    const r = await kit.chat({ stream: true, stream_options: { include_usage: true } })
    expect(r.body).toContain('"prompt_tokens":0,"completion_tokens":0')
    expect(r.outcome.usage).toMatchObject({ source: 'reported', inputUncached: 7, outputVisible: 5 })
    await kit.close()
  })
})

describe('a stream that ends without its own end (B02)', () => {
  test('is judged at once, even when the request is no JSON to us', async () => {
    const kit = await testPlugin(plug('none', {}), {
      upstream: (sent) => ({ body: sent.encode(textEvents('one')).filter((frame) => !frame.includes('[DONE]')) }),
    })
    const body = '{"model":"test-model","stream":true,"messages":[{"role":"user","content":"a raw \u0001 here"}]}'
    expect(await kit.chat(body)).toMatchObject({ status: 200, text: 'one', outcome: { end: 'finished' } })
    expect(await kit.close()).toBe(true)
  })
})

test('a slow client is not a silent upstream, even when a read brought more than it could take', async () => {
  const { origin } = parseUrl('http://upstream.test')
  const request = { pause() {}, resume() {}, abort() {} }
  const timeouts = { connect: 0, firstByte: 0, firstToken: 0, idle: 60_000, total: 0 }
  const call = new UpstreamCall({
    transport: { request: () => request, stats: () => ({ open: 0, idle: 0 }), close() {} },
    upstream: {
      name: 'u',
      family: 'openai',
      origin,
      basePath: '',
      baseUrl: '',
      headers: ownHeaders([]),
      ownKey: false,
      timeouts,
      onDisconnect: 'cancel',
      operations: families.openai.operations,
      apis: new Set(['chat']),
      onDrop: 'warn',
      can: {},
    },
    dialect: families.openai.operations[0]!.dialect,
    family: 'openai',
    path: '/',
    method: 'POST',
    headers: { lines: '' },
    body: [],
    stream: true,
    attempt: { upstream: 'u', model: 'm', url: '', startedAt: 0 },
    startedAt: performance.now(),
    client: new AbortController(),
  })
  const frame = Buffer.from('data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n')
  call.head(200, new Headers({ 'content-type': 'text/event-stream' }))
  call.data(frame)
  const { source } = await call.reply
  const { live } = source as { live: LiveStream }
  live.attach({ chunk() {}, end() {} })
  live.pause()
  call.data(frame)
  expect(call.deadline).toBe(Number.POSITIVE_INFINITY)
  live.resume()
  expect(call.deadline).toBeLessThan(performance.now() + 60_100)
  live.cancel()
})

describe('a limit for the first content of a stream', () => {
  const router = plug('to-one', {
    request: (x) => x.setTarget({ upstream: 'anthropic', model: 'm', timeouts: { firstToken: 120 } }),
  })
  /** Says that it is alive, and nothing else, until it is cancelled; then perhaps content. */
  const alive =
    (pings: number): UpstreamScript =>
    (sent) => ({
      body: (async function* () {
        const [start, ...rest] = sent.encode(textEvents('one', 'two'))
        yield start!
        for (let i = 0; i < pings && !sent.signal.aborted; i++) {
          yield 'event: ping\ndata: {"type":"ping"}\n\n'
          await Bun.sleep(20)
        }
        for (const frame of rest) {
          yield frame
          await Bun.sleep(60)
        }
      })(),
    })

  test('ends one that only pings, whatever its pings', async () => {
    const kit = await testPlugin(router, { upstream: alive(500) })
    const r = await kit.messages({ stream: true })
    expect(r).toMatchObject({ status: 504, outcome: { attempts: [{ failure: 'first_token_timeout' }] } })
    expect(r.sent[0]!.signal.aborted).toBe(true)
    expect(await kit.close()).toBe(true)
  })

  test('says nothing of what comes after it, nor of whole replies', async () => {
    const kit = await testPlugin(router, { upstream: alive(1) })
    expect(await kit.messages({ stream: true })).toMatchObject({ status: 200, text: 'onetwo', outcome: { end: 'finished' } })
    kit.upstream(() => Bun.sleep(250).then(() => ({ text: 'late' })))
    expect(await kit.messages()).toMatchObject({ status: 200, text: 'late' })
    expect(await kit.close()).toBe(true)
  })
})
