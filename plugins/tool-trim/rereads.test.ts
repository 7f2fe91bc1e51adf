import { describe, expect, test } from 'bun:test'
import { type State, StoreUnavailable } from 'headgate/plugin'
import { chat, kitOf, numbered, read, resultsOf, type Step, send, source } from './conversation.fixture.ts'
import { type Arm, rereads } from './rereads.ts'

const counting = () => {
  const totals = new Map<string, number>()
  const add = async (key: string, amount: number) => {
    totals.set(key, (totals.get(key) ?? 0) + amount)
    return totals.get(key)!
  }
  return { add } as unknown as State
}
async function feed(state: State, shares: Record<Arm, readonly [referred: number, again: number]>) {
  const found: number[][] = []
  const files = rereads(state, (trimmed, control) => found.push([trimmed, control]))
  for (const arm of ['control', 'trimmed'] as const) {
    for (let i = 0; i < shares[arm][0]; i++) {
      files.referred(arm)
      if (i < shares[arm][1]) files.again(arm)
    }
  }
  await Bun.sleep(0)
  return { files, found }
}

describe('references are given up', () => {
  test.each([
    ['surely more often than in the control group', { trimmed: [400, 120], control: [100, 8] }, true],
    ['as often', { trimmed: [400, 40], control: [100, 10] }, false],
    ['a little more often, as chance would have it', { trimmed: [400, 40], control: [60, 5] }, false],
    ['by too few cases', { trimmed: [100, 90], control: [100, 1] }, false],
    ['without a control group', { trimmed: [4000, 3000], control: [0, 0] }, false],
  ] as const)('when files are read again %s', async (_, shares, harmful) => {
    const { files, found } = await feed(counting(), shares)
    expect(files.harmful).toBe(harmful)
    expect(found).toHaveLength(harmful ? 1 : 0)
  })
})

test('cases of all instances count, and a store that is away loses none of this one', async () => {
  const state = counting()
  await feed(state, { trimmed: [150, 60], control: [50, 2] })
  expect((await feed(state, { trimmed: [100, 40], control: [50, 2] })).files.harmful).toBe(true)
  const away = { add: () => Promise.reject(new StoreUnavailable('away')) } as unknown as State
  const { files } = await feed(away, { trimmed: [3, 1], control: [0, 0] })
  expect(files.counts().trimmed).toEqual({ referred: 3, again: 1 })
  expect(files.gauge()).toEqual([{ value: 1 / 3, labels: { arm: 'trimmed' } }])
})

describe('a file that is read again', () => {
  const file = (lines: number) => numbered(source(lines))
  const steps: readonly Step[] = [
    { calls: [read('src/a.ts', file(60))] },
    { calls: [read('src/a.ts', file(61))] },
    { say: 'Hm', calls: [read('src/a.ts', file(62))] },
    { say: 'a', user: 'b' },
    { say: 'c', user: 'd' },
    { say: 'e', calls: [read('src/a.ts', file(63))] },
  ]
  test.each([
    [0, 'trimmed'],
    [100, 'control'],
  ] as const)('within two turns of a reference is counted once, at %d %% in the arm %s', async (share, arm) => {
    const kit = await kitOf({ control_share: share })
    for (let i = 1; i <= steps.length; i++) await send(kit, chat(steps.slice(0, i)))
    await send(kit, chat(steps))
    const said = (await (await kit.admin('/tool-trim')).json()) as { rereads: Record<string, unknown> }
    // given with references three times; of them one was read again in time
    expect(said.rereads[arm]).toEqual({ referred: 3, again: 1 })
    expect(kit.metrics()).toContain(`tool_trim_reread_share{arm="${arm}"}`)
  })
})

test('an operator can look at a session', async () => {
  const kit = await kitOf()
  const file = numbered(source(60))
  const r = await send(kit, chat([{ calls: [read('a', file)] }, { calls: [read('a', file)] }]))
  expect(resultsOf(r.sent[0]!.json)[1]).toContain('same as')
  const said = await (await kit.admin('/tool-trim/sessions/ses_1')).json()
  expect(said).toMatchObject({ session: 'ses_1', control: false, requests: 1, last_request: { results: 2, cleared: 0 } })
  expect((await kit.admin('/tool-trim/sessions/other')).status).toBe(404)
})
