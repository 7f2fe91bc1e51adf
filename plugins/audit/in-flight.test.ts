/** The file of exchanges under way: what a dead process left is found once; what lives is left alone. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Begun, inFlightFile, leftBehind } from './in-flight.ts'

let folder: string
let base: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-audit-'))
  base = join(folder, 'under')
})
afterEach(() => rmSync(folder, { recursive: true }))

const begun = (id: string): Begun => ({
  id,
  at: 1_700_000_000_000,
  operation: 'chat',
  dialect: 'openai-chat',
  caller: 'key_ä',
  model: 'a\tb',
})

/** Runs code in a process that is killed with what it had under way. */
async function killed(code: string): Promise<void> {
  const script = `import { inFlightFile } from ${JSON.stringify(join(import.meta.dir, 'in-flight.ts'))}
    const file = inFlightFile(${JSON.stringify(base)}, 'dead')
    const begun = (id) => ({ id, at: 1700000000000, operation: 'chat', dialect: 'openai-chat', caller: 'key_ä', model: 'a\\tb' })
    ${code}
    process.kill(process.pid, 'SIGKILL')`
  await Bun.spawn([process.execPath, '-e', script], { stdout: 'inherit', stderr: 'inherit' }).exited
}

test('what a killed process had under way is read, in whole, and goes when it is dealt with', async () => {
  await killed(
    `file.begin(begun('req_1')); const b = file.begin(begun('req_2')); file.end(b); file.begin({ ...begun('req_3'), model: 'x'.repeat(5000) })`,
  )
  const [left, ...others] = leftBehind(base)
  expect(others).toEqual([])
  expect(left!.instance).toBe('dead')
  expect(left!.begun.map((b) => b.id)).toEqual(['req_1', 'req_3'])
  expect(left!.begun[0]).toEqual(begun('req_1'))
  expect(left!.begun[1]!.model.length).toBeGreaterThan(100)
  expect(leftBehind(base)).toEqual([])
  left!.release()
  const again = leftBehind(base)
  expect(again).toHaveLength(1)
  again[0]!.remove()
  expect(readdirSync(folder)).toEqual([])
})

test('files of those that live are left alone, also of another host while it gives signs of life', () => {
  const file = inFlightFile(base, 'mine')
  file.begin(begun('req_1'))
  expect(leftBehind(base)).toEqual([])
  file.close()
  expect(readdirSync(folder)).toHaveLength(1) // something is under way
  const foreign = join(folder, 'under.other-host.1.theirs')
  const bytes = new Uint8Array(256)
  return Bun.write(foreign, bytes).then(() => {
    expect(leftBehind(base).map((l) => l.instance)).toEqual(['mine'])
    utimesSync(foreign, new Date(), new Date(Date.now() - 120_000))
    expect(leftBehind(base).map((l) => l.instance)).toEqual(['theirs'])
  })
})

test('a container of the same name, whose pids are counted apart, is another host', async () => {
  const other = join(folder, `under.${hostname().replace(/[^A-Za-z0-9.]/g, '_')}.4294967295.theirs`)
  for (const path of [other, other.replace('.4294967295', '')]) {
    // no process has the first pid here, and it lives there; the second is that of this very process
    const named = path.replace('theirs', path === other ? '2147483646.theirs' : `${process.pid}.theirs`)
    await Bun.write(named, new Uint8Array(256))
    expect(leftBehind(base)).toEqual([])
    utimesSync(named, new Date(), new Date(Date.now() - 120_000))
    const [left] = leftBehind(base)
    expect(left?.instance).toBe('theirs')
    left!.remove()
  }
})

test('slots are used again, and when all are taken more are not noted', () => {
  const file = inFlightFile(base, 'mine')
  const slots = Array.from({ length: 8192 }, (_, i) => file.begin(begun(`req_${i}`)))
  expect(new Set(slots).size).toBe(8192)
  expect(file.begin(begun('req_more'))).toBe(-1)
  file.end(-1)
  file.update(-1, begun('x'))
  for (const slot of slots) file.end(slot)
  expect(file.count).toBe(0)
  const again = file.begin(begun('req_again'))
  expect(slots).toContain(again)
  file.end(again)
  file.close()
  expect(readdirSync(folder)).toEqual([])
})
