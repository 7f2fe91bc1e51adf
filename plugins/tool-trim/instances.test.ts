/** Two instances on one store, in one conversation: what one has decided anew holds for the other, whatever that remembers. */

import { expect, test } from 'bun:test'
import { definePlugin, type Json, Session, type SessionValue } from 'headgate/plugin'
import { testPlugin } from 'headgate/testkit'
import { branches } from './branch.ts'
import { chat, run, type Step, source } from './conversation.fixture.ts'
import { written } from './entries.ts'
import { ledger } from './ledger.ts'
import { type Passed, passing } from './pass.ts'
import type { Policy } from './policy.ts'
import { rereads } from './rereads.ts'
import { sessions } from './sessions.ts'

const steps = (count: number): Step[] =>
  Array.from({ length: count }, (_, i) => ({ say: `Step ${i}`, calls: [run(`make ${i}`, source(12, `m${i}`))] }))

/** One instance: its own memory over a store that is shared. */
function instance(store: Map<string, Json>) {
  const kept = ledger(
    {
      get: async (key) => store.get(key),
      setIfAbsent: async (key, value) => !store.has(key) && !!store.set(key, value),
      set: async (key, value) => void store.set(key, value),
    },
    60_000,
    () => {},
  )
  const given: Policy = {
    classes: ['byte', 'void', 'ref', 'value'],
    refDistance: 20,
    minTokens: 64,
    maxResult: 128_000,
    kinds: {},
    notTools: [],
    skipMarked: false,
    controlShare: 0,
    mask: { turns: 3, tools: [] },
  }
  const pass = passing({
    ledger: kept,
    branches: branches(64_000_000),
    sessions: sessions(kept),
    policy: () => given,
    margin: 0,
    refresh: 60_000,
    told: { refused: () => {}, mismatch: () => {} },
    rereads: rereads({ add: async () => 0 } as never, () => {}),
  })
  return async (input: Parameters<typeof pass>[0]): Promise<Passed> => {
    const passed = (await pass(input))!
    await kept.claim(passed.claims.map(written))
    await kept.write(passed.writes.map(written))
    return passed
  }
}

test('what one has cleared stays cleared on the other, which remembers it uncleared', async () => {
  const store = new Map<string, Json>()
  const [one, other] = [instance(store), instance(store)]
  let work = one
  let session: SessionValue = { id: 'ses_1', turn: 1 } as SessionValue
  let made: Passed | undefined
  const host = definePlugin({
    api: 1,
    name: 'host',
    summary: 'Runs an instance over the request',
    wants: [Session],
    failure: 'closed',
    setup: () => ({
      async request(x) {
        const { request, dialect } = x
        made = await work({ request, dialect, scope: '', session, more: [], minPrompt: 0, now: 1_000_000 })
      },
    }),
  })
  const kit = await testPlugin(host)
  const cleared = async (at: typeof one, count: number, warmUntil: number): Promise<boolean[]> => {
    work = at
    session = { ...session, last: { at: 0, warmUntil } } as SessionValue
    expect((await kit.chat({ messages: chat(steps(count)) })).status).toBe(200)
    return made!.records.flatMap((record) => record.texts.map((text) => text.masked))
  }
  const warm = 2_000_000
  for (let i = 1; i <= 8; i++) expect(await cleared(other, i, warm)).not.toContain(true)
  // the cache is lost while the first has the conversation; the other remembers it up to the turn before
  const after = await cleared(one, 9, 500_000)
  expect(after.filter(Boolean).length).toBeGreaterThan(2)
  expect((await cleared(other, 9, warm)).slice(0, after.length)).toEqual(after)
  expect((await cleared(other, 10, warm)).slice(0, after.length)).toEqual(after)
  expect((await cleared(one, 11, warm)).slice(0, after.length)).toEqual(after)
  expect(await kit.close()).toBe(true)
})
