/** Where a request goes: names of models, what clients may wish, health, bounds. In a real gateway before a scripted upstream. */

import { describe, expect, test } from 'bun:test'
import { Principal } from 'headgate/plugin'
import { errorOf, kitOf, modelOf, models, modelsOf, target } from './targets.fixture.ts'

describe('the model that an id means', () => {
  test.each([
    ['acme/big', 'big'],
    ['big', 'big'],
    ['fast', 'small'],
    ['openai/acme/big', 'big'],
    ['anthropic/acme/big', 'big-a'],
  ])('%s is %s at the upstream', async (asked, sent) => {
    const kit = await kitOf({ aliases: { fast: 'acme/small' } })
    expect(modelsOf(await kit.chat({ model: asked }))).toEqual([sent])
    await kit.close()
  })

  test.each(['same', 'nobody/acme/big', 'anthropic/acme/small', 'constructor'])('%s is none: 404', async (asked) => {
    const kit = await kitOf()
    expect(await kit.chat({ model: asked })).toMatchObject({ status: 404, sent: [], outcome: { code: 'model_not_found' } })
    await kit.close()
  })

  test('another spelling gives no more than the key may use, and can be turned off', async () => {
    const restricted = (globs: string[]) => ({ slots: [[Principal, { ...Principal.example, models: globs }]] as const })
    const kit = await kitOf({ aliases: { fast: 'acme/small' } }, { slots: [[Principal, Principal.example]] })
    const status = async (model: string, globs: string[]) => (await kit.chat({ model }, restricted(globs))).status
    expect(await status('openai/acme/big', ['openai/*'])).toBe(403)
    expect(await status('openai/acme/big', ['acme/*'])).toBe(200)
    expect(await status('big', ['b*'])).toBe(403)
    expect(await status('fast', ['fast'])).toBe(200)
    const exact = await kitOf({ loose_names: false })
    for (const model of ['big', 'openai/acme/big']) expect((await exact.chat({ model })).status).toBe(404)
    await kit.close()
    await exact.close()
  })

  test('with a named upstream there is no fallback to another', async () => {
    const kit = await kitOf({}, { upstream: { status: 500 } })
    expect(modelsOf(await kit.chat({ model: 'openai/acme/big' }))).toEqual(['big'])
    await kit.close()
  })

  test.each([
    [{ aliases: { x: 'nope' } }, /aliases\.x: .*"nope"/],
    [{ fallback_models: { '*': ['nope'] } }, /fallback_models\.\*: .*"nope"/],
    [{ concurrency: { upstreams: { nope: 1 } } }, /concurrency\.upstreams: .*"nope"/],
  ])('%j is a mistake at the start', async (config, says) => {
    await expect(kitOf(config)).rejects.toThrow(says)
  })
})

