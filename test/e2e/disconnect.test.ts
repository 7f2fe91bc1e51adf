/**
 * The client leaves, or reads slowly: the upstream ends within a second or is read to its end by policy, every exchange settles once as
 * abandoned, and memory comes back (G09, E10).
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync } from 'node:fs'
import net from 'node:net'
import type { Outcome } from '../../src/plugin/index.ts'
import { type BadUpstream, type Misbehaviour, startBadUpstream } from '../support/bad-upstream.ts'
import { bodyOf, call, endpointOf, type Family, families, headersOf } from '../support/client.ts'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { auditPlugin, authPlugin, gatewayConfig } from '../support/gateway-config.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { sampleStream } from '../support/sample-replies.ts'
import { until, within } from '../support/within.ts'

setDefaultTimeout(60_000)
const plugins = [{ use: 'probe' }, authPlugin, { use: 'router' }]
const MB = 1024 * 1024

interface Case {
  readonly name: string
  readonly how: Misbehaviour
  readonly stream: boolean
  /** Whether the client reads the first chunk before it leaves. */
  readonly reads: boolean
}
const cases: readonly Case[] = [
  { name: 'before the head of a stream', how: { do: 'hang-before-head' }, stream: true, reads: false },
  { name: 'before the first content', how: { do: 'hang-after-head' }, stream: true, reads: false },
  { name: 'in mid-stream, data flowing', how: { do: 'flood', frameBytes: 400 }, stream: true, reads: true },
  { name: 'in mid-stream, upstream silent', how: { do: 'hang-mid-stream' }, stream: true, reads: true },
  { name: 'while a whole reply is made', how: { do: 'hang-before-head' }, stream: false, reads: false },
]

describe.each(families)('a client that leaves: %s', (family) => {
  test.concurrent.each(cases)('$name: the upstream ends within a second, settled once as abandoned', async (c) => {
    const { bad, gateway, stop } = await both('cancel')
    bad.always(c.how)
    const client = await leaveAfter(family, gateway, bad, c)
    const left = performance.now()
    client.abort()
    expect(await within(1000, 'the upstream call ends', bad.calls[0]!.closed)).toBe('peer')
    const outcome = await onlyOutcome(gateway)
    expect(performance.now() - left).toBeLessThan(1000)
    expect(outcome).toMatchObject({ end: 'abandoned', streamState: 'client_disconnect', status: c.reads ? 200 : 499 })
    expect(outcome.attempts.map((a) => a.failure)).toEqual(['aborted'])
    expect(gateway.gateway.snapshot.inflight).toBe(0)
    await until(1000, 'no upstream connection is open', () => bad.openConnections() === 0)
    await stop()
  })

  test.concurrent.each(cases.filter((c) => c.how.do !== 'flood'))(
    '$name, policy drain: the upstream is read to its end, usage is known (E10)',
    async (c) => {
      const { bad, gateway, stop } = await both('drain')
      bad.always(c.how)
      const client = await leaveAfter(family, gateway, bad, c)
      client.abort()
      await Bun.sleep(150) // longer than a cancel takes: the upstream must be left alone
      expect(bad.running()).toBe(1)
      bad.calls[0]!.release()
      expect(await within(1000, 'the upstream call ends', bad.calls[0]!.closed)).toBe('finished')
      const outcome = await onlyOutcome(gateway)
      expect(outcome).toMatchObject({ end: 'abandoned', streamState: 'client_disconnect' })
      expect(outcome.usage).toMatchObject({ source: 'reported', inputUncached: 11, outputVisible: 3 })
      await stop()
    },
  )
})

