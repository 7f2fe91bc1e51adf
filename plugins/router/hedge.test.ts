/** A second call beside a slow first one: who is served, who is ended, and what the record says. */

import { describe, expect, test } from 'bun:test'
import type { SentRequest, UpstreamAnswer } from 'headgate/testkit'
import { byModel, kitOf } from './fallback.fixture.ts'

describe('a second call beside the first', () => {
  const never = (sent: SentRequest): UpstreamAnswer => ({
    body: (async function* () {
      while (!sent.signal.aborted) await Bun.sleep(2)
      yield ''
    })(),
  })
  const hedged = { hedge: '25ms' }

  test('is made when the first is slow; the quicker one is served and the other ended, in whatever dialect', async () => {
    const kit = await kitOf({ with: hedged, upstream: byModel({ one: never }) })
    for (const [dialect, model, stream] of [
      ['openai-chat', 'm', true],
      ['openai-chat', 'mixed', false],
      ['anthropic-messages', 'm', true],
    ] as const) {
      const r = await kit.send({ dialect, body: { model, stream } })
      expect(r).toMatchObject({ status: 200, text: 'two', outcome: { end: 'finished' } })
      expect(r.outcome.attempts).toMatchObject([
        { model: 'one', failure: 'aborted' },
        { model: 'two', status: 200 },
      ])
      expect(r.sent.map((s) => s.signal.aborted)).toEqual([true, false])
    }
    const { data } = (await (await kit.admin('/providers')).json()) as { data: { targets: { inflight: number; failures: number }[] }[] }
    for (const { inflight, failures } of data.flatMap((p) => p.targets)) expect([inflight, failures]).toEqual([0, 0])
    expect(kit.metrics()).toContain('headgate_router_hedges{upstream="openai"} 2')
    expect(await kit.close()).toBe(true)
  })

  test('is not made when the first is quick, and ends when the first comes after all', async () => {
    const slow = async (sent: SentRequest): Promise<UpstreamAnswer> => {
      const { model } = sent.json as { model: string }
      if (model === 'one') await Bun.sleep(60)
      return model === 'one' ? { text: 'one' } : never(sent)
    }
    const kit = await kitOf({ with: hedged })
    expect((await kit.chat({ model: 'm' })).sent).toHaveLength(1)
    kit.upstream(slow)
    const r = await kit.chat({ model: 'm', stream: true })
    expect(r).toMatchObject({ text: 'one', outcome: { served: { model: 'one' } } })
    expect(r.sent.map((s) => s.signal.aborted)).toEqual([false, true])
    expect(await kit.close()).toBe(true)
  })

  test('that fails too leaves the third, and all that failed are in the record', async () => {
    const kit = await kitOf({
      with: hedged,
      upstream: async (sent) => {
        const { model } = sent.json as { model: string }
        if (model === 'one') await Bun.sleep(60)
        return model === 'three' ? { text: 'three' } : { status: 500 }
      },
    })
    const r = await kit.chat({ model: 'm' })
    expect(r.text).toBe('three')
    expect(r.outcome.attempts.map((a) => [a.model, a.status])).toEqual([
      ['one', 500],
      ['two', 500],
      ['three', 200],
    ])
    await kit.close()
  })

  test('says of the reply what was dropped for it, not for the other', async () => {
    const kit = await kitOf({ with: { ...hedged, prefer_native: false }, upstream: byModel({ one: never, two: {} }) })
    const r = await kit.messages({ model: 'mixed', top_k: 3 })
    expect(r).toMatchObject({ status: 200, outcome: { upstream: 'anthropic' } })
    expect(r.headers.get('x-gateway-dropped')).toBeNull()
    const other = await kitOf({
      with: { ...hedged, prefer_native: false },
      upstream: async (sent) => {
        if (sent.dialect === 'openai-chat') await Bun.sleep(60)
        return sent.dialect === 'openai-chat' ? { text: 'late' } : never(sent)
      },
    })
    const late = await other.messages({ model: 'mixed', top_k: 3 })
    expect(late).toMatchObject({ text: 'late' })
    expect(late.headers.get('x-gateway-dropped')).toBe('top_k')
    expect(late.outcome.dropped).toEqual(['top_k'])
    await kit.close()
    await other.close()
  })

  describe('where calls are bounded', () => {
    /** `one` of OpenAI and `two` of Anthropic, each with room for one call; those of `busy` are taken until they are freed. */
    const crowded = async (busy: readonly string[], wait: string, answer: (model: string) => UpstreamAnswer | Promise<UpstreamAnswer>) => {
      const held = new Map(
        busy.map((name) => [`holds-${name}`, { taken: Promise.withResolvers<void>(), freed: Promise.withResolvers<void>() }]),
      )
      const kit = await kitOf({
        models: {
          ...Object.fromEntries(busy.map((name) => [name, { targets: [{ upstream: name, model: `holds-${name}` }] }])),
          mixed: {
            targets: [
              { upstream: 'openai', model: 'one' },
              { upstream: 'anthropic', model: 'two' },
            ],
          },
        },
        with: { ...hedged, concurrency: { limit: 1, wait } },
        upstream: async (sent) => {
          const { model } = sent.json as { model: string }
          const place = held.get(model)
          if (!place) return await answer(model)
          place.taken.resolve()
          await place.freed.promise
          return {}
        },
      })
      const calls = busy.map((name) => kit.chat({ model: name }))
      for (const { taken } of held.values()) await taken.promise
      return {
        kit,
        free: (name: string) => held.get(`holds-${name}`)!.freed.resolve(),
        async end() {
          for (const { freed } of held.values()) freed.resolve()
          await Promise.all(calls)
          expect(await kit.close()).toBe(true)
        },
      }
    }

    test('a target that has no room for a second call is still there when the first has failed', async () => {
      let waits = ''
      const { kit, free, end } = await crowded(['anthropic'], '5s', async (model) => {
        if (model === 'two') return { text: 'two' }
        await Bun.sleep(60)
        waits = await (await kit.admin('/providers')).text()
        setTimeout(free, 30, 'anthropic')
        return { status: 500 }
      })
      const { status, text } = await kit.chat({ model: 'mixed' })
      expect([status, text]).toEqual([200, 'two'])
      // nor does it take a place in the queue while the first one may answer
      expect(waits.match(/"waiting":\d/g)).toEqual(['"waiting":0', '"waiting":0'])
      await end()
    })

    test('a first one that finds no place in time does not end the second one', async () => {
      const { kit, free, end } = await crowded(['openai', 'anthropic'], '80ms', async () => {
        await Bun.sleep(150)
        return { text: 'two' }
      })
      const answer = kit.chat({ model: 'mixed' })
      free('anthropic')
      const { status, text, outcome } = await answer
      expect([status, text, outcome.attempts.map(({ model }) => model)]).toEqual([200, 'two', ['two']])
      await end()
    })

    test('what the second one failed with is told, and counted, when the first one found no place', async () => {
      const { kit, free, end } = await crowded(['openai', 'anthropic'], '80ms', () => ({ status: 429 }))
      const answer = kit.chat({ model: 'mixed' })
      free('anthropic')
      const { status, outcome } = await answer
      expect([status, outcome.attempts.length]).toEqual([429, 1])
      expect(kit.metrics()).toContain('headgate_router_failures{upstream="anthropic",why="429"} 1')
      await end()
    })
  })
})
