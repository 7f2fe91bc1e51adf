/** Memory is bounded by what the operator said, however many conversations run. */

import { expect, test } from 'bun:test'
import { branches } from './branch.ts'
import { chat, kitOf, read, send, source } from './conversation.fixture.ts'

const held = (metrics: string): number => Number(/^headgate_tool_trim_memory_bytes(?:\{[^}]*\})? (\S+)$/m.exec(metrics)?.[1] ?? Number.NaN)

test('of many sessions the longest unused are let go, and go on with the same bytes', async () => {
  const limit = 1_000_000
  const kit = await kitOf({ memory: '1mb', min_prompt: 0 })
  const list = (i: number) =>
    chat([{ calls: [read('a.ts', source(60, `s${i}`))] }, { say: 'Again', calls: [read('a.ts', source(60, `s${i}`))] }])
  const first = await send(kit, list(0), { id: 'ses_0' })
  let most = 0
  for (let i = 1; i <= 120; i++) {
    await send(kit, list(i), { id: `ses_${i}` })
    most = Math.max(most, held(kit.metrics()))
  }
  expect(most).toBeGreaterThan(limit / 2)
  expect(most).toBeLessThanOrEqual(1024 * 1024)
  expect(Buffer.from((await send(kit, list(0), { id: 'ses_0' })).sent[0]!.body).toString()).toBe(
    Buffer.from(first.sent[0]!.body).toString(),
  )
})

test('a hundred thousand conversations take no more than the limit, and room is given back', () => {
  const kept = branches(2_000_000)
  const marks = { characters: 0 }
  for (let i = 0; i < 100_000; i++) {
    const records = [{ texts: [], plain: true, hash: 0n, keptAt: 0, size: 200 }]
    kept.put(`ses_${i}`, { records, marks, reader: { history: { seen: [{ text: 'x'.repeat(100) }] } } } as never)
    if (i % 1000 === 0) expect(kept.size).toBeLessThanOrEqual(2_000_000)
  }
  expect(kept.count).toBeGreaterThan(1000)
  expect(kept.take('ses_0')).toBeUndefined()
  expect(kept.take('ses_99999')).toBeDefined()
  kept.clear()
  expect([kept.size, kept.count]).toEqual([0, 0])
})