describe('what clients may say', () => {
  const open = { client: { models: true, provider: true, header: 'x-go-to' } }

  test('SOLR-3: `models` is a chain of fallbacks, and leaves the body like `route` and `provider`', async () => {
    const kit = await kitOf(open, { upstream: (sent) => (modelOf(sent) === 'same-1' ? { text: 'yes' } : { status: 500 }) })
    const r = await kit.chat({ model: 'acme/big', models: ['acme/big', 'other/same'], route: 'fallback', provider: { order: ['openai'] } })
    expect(modelsOf(r)).toEqual(['big', 'big-a', 'same-1'])
    for (const { json } of r.sent) for (const name of ['models', 'route', 'provider']) expect(json).not.toHaveProperty(name)
    expect(r.outcome).toMatchObject({ modelAsked: 'acme/big', attempts: [{ status: 500 }, { status: 500 }, { status: 200 }] })
    const nameless = await kit.chat('{"models":["other/same"],"messages":[{"role":"user","content":"x"}]}')
    expect([nameless.status, modelsOf(nameless)]).toEqual([200, ['same-1']])
    await kit.close()
  })

  test('only with leave: else the members go on untouched', async () => {
    const kit = await kitOf({}, { upstream: { status: 500 } })
    const r = await kit.chat(
      { model: 'acme/small', models: ['acme/big'], provider: { only: ['x'] } },
      { headers: { 'x-go-to': 'anthropic' } },
    )
    expect(modelsOf(r)).toEqual(['small'])
    expect(r.sent[0]!.json).toMatchObject({ models: ['acme/big'], provider: { only: ['x'] } })
    await kit.close()
  })

  test('only models that the key may use', async () => {
    const kit = await kitOf(open, { slots: [[Principal, { ...Principal.example, models: ['acme/*'] }]] })
    const r = await kit.chat({ model: 'acme/big', models: ['acme/small', 'other/same'] })
    expect([r.status, r.sent.length, errorOf(r).param]).toEqual([403, 0, 'models'])
    expect((await kit.chat({ model: 'acme/big', models: ['acme/small'] })).status).toBe(200)
    await kit.close()
  })

  test.each([
    [{ models: 'acme/big' }, 'models'],
    [{ models: [1] }, 'models'],
    [{ models: Array.from({ length: 17 }, () => 'acme/big') }, 'models'],
    [{ route: 'cheapest' }, 'route'],
    [{ provider: [] }, 'provider'],
    [{ provider: { order: 'openai' } }, 'provider.order'],
    [{ provider: { allow_fallbacks: 1 } }, 'provider.allow_fallbacks'],
    [{ provider: { sort: 'best' } }, 'provider.sort'],
    [{ provider: { zdr: true } }, 'provider.zdr'],
    [{ provider: { only: ['nope'] } }, 'provider'],
    [{ provider: { ignore: ['openai', 'anthropic'] } }, 'provider'],
  ])('%j is a 400 that says where', async (body, param) => {
    const kit = await kitOf(open)
    const r = await kit.chat({ model: 'acme/big', ...body })
    expect([r.status, r.sent.length, errorOf(r).param]).toEqual([400, 0, param])
    await kit.close()
  })

  test('the order of upstreams, which may serve, and whether others may at all', async () => {
    const kit = await kitOf(open, { upstream: { status: 500 } })
    const tried = async (provider: object) => modelsOf(await kit.chat({ model: 'acme/big', provider }))
    expect(await tried({ order: ['anthropic'] })).toEqual(['big-a', 'big'])
    expect(await tried({ order: ['anthropic'], allow_fallbacks: false })).toEqual(['big-a'])
    expect(await tried({ only: ['anthropic'] })).toEqual(['big-a'])
    expect(await tried({ ignore: ['openai'] })).toEqual(['big-a'])
    expect(await tried({})).toEqual(['big', 'big-a'])
    await kit.close()
  })

  test('ANYR-6: a header forces one upstream; none of that name, or one that does not serve the model, is a 400 without a fallback', async () => {
    const kit = await kitOf(open, { upstream: { status: 500 } })
    const forced = (upstream: string, model = 'acme/big') => kit.chat({ model }, { headers: { 'X-Go-To': upstream } })
    const r = await forced('anthropic')
    expect(modelsOf(r)).toEqual(['big-a'])
    expect(r.sent[0]!.headers.get('x-go-to')).toBeNull()
    expect([(await forced('nope')).status, errorOf(await forced('nope')).message]).toEqual([
      400,
      expect.stringContaining('no upstream "nope"'),
    ])
    const wrong = await forced('anthropic', 'acme/small')
    expect([wrong.status, wrong.sent.length, errorOf(wrong).message]).toEqual([400, 0, expect.stringContaining('does not serve')])
    await kit.close()
  })
})

