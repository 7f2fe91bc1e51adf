import { expect, test } from 'bun:test'
import { definePlugin, Principal, slot, Type } from '../plugin/index.ts'
import { textEvents } from './index.ts'
import { testPlugin } from './test-plugin.ts'

const quiet = definePlugin({ api: 1, name: 'quiet', summary: 'Does nothing', failure: 'open', setup: () => ({}) })

test.each(['openai-chat', 'anthropic-messages'])(
  '%s: a stream and a whole reply, as the client and the upstream see them',
  async (dialect) => {
    const kit = await testPlugin(quiet, { upstream: { text: ['Hello', ' wörld'] } })
    for (const stream of [true, false]) {
      const r = await kit.send({
        dialect,
        body: { stream, x_unknown: 1, stream_options: { include_usage: true } },
        headers: { authorization: 'Bearer sk-client' },
      })
      expect(r).toMatchObject({ status: 200, text: 'Hello wörld', broken: false })
      expect(r.outcome).toMatchObject({ end: 'finished', stream, usage: { source: 'reported', inputUncached: 7, outputVisible: 5 } })
      expect(r.frames.length > 3).toBe(stream)
      expect(r.sent).toHaveLength(1)
      expect(r.sent[0]).toMatchObject({ method: 'POST', dialect, stream, json: { model: 'test-model', stream, x_unknown: 1 } })
      expect(JSON.stringify([...r.sent[0]!.headers])).not.toContain('sk-client')
    }
    expect(await kit.close()).toBe(true)
  },
)

test('a script is one answer, a list, or a function; errors, breaks and refused connections are words', async () => {
  const kit = await testPlugin(quiet, { upstream: [{ status: 429, message: 'slow down', headers: { 'retry-after': '3' } }, {}] })
  const limited = await kit.chat()
  expect(limited).toMatchObject({ status: 429, json: { error: { message: 'slow down' } } })
  expect(limited.headers.get('retry-after')).toBe('3')
  expect((await kit.chat()).text).toBe('Hello from upstream')
  kit.upstream({ unreachable: true })
  expect((await kit.chat()).outcome).toMatchObject({ end: 'failed', code: 'upstream_unreachable', attempts: [{ failure: 'connect' }] })
  kit.upstream({ text: ['a', 'b', 'c'], breakAfter: 2 })
  expect((await kit.chat({ stream: true })).outcome).toMatchObject({ end: 'failed', attempts: [{ failure: 'reset' }] })
  kit.upstream((sent, call) => ({ text: `${call} ${sent.index} ${(sent.json as { model: string }).model}` }))
  expect((await kit.chat({ model: 'm' })).text).toBe('0 0 m')
  await kit.close()
})

test('slots that are needed have their examples, or the values of the test, or those of one call', async () => {
  const Colour = slot('testkit-colour', 'green')
  const teller = definePlugin({
    api: 1,
    name: 'teller',
    summary: 'Tells its slots',
    needs: [Principal, Colour],
    failure: 'closed',
    setup: () => ({
      reply(x, reply) {
        reply.headers.set('x-slots', `${x.get(Principal).id} ${x.get(Colour)}`)
      },
    }),
  })
  const kit = await testPlugin(teller, { slots: [[Colour, 'red']] })
  expect((await kit.chat()).headers.get('x-slots')).toBe('key_example red')
  const alice = { id: 'alice', kind: 'key', account: 'a', tags: [] }
  expect((await kit.chat({}, { slots: [[Principal, alice]] })).headers.get('x-slots')).toBe('alice red')
  expect((await kit.chat()).headers.get('x-slots')).toBe('key_example red')
  await kit.close()
})

test('a config that the plugin does not take, and a setup that throws, are said when the kit is made', async () => {
  const strict = definePlugin({
    api: 1,
    name: 'strict',
    summary: 'Wants a number',
    config: Type.Object({ limit: Type.Integer({ minimum: 1 }) }),
    failure: 'open',
    setup(_host, { limit }) {
      if (limit === 13) throw new Error('thirteen brings bad luck')
      return {}
    },
  })
  await expect(testPlugin(strict, { with: { limti: 1 } })).rejects.toThrow(/limti/)
  await expect(testPlugin(strict, { with: { limit: 13 } })).rejects.toThrow(/thirteen/)
  const kit = await testPlugin(strict, { with: { limit: 1 } })
  expect(await kit.reload({ with: { limit: 13 } })).toEqual([expect.stringContaining('thirteen')])
  expect(await kit.reload({ with: { limit: 2 } })).toEqual([])
  expect((await kit.chat()).status).toBe(200)
  await kit.close()
})