test.each([0, 1])('a reader that stops for a while gets every byte in order; pause between chunks: %d ms', async (pause) => {
  const frame = (n: number) => {
    const choice = { index: 0, delta: { content: `${n} ${'x'.repeat(8000)}` }, finish_reason: null }
    return `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'x', choices: [choice] })}\n\n`
  }
  const last = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`
  const frames = pause === 0 ? 3000 : 300
  const made = new Bun.CryptoHasher('sha256')
  const upstream = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch() {
      async function* body() {
        for (let n = 0; n <= frames; n++) {
          const text = n < frames ? frame(n) : last
          made.update(text)
          if (pause > 0) await Bun.sleep(pause)
          yield text
        }
      }
      return new Response(body(), { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  const gateway = await startLocalGateway(gatewayConfig({ upstream: `http://127.0.0.1:${upstream.port}`, plugins }))
  const response = await fetch(endpointOf('openai', gateway.url), {
    method: 'POST',
    headers: headersOf('openai'),
    body: bodyOf('cat/x', true),
  })
  const reader = response.body!.getReader()
  const seen = new Bun.CryptoHasher('sha256')
  let size = 0
  for (let reads = 0; ; reads++) {
    const { done, value } = await reader.read()
    if (done) break
    if (reads % 50 === 0) await Bun.sleep(20)
    seen.update(value)
    size += value.length
  }
  expect(size).toBeGreaterThan(frames * 8000)
  expect(seen.digest('hex')).toBe(made.digest('hex'))
  expect((await onlyOutcome(gateway)).end).toBe('finished')
  await gateway.stop()
  await upstream.stop(true)
})