describe('health', () => {
  test('a target that fails is left out after a while, probed when it has cooled down, and used again when it is well', async () => {
    let sick = true
    const kit = await kitOf({}, { upstream: (sent) => (modelOf(sent) === 's1' && sick ? { status: 500 } : {}) })
    const tried = async () => modelsOf(await kit.chat({ model: 'spread' }))
    for (let i = 0; i < 5; i++) expect(await tried()).toEqual(['s1', 's2'])
    for (let i = 0; i < 3; i++) expect(await tried()).toEqual(['s2'])
    expect(kit.metrics()).toContain('headgate_router_circuit_opened{upstream="openai"} 1')
    expect(kit.logs).toContainEqual(expect.objectContaining({ message: 'circuit opened', upstream: 'openai', model: 's1', failure: '500' }))
    await kit.clock.advance(5000)
    expect(await tried()).toEqual(['s1', 's2'])
    expect(await tried()).toEqual(['s2'])
    sick = false
    await kit.clock.advance(10_000)
    for (let i = 0; i < 3; i++) expect(await tried()).toEqual(['s1'])
    await kit.close()
  })

  test('the last one is called all the same, and so is one of several that are all down', async () => {
    const kit = await kitOf({}, { upstream: { status: 500 } })
    for (let i = 0; i < 8; i++) expect((await kit.chat({ model: 'acme/small' })).sent).toHaveLength(1)
    for (let i = 0; i < 8; i++) expect((await kit.chat({ model: 'spread' })).sent.length).toBeGreaterThan(0)
    kit.upstream({})
    expect((await kit.chat({ model: 'spread' })).status).toBe(200)
    await kit.close()
  })

  test('a sole target is watched too: what it shows counts where it stands beside others', async () => {
    const shared = { ...models, alone: { targets: [target('openai', 's1')] } }
    const kit = await kitOf({}, { models: shared, upstream: (sent) => (modelOf(sent) === 's1' ? { status: 500 } : {}) })
    for (let i = 0; i < 5; i++) await kit.chat({ model: 'alone', stream: i % 2 === 0 })
    expect(modelsOf(await kit.chat({ model: 'spread' }))).toEqual(['s2'])
    kit.upstream({})
    await kit.clock.advance(5000)
    expect((await kit.chat({ model: 'alone' })).status).toBe(200)
    expect(modelsOf(await kit.chat({ model: 'spread' }))).toEqual(['s1'])
    await kit.close()
  })

  test('a stream that breaks after content counts against its target', async () => {
    const kit = await kitOf({}, { upstream: (sent) => (modelOf(sent) === 's1' ? { breakAfter: 3 } : {}) })
    for (let i = 0; i < 5; i++) expect((await kit.chat({ model: 'spread', stream: true })).outcome.end).toBe('failed')
    expect(modelsOf(await kit.chat({ model: 'spread', stream: true }))).toEqual(['s2'])
    await kit.close()
  })

  test('G09: bad requests do not, however many', async () => {
    const kit = await kitOf({}, { upstream: { status: 400, message: 'bad' } })
    for (let i = 0; i < 30; i++) await kit.chat({ model: 'spread' })
    expect(modelsOf(await kit.chat({ model: 'spread' }))).toEqual(['s1'])
    await kit.close()
  })

  test('Retry-After of a limit rests a target for so long', async () => {
    const limited = { status: 429, headers: { 'retry-after': '20' } }
    const kit = await kitOf({}, { upstream: (sent) => (modelOf(sent) === 's1' ? limited : {}) })
    expect(modelsOf(await kit.chat({ model: 'spread' }))).toEqual(['s1', 's2'])
    expect(modelsOf(await kit.chat({ model: 'spread' }))).toEqual(['s2'])
    await kit.clock.advance(20_000)
    expect(modelsOf(await kit.chat({ model: 'spread' }))).toEqual(['s1', 's2'])
    await kit.close()
  })

  test('ANYR-5: is told per upstream, in a word to callers and in full to the operator', async () => {
    const kit = await kitOf(
      { providers_path: '/providers' },
      { upstream: (sent) => (sent.dialect === 'openai-chat' ? { status: 500 } : {}) },
    )
    const words = async () => ((await (await kit.fetch('/providers')).json()) as { data: { name: string; status: string }[] }).data
    expect(await words()).toEqual([
      { name: 'openai', status: 'unknown' },
      { name: 'anthropic', status: 'unknown' },
    ])
    await kit.chat({ model: 'acme/big' })
    expect((await words()).map((p) => p.status)).toEqual(['degraded', 'operational'])
    for (let i = 0; i < 5; i++) await kit.chat({ model: 'acme/big' })
    expect((await words()).map((p) => p.status)).toEqual(['down', 'operational'])
    const full = (await (await kit.admin('/providers')).json()) as { data: { targets: object[] }[] }
    expect(full.data[0]!.targets).toEqual([
      expect.objectContaining({
        upstream: 'openai',
        model: 'big',
        circuit: 'open',
        status: 'down',
        last_failure: '500',
        calls: 5,
        failures: 5,
        inflight: 0,
      }),
    ])
    expect(full.data[1]!.targets).toMatchObject([{ upstream: 'anthropic', first_content_ms: expect.any(Number) }])
    await kit.close()
  })
})