test('time moves only by the clock, and the host follows it', async () => {
  const ticks: number[] = []
  const timed = definePlugin({
    api: 1,
    name: 'timed',
    summary: 'Counts per minute, and ticks',
    failure: 'closed',
    setup(host) {
      host.task('tick', 10_000, async () => void ticks.push(host.now()))
      return {
        async admit(x) {
          if (!(await host.state.take('k', 1, 1, 60_000)).taken) return x.refuse('rate_limited')
          await host.state.set('seen', x.id, 1000)
        },
      }
    },
  })
  const kit = await testPlugin(timed)
  const start = kit.clock.now
  expect((await kit.chat()).status).toBe(200)
  expect((await kit.chat()).status).toBe(429)
  await kit.clock.advance(59_999)
  expect(ticks).toEqual([10_000, 20_000, 30_000, 40_000, 50_000].map((ms) => start + ms))
  expect((await kit.chat()).status).toBe(429)
  await kit.clock.advance(1)
  expect((await kit.chat()).status).toBe(200)
  await kit.close()
  await kit.clock.advance(60_000)
  expect(ticks).toHaveLength(6)
})

test('shared state can be away at first, and come and go: what was in it stays, and the log is not flooded', async () => {
  const limited = definePlugin({
    api: 1,
    name: 'limited',
    summary: 'Two requests',
    failure: 'closed',
    setup: (host) => ({
      async admit(x) {
        if (!(await host.state.take('k', 1, 2, 60_000)).taken) return x.refuse('rate_limited')
      },
    }),
  })
  const kit = await testPlugin(limited, { state: 'down' })
  const outages = () => kit.logs.filter((line) => line.message === 'hook admit failed')
  expect((await kit.chat()).status).toBe(503)
  for (let i = 0; i < 5; i++) await kit.chat()
  expect(outages()).toHaveLength(1)
  expect(outages()[0]!.error).toContain('shared state is down')
  kit.stores.up()
  expect((await kit.chat()).status).toBe(200)
  kit.stores.down()
  await kit.clock.advance(10_000)
  expect((await kit.chat()).status).toBe(503)
  expect(outages()[1]).toMatchObject({ since_last: 5 })
  kit.stores.up()
  expect((await kit.chat()).status).toBe(200)
  expect((await kit.chat()).status).toBe(429)
  expect(await kit.reload({ on_error: 'skip' })).toEqual([])
  kit.stores.down()
  expect((await kit.chat()).status).toBe(200)
  await kit.close()
})

test('a call can be read step by step, and left', async () => {
  const gate = Promise.withResolvers<void>()
  const kit = await testPlugin(quiet, {
    upstream: (sent) => ({
      body: (async function* () {
        const [first, ...rest] = sent.encode(textEvents('one', 'two'))
        yield first! + rest.shift()!
        await gate.promise
        yield* rest
      })(),
    }),
  })
  const stayed = kit.start({ body: { stream: true } })
  expect((await stayed.head()).status).toBe(200)
  expect(await stayed.read()).toContain('one')
  const left = kit.start({ body: { stream: true } })
  expect(await left.read()).toContain('one')
  left.abort()
  expect(await left.outcome()).toMatchObject({ end: 'abandoned', status: 200, streamState: 'client_disconnect' })
  expect(left.sent[0]!.signal.aborted).toBe(true)
  expect(stayed.sent[0]!.signal.aborted).toBe(false)
  gate.resolve()
  expect(await stayed.result()).toMatchObject({ text: 'onetwo', broken: false, outcome: { end: 'finished' } })
  await kit.close()
})

test('routes, health, metrics and logs of a plugin', async () => {
  const serving = definePlugin({
    api: 1,
    name: 'serving',
    summary: 'Has endpoints',
    failure: 'open',
    setup(host) {
      const hits = host.counter('hits', 'Hits')
      host.route({
        method: 'GET',
        path: '/hello/:name',
        summary: 'Says hello',
        handler: (_r, { name }) => {
          hits.add()
          return Response.json({ hello: name })
        },
      })
      host.admin({ method: 'POST', path: '/reset', summary: 'Resets', handler: () => new Response('done') })
      host.log.warn('ready to serve', { n: 1 })
      return {
        admit: (x) => (x.headers.has('x-bad') ? x.refuse('permission_denied') : undefined),
        health: () => 'not so well',
      }
    },
  })
  const kit = await testPlugin(serving)
  expect(await (await kit.fetch('/hello/a%20b')).json()).toEqual({ hello: 'a b' })
  expect((await kit.fetch('/hello/x', { headers: { 'x-bad': '1' } })).status).toBe(403)
  expect(await (await kit.admin('/reset', { method: 'POST' })).text()).toBe('done')
  await expect(kit.fetch('/nothing')).rejects.toThrow('no plugin serves GET /nothing')
  expect(await kit.health()).toBe('not so well')
  expect(kit.metrics()).toMatch(/headgate_hits.* 1/)
  expect(kit.logs).toContainEqual(expect.objectContaining({ level: 'warn', component: 'serving', message: 'ready to serve', n: 1 }))
  await kit.close()
})

test('a real server can stand for the script', async () => {
  using server = Bun.serve({ port: 0, fetch: () => new Response('{"error":{"message":"real"}}', { status: 418 }) })
  const kit = await testPlugin(quiet, { upstream: { url: server.url.href } })
  expect(await kit.chat()).toMatchObject({ status: 418, json: { error: { message: 'real' } } })
  await kit.close()
})
