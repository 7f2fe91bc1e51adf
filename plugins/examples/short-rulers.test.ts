import { expect, test } from 'bun:test'
import { type Exchange, type Host, type Trimmer, Trimmers } from 'headgate/plugin'
import { conformance } from 'headgate/testkit'
import shortRulers from './short-rulers.ts'

conformance(shortRulers)

/** The class, as the trimmer below is handed it. */
async function trimmer(): Promise<Trimmer> {
  let given: readonly Trimmer[] = []
  const hooks = await shortRulers.setup({} as Host, {})
  await hooks.request?.({
    put: (slot: unknown, value: readonly Trimmer[]) => {
      expect(slot).toBe(Trimmers)
      given = value
    },
  } as unknown as Exchange<never, never, typeof Trimmers, undefined>)
  expect(given.length).toBe(1)
  return given[0]!
}
const about = { tool: 'Bash', kind: 'shell', ordinal: 1 } as const
const nothing = { seen: [] }

test('rulers are counted, and drawn again', async () => {
  const { encode, decode } = await trimmer()
  const text = `${'='.repeat(80)}\nTests\n${'─'.repeat(30)}\n===\n| ${'-'.repeat(40)} |\n`
  const written = encode({ ...about, text }, nothing)!
  expect(written).toBe(`[= 80 times]\nTests\n[─ 30 times]\n===\n| ${'-'.repeat(40)} |\n`)
  expect(decode(written, about, nothing)).toBe(text)
})

test('a text that holds the notation does not come back as it was: tool-trim then leaves it alone', async () => {
  const { encode, decode } = await trimmer()
  const text = `[= 80 times]\n${'='.repeat(80)}`
  expect(decode(encode({ ...about, text }, nothing)!, about, nothing)).not.toBe(text)
})