describe('calls at the same time', () => {
  /** Answers when it is told to. */
  function held() {
    const waiting: (() => void)[] = []
    return {
      upstream: async () => {
        await new Promise<void>((resolve) => waiting.push(resolve))
        return {}
      },
      async arrived(n: number) {
        while (waiting.length < n) await Bun.sleep(1)
      },
      let: (n: number) => {
        for (const go of waiting.splice(0, n)) go()
      },
      waiting: () => waiting.length,
    }
  }

  test('are bounded per upstream; who waits is served in turn, beyond the time that a plugin has', async () => {
    const at = held()
    const kit = await kitOf({ concurrency: { upstreams: { openai: 2 } } }, { upstream: at.upstream, timeout: 15 })
    const calls = Array.from({ length: 5 }, () => kit.start({ body: { model: 'acme/small' } }))
    await at.arrived(2)
    await Bun.sleep(30)
    expect(at.waiting()).toBe(2)
    at.let(2)
    await at.arrived(2)
    at.let(2)
    await at.arrived(1)
    at.let(1)
    for (const call of calls) expect((await call.result()).status).toBe(200)
    expect(((await (await kit.admin('/providers')).json()) as { data: { targets: object[] }[] }).data[0]!.targets).toMatchObject([
      { calls: 5, inflight: 0, queue: { active: 0, limit: 2, waiting: 0 } },
    ])
    await kit.close()
  })

  test('a full queue is a 503 with Retry-After, at once; a long wait is one too; with another target there is none', async () => {
    const at = held()
    const kit = await kitOf({ concurrency: { upstreams: { openai: 1 }, queue: 1, wait: '40ms' } }, { upstream: at.upstream })
    const first = kit.start({ body: { model: 'acme/small' } })
    await at.arrived(1)
    const second = kit.start({ body: { model: 'acme/small' } })
    await Bun.sleep(5)
    const third = await kit.chat({ model: 'acme/small' })
    expect([third.status, third.headers.get('retry-after'), errorOf(third).message]).toEqual([
      503,
      '1',
      expect.stringContaining('the queue is full'),
    ])
    expect(third.outcome).toMatchObject({ end: 'refused', code: 'overloaded', attempts: [] })
    expect(errorOf(await second.result()).message).toContain('no place became free')
    const elsewhere = kit.start({ body: { model: 'acme/big' } })
    await at.arrived(2)
    at.let(2)
    expect((await elsewhere.result()).outcome.upstream).toBe('anthropic')
    expect((await first.result()).status).toBe(200)
    await kit.close()
  })

  test('a client that leaves the queue makes no call', async () => {
    const at = held()
    const kit = await kitOf({ concurrency: { limit: 1 } }, { upstream: at.upstream })
    const first = kit.start({ body: { model: 'acme/small' } })
    await at.arrived(1)
    const second = kit.start({ body: { model: 'acme/small' } })
    await Bun.sleep(30)
    second.abort()
    expect(await second.outcome()).toMatchObject({ attempts: [], end: 'abandoned', status: 499 })
    at.let(1)
    await first.result()
    expect(await kit.close()).toBe(true)
  })
})
