import { describe, expect, test } from 'bun:test'
import type { Host } from 'headgate/plugin'
import { seen } from '../watchdog/sent.ts'
import { createLanes, type Lane } from './lanes.ts'

/** Shared state alone. */
function hostWith(shared: Map<string, unknown>): Host {
  const state = {
    get: async (key: string) => structuredClone(shared.get(key)),
    set: async (key: string, value: unknown) => void shared.set(key, JSON.parse(JSON.stringify(value))),
  }
  return { state } as unknown as Host
}

const text = new Uint8Array(Buffer.from('["one","two"]'))
const units = [
  { kind: 'message', message: 0, role: 'user', start: 1, end: 6 },
  { kind: 'message', message: 1, role: 'user', start: 7, end: 12 },
] as const
const lane = (at: number): Lane => ({
  at,
  turns: 1,
  until: at,
  upstream: 'u',
  model: 'm',
  long: true,
  lifetime: 300_000,
  input: 10,
  cached: 9,
  marked: false,
  sent: seen(text, units, undefined, 0),
  client: seen(text, units, undefined, 0),
  edits: [[1, 'trim']],
  misses: 0,
  missUnit: -1,
})

describe('lanes', () => {
  test('are known to another instance, but for their bytes', async () => {
    const shared = new Map<string, unknown>()
    createLanes(hostWith(shared), 10, 1000).put('a', lane(5))
    const found = await createLanes(hostWith(shared), 10, 1000).find('a', 5, false)
    const { kept: _, ...sent } = lane(5).sent
    expect(found).toMatchObject({ at: 5, long: true, edits: [[1, 'trim']], sent, client: sent })
    expect(found!.sent.kept).toBeUndefined()
  })

  test('are asked for elsewhere only when somebody else may have served them', async () => {
    const shared = new Map<string, unknown>()
    const [here, there] = [createLanes(hostWith(shared), 10, 1000), createLanes(hostWith(shared), 10, 1000)]
    here.put('a', lane(1000))
    there.put('a', lane(900_000))
    expect(here.find('a', 1500, false)).toMatchObject({ at: 1000 })
    expect(await here.find('a', 900_000, false)).toMatchObject({ at: 900_000 })
    expect(here.find('new', undefined, true)).toBeUndefined()
    // what is known elsewhere may be older
    shared.set('lane:a', JSON.parse(JSON.stringify(shared.get('lane:a')).replaceAll('900000', '400000')))
    expect(await here.find('a', 990_000, false)).toMatchObject({ at: 900_000 })
  })

  test.each([
    ['nothing', undefined],
    ['a word', 'x'],
    ['another shape', { at: 1, sent: [1, 2] }],
    ['no prompt', { ...lane(1), sent: undefined }],
    ['other edits', { ...lane(1), sent: { units: 1, size: 1, hashes: '' }, edits: {} }],
  ])('of an instance of another version that wrote %s are as good as unknown', async (_, value) => {
    expect(await createLanes(hostWith(new Map([['lane:a', value]])), 10, 1000).find('a', 5, false)).toBeUndefined()
  })

  test('a store that fails, or hangs, leaves what is known here', async () => {
    for (const get of [() => Promise.reject(new Error('away')), () => new Promise(() => {})]) {
      const lanes = createLanes({ state: { get, set: () => Promise.reject(new Error('away')) } } as unknown as Host, 10, 1000)
      lanes.put('a', lane(5))
      expect(await lanes.find('a', 900_000, false)).toMatchObject({ at: 5 })
      expect(await lanes.find('b', undefined, false)).toBeUndefined()
    }
  })

  test('are bounded in number and in bytes', () => {
    const lanes = createLanes(hostWith(new Map()), 3, text.length * 4)
    for (let i = 0; i < 10; i++) lanes.put(`l${i}`, lane(i))
    expect([lanes.size, lanes.bytes]).toEqual([3, text.length * 4])
    expect(lanes.find('l0', undefined, true)).toBeUndefined()
    expect((lanes.find('l7', undefined, true) as Lane).sent.kept).toBeUndefined()
    expect((lanes.find('l9', undefined, true) as Lane).sent.kept).toBeDefined()
    lanes.put('l9', lane(20))
    expect(lanes.bytes).toBe(text.length * 4)
  })
})
