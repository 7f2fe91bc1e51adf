/**
 * Changing a running gateway: the config file, a plugin file, and the end of the process, each while replies are on their way.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type BadUpstream, startBadUpstream } from '../support/bad-upstream.ts'
import { bodyOf, call, endpointOf, envelope, families, headersOf, verdictOf } from '../support/client.ts'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { auditPlugin, authPlugin, gatewayConfig } from '../support/gateway-config.ts'
import { until, within } from '../support/within.ts'

setDefaultTimeout(30_000)

/** A plugin that stamps replies, so that a client sees which version answered. */
const stamp = (word: string) => `import { definePlugin } from 'headgate/plugin'
export default definePlugin({
  api: 1, name: 'stamp', summary: 'Stamps replies', failure: 'closed',
  setup: () => ({
    reply: (_x, reply) => { reply.headers.set('x-stamp', '${word}') },
    event: (_x, event) => (event.type === 'text' ? { ...event, text: event.text.toUpperCase() + '${word}' } : undefined),
  }),
})
`

/** Counts in its own closure, which only the same instance still has after a reload. */
const counter = `import { definePlugin } from 'headgate/plugin'
export default definePlugin({
  api: 1, name: 'counter', summary: 'Counts replies', failure: 'closed',
  setup: () => { let n = 0; return { reply: (_x, reply) => { reply.headers.set('x-count', String(++n)) } } },
})
`

let bad: BadUpstream
beforeAll(async () => {
  bad = await startBadUpstream()
})
afterAll(() => bad.stop())

const configOf = (limit: number, plugins: readonly object[] = []) =>
  gatewayConfig({
    upstream: bad.url,
    plugins: [
      auditPlugin,
      authPlugin,
      { use: 'rate-limit', with: { requests: limit, window: '1h', by: 'key' } },
      ...plugins,
      { use: 'router' },
    ],
  })

/** Starts a stream that the upstream holds in its middle. */
async function held(gateway: GatewayProcess, family: (typeof families)[number], model = 'held') {
  bad.forModel(model, { do: 'hang-mid-stream' })
  const response = await fetch(endpointOf(family, gateway.url), {
    method: 'POST',
    headers: headersOf(family),
    body: bodyOf(`cat/${model}`, true),
  })
  const upstream = await until(2000, 'the call arrives', () =>
    bad.calls.find((one) => Buffer.from(one.request.body).includes(`"${model}"`)),
  )
  return { response, release: () => upstream.release(), text: response.text() }
}

const reloaded = (gateway: GatewayProcess, times: number) =>
  until(8000, `reload ${times}`, () => gateway.err().split('config reloaded').length - 1 >= times)

