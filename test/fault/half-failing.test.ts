/**
 * Load over three upstreams of which one fails half of its calls: no client may see it, and what that costs in time is printed.
 *
 * The same load without the failing one gives the figures to compare with. Small on purpose: it shows behaviour, `test/bench` measures speed.
 */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { dataOf } from '../golden/naive.ts'
import { authPlugin, clientKey } from '../support/gateway-config.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { sampleStream, sampleText, sampleWhole } from '../support/sample-replies.ts'

setDefaultTimeout(60_000)

const requests = 1500
const workers = 16
/** Milliseconds before an upstream says anything. */
const thinking = 4

interface Upstream {
  readonly url: string
  calls: number
  failed: number
  /** Every second call fails, each in another way. */
  sick: boolean
  stop(): Promise<void>
}

function startUpstream(): Upstream {
  const { opening, content, closing } = sampleStream('openai-chat')
  const whole = sampleWhole('openai-chat')
  const frames = [...opening, ...content, ...closing].join('')
  const failing = [
    () => new Response('{"error":{"message":"boom","type":"server_error","param":null,"code":null}}', { status: 500 }),
    () => new Response('<html>Bad gateway</html>', { status: 502, headers: { 'content-type': 'text/html' } }),
    () => new Response('{"error":{"message":"Overloaded","type":"server_error","param":null,"code":"overloaded"}}', { status: 529 }),
    () => new Response('', { headers: { 'content-type': 'text/event-stream' } }),
    () => new Response(opening.join(''), { headers: { 'content-type': 'text/event-stream' } }),
  ]
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const n = upstream.calls++
      const body = (await request.json()) as { stream?: boolean }
      await Bun.sleep(thinking)
      if (upstream.sick && n % 2 === 0) {
        upstream.failed++
        return failing[(n / 2) % failing.length]!()
      }
      if (body.stream !== true) return new Response(whole, { headers: { 'content-type': 'application/json' } })
      return new Response(frames, { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  const upstream: Upstream = { url: server.url.origin, calls: 0, failed: 0, sick: false, stop: () => server.stop(true) }
  return upstream
}

const upstreams: Upstream[] = []
let gateway: LocalGateway

beforeAll(async () => {
  for (let i = 0; i < 3; i++) upstreams.push(startUpstream())
  const names = upstreams.map((_, i) => `up${i}`)
  const router = (id: string, more: object) => ({
    use: 'router',
    id,
    when: { model: [`${id}/*`] },
    with: { strategy: 'weighted', ...more },
  })
  gateway = await startLocalGateway(
    JSON.stringify({
      version: 1,
      upstreams: Object.fromEntries(upstreams.map(({ url }, i) => [`up${i}`, { dialect: 'openai', base_url: `${url}/v1`, key: 'k' }])),
      models: Object.fromEntries(
        ['breaker', 'plain', 'quick'].map((id) => [`${id}/*`, { targets: names.map((upstream) => ({ upstream, model: `${id}-*` })) }]),
      ),
      plugins: [
        authPlugin,
        router('breaker', {}),
        router('plain', { breaker: { enabled: false } }),
        router('quick', { strategy: 'lowest_latency' }),
      ],
    }),
  )
})
afterAll(async () => {
  await gateway.stop()
  for (const upstream of upstreams) await upstream.stop()
})

interface Figures {
  readonly failures: number
  readonly p50: number
  readonly p99: number
  readonly calls: readonly number[]
  readonly failed: number
}

/** Runs the load, half of it streamed. */
async function load(model: string, sick: boolean): Promise<Figures> {
  for (const upstream of upstreams) Object.assign(upstream, { calls: 0, failed: 0, sick: false })
  upstreams[1]!.sick = sick
  const times: number[] = []
  let failures = 0
  let next = 0
  const worker = async () => {
    while (next < requests) {
      const stream = next++ % 2 === 0
      const began = performance.now()
      const response = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}` },
        body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'Hello!' }] }),
      })
      const text = await response.text()
      times.push(performance.now() - began)
      if (response.status !== 200 || (stream ? textOf(text) : textOfWhole(text)) !== sampleText) failures++
    }
  }
  await Promise.all(Array.from({ length: workers }, worker))
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))]!
  return { failures, p50: at(0.5), p99: at(0.99), calls: upstreams.map((u) => u.calls), failed: upstreams[1]!.failed }
}

function textOf(stream: string): string {
  if (!stream.endsWith('data: [DONE]\n\n')) return 'incomplete'
  const frames = dataOf(stream).filter((data) => data !== '[DONE]')
  return frames.map((data) => (JSON.parse(data) as { choices: { delta: { content?: string } }[] }).choices[0]?.delta.content ?? '').join('')
}
function textOfWhole(text: string): string {
  return (JSON.parse(text) as { choices: { message: { content: string } }[] }).choices[0]!.message.content
}

test('one of three upstreams fails half of its calls: clients see none of it', async () => {
  await load('plain/warm', false)
  const healthy = await load('plain/a', false)
  const rows: string[] = []
  const show = (name: string, { failures, p50, p99, calls, failed }: Figures) => {
    const ms = (n: number) => `${n.toFixed(1).padStart(6)} ms`
    const added = `${ms(p50 - healthy.p50)} ${ms(p99 - healthy.p99)}`
    rows.push(
      `${name.padEnd(38)} ${String(failures).padStart(8)}  ${ms(p50)} ${ms(p99)}   ${added}   ${calls.join(' / ').padEnd(18)} ${failed}`,
    )
  }
  show('all well', healthy)
  for (const [name, model] of [
    ['one fails half, fallback alone', 'plain/b'],
    ['the same, with circuit breaker', 'breaker/b'],
    ['the same, lowest latency', 'quick/b'],
  ] as const) {
    const figures = await load(model, true)
    show(name, figures)
    expect(figures.failures).toBe(0)
    if (model.startsWith('plain')) {
      // a third of all, and half of those: each was answered by another
      expect(figures.failed).toBeGreaterThan(requests / 10)
      expect(figures.calls.reduce((a, b) => a + b)).toBe(requests + figures.failed)
    } else expect(figures.failed).toBeLessThan(requests / 20)
  }
  console.log(
    [
      `${requests} requests, ${workers} at a time                failures     p50       p99     added to p50, p99     calls per upstream  failed`,
      ...rows,
    ].join('\n'),
  )
  expect(healthy.failures).toBe(0)
})
