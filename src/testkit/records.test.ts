import { expect, test } from 'bun:test'
import { definePlugin, type Migration } from 'headgate/plugin'
import { testPlugin } from 'headgate/testkit'

const tables: readonly Migration[] = [
  { id: '1', statements: ['CREATE TABLE notes_line (id TEXT PRIMARY KEY, at BIGINT NOT NULL, model TEXT)'] },
]

/** Writes a row per exchange, and lets nobody in while it can't count them. */
const notes = definePlugin({
  api: 1,
  name: 'notes',
  summary: 'counts exchanges in a table',
  failure: 'closed',
  async setup(host) {
    await host.records.migrate(tables)
    return {
      async admit(x) {
        const [row] = await host.records.sql<{ n: bigint }>`SELECT count(*) AS n FROM notes_line`
        if (row!.n >= 3n) return x.refuse('rate_limited')
      },
      async settle(x) {
        await host.records.append('notes_line', [{ id: x.id, at: BigInt(host.now()), model: 'm' }])
      },
    }
  },
})

test('a plugin has real SQL, and the test may look at its tables', async () => {
  const kit = await testPlugin(notes)
  expect((await kit.chat()).status).toBe(200)
  expect((await kit.chat()).status).toBe(200)
  expect(await kit.stores.records.sql`SELECT at, model FROM notes_line`).toEqual([
    { at: BigInt(kit.clock.now), model: 'm' },
    { at: BigInt(kit.clock.now), model: 'm' },
  ])
  await kit.chat()
  expect((await kit.chat()).status).toBe(429)
  expect(await kit.close()).toBe(true)
})

test('an outage: statements fail, appended rows wait and come in once', async () => {
  const kit = await testPlugin(notes)
  await kit.chat()
  kit.stores.records.down()
  expect((await kit.chat()).status).toBe(503)
  expect(await kit.stores.records.sql`SELECT count(*) AS n FROM notes_line`).toEqual([{ n: 1n }])
  await kit.stores.records.up()
  expect(await kit.stores.records.sql`SELECT count(*) AS n FROM notes_line`).toEqual([{ n: 2n }])
  expect((await kit.chat()).status).toBe(200)
  expect(await kit.reload({ fresh: true })).toEqual([])
  expect((await kit.chat()).status).toBe(429)
  await kit.close()
})

test('records that are down when the plugin is set up: it starts, and its tables are made later', async () => {
  const kit = await testPlugin(notes, { records: 'down' })
  expect((await kit.chat()).status).toBe(503)
  await kit.stores.records.up()
  expect((await kit.chat()).status).toBe(200)
  expect(await kit.stores.records.sql`SELECT count(*) AS n FROM notes_line`).toEqual([{ n: 2n }])
  await kit.close()
})