describe.concurrent('a running gateway', () => {
  test('takes a new config for new requests; a stream in flight ends on the old one; counters go on', async () => {
    const gateway = await startGateway({
      config: configOf(100, [{ use: './stamp.ts' }, { use: './counter.ts' }]),
      files: { 'stamp.ts': stamp('old'), 'counter.ts': counter },
    })
    const ask = () => call('openai', gateway.url, bodyOf('cat/known', false))
    const first = await ask()
    expect([first.status, first.headers.get('x-stamp')]).toEqual([200, 'old'])
    const before = Number(first.headers.get('x-ratelimit-remaining-requests') ?? first.headers.get('x-ratelimit-remaining'))
    const stream = await held(gateway, 'anthropic')
    expect(stream.response.headers.get('x-stamp')).toBe('old')

    gateway.write('gateway.yaml', configOf(100, [{ use: './counter.ts' }]))
    await reloaded(gateway, 1)
    const second = await ask()
    expect(second.headers.get('x-count')).toBe('3')
    expect([second.status, second.headers.get('x-stamp')]).toEqual([200, null])
    // the plugin was carried over with what it had counted: first, stream, second
    const after = Number(second.headers.get('x-ratelimit-remaining-requests') ?? second.headers.get('x-ratelimit-remaining'))
    expect(before - after).toBe(2)

    stream.release()
    const text = await stream.text
    expect(verdictOf('anthropic', text)).toBe('success')
    expect(text).toContain('HELLOold')
    expect(text).toContain(', FRIENDold')
    expect(await gateway.stop()).toBe(0)
  })

  test('a limit that was used up stays used up across reloads', async () => {
    const gateway = await startGateway({ config: configOf(2) })
    const ask = () => call('anthropic', gateway.url, bodyOf('cat/known', false))
    expect([(await ask()).status, (await ask()).status, (await ask()).status]).toEqual([200, 200, 429])
    gateway.write('gateway.yaml', configOf(2, [{ use: './stamp.ts' }]).replace('{', '{ '))
    gateway.write('stamp.ts', stamp('x'))
    gateway.signal('SIGHUP')
    await reloaded(gateway, 1)
    const refused = await ask()
    expect([refused.status, refused.headers.get('x-stamp')]).toEqual([429, null])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await gateway.stop()).toBe(0)
  })

  test('a broken file changes nothing and is reported by file, line and column', async () => {
    const good = configOf(100)
    const gateway = await startGateway({ config: good })
    const broken = good.replace('"use": "rate-limit"', '"use": "rate-limt"').replace('"drain"', '"drian"')
    const line = broken.split('\n').findIndex((text) => text.includes('rate-limt')) + 1
    gateway.write('gateway.yaml', broken)
    await until(8000, 'the mistake is reported', () => gateway.err().includes('was not reloaded'))
    expect(gateway.err()).toMatch(new RegExp(`gateway\\.yaml:${line}:\\d+`))
    expect(gateway.err()).toContain('drain') // did you mean
    expect((await call('openai', gateway.url, bodyOf('cat/known', true))).status).toBe(200)
    gateway.write('gateway.yaml', '{ this is not: [yaml')
    await until(8000, 'the second mistake is reported', () => gateway.err().split('was not reloaded').length === 3)
    expect((await call('openai', gateway.url, bodyOf('cat/known', true))).status).toBe(200)
    gateway.write('gateway.yaml', good)
    await reloaded(gateway, 1)
    expect(await gateway.stop()).toBe(0)
  })

  test('an edit of a plugin file acts on new requests; a broken edit does not', async () => {
    const gateway = await startGateway({ config: configOf(100, [{ use: './stamp.ts' }]), files: { 'stamp.ts': stamp('one') } })
    const ask = async () => {
      const answer = await call('openai', gateway.url, bodyOf('cat/known', true))
      return [answer.headers.get('x-stamp'), /HELLO(\w+)/.exec(answer.text)?.[1]]
    }
    expect(await ask()).toEqual(['one', 'one'])
    gateway.write('stamp.ts', stamp('second'))
    await reloaded(gateway, 1)
    expect(await ask()).toEqual(['second', 'second'])
    gateway.write('stamp.ts', 'export default { this is not TypeScript')
    await until(8000, 'the mistake is reported', () => gateway.err().includes('was not reloaded'))
    expect(await ask()).toEqual(['second', 'second'])
    gateway.write('stamp.ts', stamp('third one'.replace(' ', '')))
    await reloaded(gateway, 2)
    expect(await ask()).toEqual(['thirdone', 'thirdone'])
    expect(await gateway.stop()).toBe(0)
  })

  test('SIGTERM during a stream: it is finished, new requests are told so, the exit code is 0', async () => {
    const gateway = await startGateway({ config: configOf(100) })
    const streams = await Promise.all(families.map((family) => held(gateway, family, `drain-${family}`)))
    gateway.signal('SIGTERM')
    await until(2000, 'it says that it stops', () => gateway.err().includes('stopping'))
    const late = await call('anthropic', gateway.url, bodyOf('cat/known', false)).catch(() => undefined)
    if (late) {
      expect(late.status).toBe(529)
      expect(envelope('anthropic', late.text).type).toBe('overloaded_error')
    }
    for (const stream of streams) stream.release()
    for (const [i, stream] of streams.entries()) expect(verdictOf(families[i]!, await stream.text)).toBe('success')
    expect(await within(5000, 'the gateway ends', gateway.exited)).toBe(0)
    const lines = gateway.audit().filter((line) => line.end === 'finished')
    expect(lines).toHaveLength(2) // written before the process ended
    await gateway.stop()
  })

  test('SIGTERM with a stream that never ends: cut after the drain time, with an error, and the exit code is 0', async () => {
    const gateway = await startGateway({ config: configOf(100).replace('"10s"', '"300ms"') })
    const stream = await held(gateway, 'openai', 'never')
    gateway.signal('SIGTERM')
    const text = await within(5000, 'the stream ends', stream.text).catch((error: Error) => error.message)
    expect(verdictOf('openai', text)).not.toBe('success')
    expect(await within(5000, 'the gateway ends', gateway.exited)).toBe(0)
    await gateway.stop()
  })
})
