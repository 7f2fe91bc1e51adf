/** What `audit verify` finds: one altered byte, rows that are missing, moved or added, ends that were written anew. */

import { describe, expect, test } from 'bun:test'
import { hashOf } from './chain.ts'
import { eachInItsFolder, kit, rows, start, verified } from './records.fixture.ts'
import { hashedColumns } from './row.ts'

eachInItsFolder()

describe('the chain', () => {
  const filled = async (more = {}) => {
    await start(more)
    for (let i = 0; i < 6; i++) await kit.chat()
    return await rows(6)
  }

  test('finds one altered byte in any column, and in a body', async () => {
    const all = await filled({ bodies: {} })
    const { sql } = kit.stores.records
    for (let tries = 0; tries < 500; tries++) {
      const [count] = await sql<{ n: bigint }>`SELECT count(*) AS n FROM audit_body`
      if (count!.n === 6n) break
      await Bun.sleep(5)
    }
    expect((await verified())[0]!.problems).toEqual([])
    const row = all[3]! as unknown as Record<string, string | bigint | number | boolean | null>
    for (const column of hashedColumns) {
      if (column === 'id') continue // tells another story: the next test
      const was = row[column]!
      const update = Object.assign([`UPDATE audit_exchange SET ${column} = `, ' WHERE id = ', ''], { raw: [] }) as never
      const other =
        typeof was === 'bigint' ? was + 1n : typeof was === 'number' ? was - 1 : typeof was === 'boolean' ? !was : `${was ?? ''}x`
      const value =
        was === null && /^(cost|turn|saved|first_ms|input|trimmed|\w+_saved|saved_gross|cache_(read|write)|output|reasoning)/.test(column)
          ? 1n
          : other
      await sql(update, value, row.id as string)
      const { problems } = (await verified())[0]!
      expect([column, new Set(problems.map((p) => p.seq))]).toEqual([column, new Set([4])])
      await sql(update, was, row.id as string)
    }
    expect((await verified())[0]!.problems).toEqual([])
    await sql`UPDATE audit_body SET request = replace(request, ${'test-model'}, ${'test-modem'}) WHERE id = ${all[1]!.id}`
    expect((await verified())[0]!.problems).toMatchObject([
      { seq: 2, kind: 'altered', message: expect.stringContaining('body of the request') },
    ])
    await sql`DELETE FROM audit_body WHERE id = ${all[1]!.id}`
    await sql`UPDATE audit_body SET reply = NULL WHERE id = ${all[2]!.id}`
    expect((await verified())[0]!.problems).toMatchObject([{ seq: 3, message: expect.stringContaining('body of the reply') }])
  })

  test('finds a missing row, rows that changed places, and a head that was cut off', async () => {
    const all = await filled()
    const { sql } = kit.stores.records
    await sql`DELETE FROM audit_exchange WHERE id = ${all[3]!.id}`
    expect((await verified())[0]!.problems).toMatchObject([{ seq: 4, kind: 'missing' }])
    await sql`UPDATE audit_exchange SET id = ${all[3]!.id} WHERE id = ${all[2]!.id}`
    const kinds = (await verified())[0]!.problems.map((p) => p.kind)
    expect(kinds).toContain('misplaced')
    expect(kinds).toContain('missing')
  })

  test('that was closed ends where it was closed', async () => {
    const all = await filled()
    expect(await kit.reload({ fresh: true })).toEqual([])
    await kit.chat()
    await rows(7)
    const { sql } = kit.stores.records
    for (let tries = 0; tries < 200 && !(await verified()).some((r) => r.closed); tries++) await Bun.sleep(5)
    const old = async () => (await verified()).find((r) => r.instance === all[0]!.instance)!
    expect(await verified()).toHaveLength(2)
    expect(await old()).toMatchObject({ closed: true, rows: 6, problems: [] })
    await sql`DELETE FROM audit_exchange WHERE id = ${all[5]!.id}`
    expect((await old()).problems).toMatchObject([{ kind: 'cut', seq: 6 }])
  })

  test('whose end was written anew, hashes and all, is not the one that was noted', async () => {
    const all = await filled()
    await kit.clock.advance(2000)
    const { sql } = kit.stores.records
    for (let tries = 0; tries < 500 && (await sql`SELECT id FROM audit_head WHERE seq = 6`).length === 0; tries++) await Bun.sleep(5)
    const last = { ...all[5]!, cost: 1n }
    await sql`UPDATE audit_exchange SET cost = ${1n}, hash = ${hashOf(last, all[4]!.hash, undefined)} WHERE id = ${last.id}`
    expect((await verified())[0]!.problems).toMatchObject([
      { seq: 6, kind: 'altered', message: expect.stringContaining('not the one that was noted') },
    ])
  })

  test('that was closed takes no more rows', async () => {
    const all = await filled()
    expect(await kit.reload({ fresh: true })).toEqual([])
    const { sql } = kit.stores.records
    for (let tries = 0; tries < 200 && !(await verified()).some((r) => r.closed); tries++) await Bun.sleep(5)
    const row = { ...all[5]!, id: `${all[5]!.instance}.000000000007`, seq: 7n }
    const more = { ...row, hash: hashOf(row, all[5]!.hash, undefined) }
    const names = Object.keys(more).filter((name) => (more as never)[name] !== null)
    const text = [`INSERT INTO audit_exchange (${names.join(', ')}) VALUES (`, ...names.slice(1).map(() => ', '), ')']
    await sql(Object.assign(text, { raw: [] }) as never, ...names.map((name) => (more as never)[name]))
    const closed = (await verified()).find((r) => r.instance === all[0]!.instance)!
    expect(closed.problems).toMatchObject([{ seq: 7, kind: 'misplaced', message: expect.stringContaining('had closed this chain at 6') }])
  })

  test('with a key fits no other key', async () => {
    await filled({ chain_key: 'correct horse battery' })
    expect((await verified('correct horse battery'))[0]!.problems).toEqual([])
    expect((await verified('another key altogether'))[0]!.problems.length).toBeGreaterThan(0)
    expect((await verified())[0]!.problems.length).toBeGreaterThan(0)
  })
})