test.each(families)('a client that leaves with all of its stream has finished, though the upstream lingers: %s', async (family) => {
  const { opening, content, closing } = sampleStream(family === 'openai' ? 'openai-chat' : 'anthropic-messages')
  const frames = [...opening, ...content, ...closing]
  const upstream = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request) {
      async function* body() {
        for (const frame of frames) yield frame
        // longer than the test: only the call being ended ends it
        await new Promise((resolve) => request.signal.addEventListener('abort', resolve))
      }
      return new Response(body(), { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  const gateway = await startLocalGateway(gatewayConfig({ upstream: `http://127.0.0.1:${upstream.port}`, plugins }))
  const client = new AbortController()
  const request = { method: 'POST', headers: headersOf(family), body: bodyOf('cat/x', true), signal: client.signal }
  const response = await fetch(endpointOf(family, gateway.url), request)
  let text = ''
  for await (const chunk of response.body!) {
    text += new TextDecoder().decode(chunk)
    if (text.endsWith(frames.at(-1)!)) break
  }
  client.abort()
  const outcome = await gateway.outcome(response.headers.get('x-request-id')!)
  expect(outcome).toMatchObject({ end: 'finished', streamState: 'completed', usage: { source: 'reported', outputVisible: 3 } })
  expect(outcome.attempts.map(({ failure }) => failure)).toEqual([undefined])
  await gateway.stop()
  await upstream.stop(true)
})

/** A gateway and an upstream of their own. */
async function both(onDisconnect: 'cancel' | 'drain') {
  const bad = await startBadUpstream()
  const gateway = await startLocalGateway(gatewayConfig({ upstream: bad.url, plugins, onDisconnect }))
  return {
    bad,
    gateway,
    async stop() {
      await gateway.stop()
      await bad.stop()
    },
  }
}

/** Brings a client to the point at which it is to leave. */
async function leaveAfter(family: Family, gateway: LocalGateway, bad: BadUpstream, c: Case): Promise<AbortController> {
  const client = new AbortController()
  const response = fetch(endpointOf(family, gateway.url), {
    method: 'POST',
    headers: headersOf(family),
    body: bodyOf('cat/x', c.stream),
    signal: client.signal,
  })
  response.catch(() => {})
  const call = await bad.call(0)
  if (c.how.do !== 'flood') await call.held
  if (c.reads) {
    const reader = (await response).body!.getReader()
    await reader.read()
    reader.read().catch(() => {})
  }
  return client
}

async function onlyOutcome(gateway: LocalGateway): Promise<Outcome> {
  const [id] = await until(1000, 'the exchange settles', () => gateway.outcomes.size > 0 && [...gateway.outcomes.keys()])
  await Bun.sleep(60) // a second settlement would come with the next sweep of the deadlines
  expect(gateway.outcomes.size).toBe(1)
  return gateway.outcome(id!)
}

describe.skipIf(!existsSync('/proc/self/status'))('memory', () => {
  let bad: BadUpstream
  let gateway: GatewayProcess
  beforeAll(async () => {
    bad = await startBadUpstream()
    gateway = await startGateway({ config: gatewayConfig({ upstream: bad.url, plugins: [auditPlugin, authPlugin, { use: 'router' }] }) })
  })
  afterAll(async () => {
    // nothing is in flight: the drain has nothing to wait for
    const began = performance.now()
    expect(await gateway.stop()).toBe(0)
    expect(performance.now() - began).toBeLessThan(3000)
    await bad.stop()
  })

  test('10,000 aborted streams: back within 20 MB, nothing open, all settled once', async () => {
    bad.forModel('flowing', { do: 'flood', frameBytes: 400 })
    bad.forModel('silent', { do: 'hang-mid-stream' })
    bad.forModel('early', { do: 'hang-before-head' })
    const models = ['flowing', 'silent', 'early', 'silent']
    const burst = async (count: number) => {
      let left = count
      const one = async () => {
        while (left > 0) {
          const model = models[left % models.length]!
          const family = families[left-- % 2]!
          await abortOne(family, model)
        }
      }
      await Promise.all(Array.from({ length: 100 }, one))
      await until(10_000, 'no upstream call runs', () => bad.running() === 0)
      await until(10_000, 'no upstream connection is open', () => bad.openConnections() === 0)
    }
    const abortOne = async (family: Family, model: string) => {
      const client = new AbortController()
      const at = bad.calls.length
      const response = fetch(endpointOf(family, gateway.url), {
        method: 'POST',
        headers: headersOf(family),
        body: bodyOf(`cat/${model}`, true),
        signal: client.signal,
      })
      response.catch(() => {})
      if (model === 'early') await until(5000, 'a call arrives', () => bad.calls.length > at)
      else await (await response).body!.getReader().read()
      client.abort()
    }
    const lines = () => gateway.audit().length
    await burst(1000)
    await until(10_000, 'all are settled', () => lines() >= bad.calls.length)
    const warm = await steady(() => gateway.rss())
    const began = performance.now()
    await burst(10_000)
    const took = performance.now() - began
    await until(10_000, 'all are settled', () => lines() >= bad.calls.length)
    const peak = gateway.rss()
    // under ordinary traffic: an idle process has no reason to collect
    await until(25_000, 'memory is back', async () => {
      await Promise.all(Array.from({ length: 20 }, (_, i) => call(families[i % 2]!, gateway.url, bodyOf('cat/fine', i % 3 === 0))))
      return gateway.rss() <= warm + 20 * MB
    })
    const audit = gateway.audit().filter((line) => line.end !== 'finished')
    // a client may leave so early that its request is never seen
    expect(bad.calls.length).toBeGreaterThan(9_000)
    expect(new Set(audit.map((line) => line.id)).size).toBe(audit.length)
    expect(new Set(audit.map((line) => line.end))).toEqual(new Set(['abandoned']))
    const rss = gateway.rss()
    console.log(
      `10,000 aborted streams in ${Math.round(took)} ms: RSS ${mb(warm)} after the first 1,000, ${mb(peak)} right after, ${mb(rss)} settled`,
    )
  })

  test('from where a request came is in its record, also of a client that left, or had all of its answer before', async () => {
    bad.forModel('silent', { do: 'hang-mid-stream' })
    bad.forModel('early', { do: 'hang-before-head' })
    const before = gateway.audit().length
    await Promise.all(Array.from({ length: 40 }, (_, i) => call(families[i % 2]!, gateway.url, bodyOf('cat/fine', i % 4 < 3))))
    for (const model of ['silent', 'early', 'silent', 'early']) {
      const client = new AbortController()
      const at = bad.calls.length
      const request = { method: 'POST', headers: headersOf('openai'), body: bodyOf(`cat/${model}`, true), signal: client.signal }
      const response = fetch(endpointOf('openai', gateway.url), request)
      response.catch(() => {})
      await until(5000, 'the call arrives', () => bad.calls.length > at)
      if (model === 'silent') await (await response).body!.getReader().read()
      client.abort()
    }
    const lines = await until(5000, 'all are settled', () => gateway.audit().length >= before + 44 && gateway.audit().slice(before))
    expect(lines.filter((line) => line.end === 'abandoned')).toHaveLength(4)
    expect(lines.map((line) => line.ip)).toEqual(lines.map(() => '127.0.0.1'))
  })

  test('slow readers of a flood: memory stays bounded, the upstream is held back', async () => {
    bad.forModel('flood', { do: 'flood', frameBytes: 8192 })
    const before = gateway.rss()
    const first = bad.calls.length
    const { port } = new URL(gateway.url)
    const sockets = Array.from({ length: 8 }, (_, i) => {
      const family = families[i % 2]!
      const body = bodyOf('cat/flood', true)
      const { pathname, host } = new URL(endpointOf(family, gateway.url))
      const socket = net.connect(Number(port), '127.0.0.1')
      socket.on('error', () => {})
      const headers = Object.entries(headersOf(family)).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.write(`POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\n${headers.join('')}content-length: ${body.length}\r\n\r\n${body}`)
      socket.pause()
      return socket
    })
    await until(5000, 'all calls arrive', () => bad.calls.length === first + sockets.length)
    const sent = () => bad.calls.slice(first).reduce((sum, call) => sum + call.sent(), 0)
    let highest = 0
    let last = -1
    let still = 0
    await until(15_000, 'the flood stands still', async () => {
      highest = Math.max(highest, gateway.rss())
      const now = sent()
      still = now === last ? still + 1 : 0
      last = now
      await Bun.sleep(40)
      return still >= 10
    })
    console.log(`8 stalled readers of a flood: ${mb(sent())} taken from the upstream, RSS ${mb(before)} before, ${mb(highest)} at most`)
    expect(highest - before).toBeLessThan(60 * MB)
    // reading again brings more: it was held back, not dropped
    const at = sent()
    sockets[0]!.resume()
    await until(5000, 'the flood flows again', () => sent() > at + 10 * MB)
    for (const socket of sockets) socket.destroy()
    await until(2000, 'no upstream call runs', () => bad.running() === 0)
  })
})

/** A figure once it has stopped falling. */
async function steady(read: () => number): Promise<number> {
  let low = read()
  let since = 0
  await until(10_000, 'memory is steady', async () => {
    await Bun.sleep(100)
    const now = read()
    since = now < low - MB ? 0 : since + 1
    low = Math.min(low, now)
    return since >= 10
  })
  return low
}

function mb(bytes: number): string {
  return `${(bytes / MB).toFixed(1)} MB`
}

test('a connection that its client forgot after an answer is closed in time', async () => {
  const gateway = await startLocalGateway(gatewayConfig({ upstream: 'http://127.0.0.1:9', plugins }), {}, 1)
  const { hostname, port } = new URL(gateway.url)
  const socket = net.connect(Number(port), hostname)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const body = bodyOf('cat/x', false)
  const headers = Object.entries(headersOf('openai')).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n${headers.join('')}content-length: ${body.length}\r\n\r\n${body}`)
  const head = await new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(bytes.toString())))
  expect(head).toStartWith('HTTP/1.1 502')
  await within(15_000, 'the gateway closes the connection', closed) // four times the limit of 1 s, in coarse steps
  await gateway.stop()
})
