/** Whatever a conversation is, and however often a gateway is started anew in it: what was sent of it never changes, and it can be read back. */

import { expect, test } from 'bun:test'
import type { SessionValue } from 'headgate/plugin'
import type { PluginKit } from 'headgate/testkit'
import { chat, kitOf, numbered, read, run, type Step, type StepCall, send, sentMessages, source } from './conversation.fixture.ts'

/** A generator of numbers that is the same for the same seed. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
    return Math.abs(state ^ (state >>> 13)) % below
  }
}

const words = [
  'alpha',
  'beta',
  'value',
  'return',
  'const',
  'await',
  'ok',
  'né',
  '日本',
  '🙂',
  '\u2028',
  '"quoted"',
  '\\n',
  '[same as tool result #1]',
]
function conversationOf(seed: number, length: number): Step[] {
  const next = random(seed)
  const files = Array.from({ length: 4 }, (_, i) => source(20 + next(60), `f${i}`))
  const line = () => Array.from({ length: 1 + next(9) }, () => words[next(words.length)]!).join(' ')
  const text = (): string => {
    switch (next(8)) {
      case 0:
        return Array.from({ length: 20 + next(40) }, line).join(next(5) === 0 ? '\r\n' : '\n')
      case 1:
        return JSON.stringify(
          Array.from({ length: next(20) }, (_, i) => ({ id: i, name: line(), ok: next(2) === 0 })),
          undefined,
          next(3),
        )
      case 2:
        return Array.from({ length: 30 }, (_, i) => `src/dir/file${i % 3}.ts:${i}: ${line()}`).join('\n')
      case 3:
        return `\u001b[32mpass\u001b[0m ${'progress\r'.repeat(next(30))}\n${source(10, 'p')}\n\n<system-reminder>Be kind to ${line()}</system-reminder>`
      case 4:
        return ''
      default:
        return files[next(files.length)]!
    }
  }
  const call = (): StepCall => {
    const which = next(4)
    if (which === 0) return run(`cat f${next(4)}`, text())
    if (which === 1) return { tool: 'search_orders', input: { query: line() }, result: text() }
    const i = next(files.length)
    if (next(4) === 0) files[i] = files[i]!.replace(/step (\d+)/, (_, n) => `stage ${Number(n) + 1}`)
    return read(`src/f${i}.ts`, numbered(files[i]!))
  }
  return Array.from({ length }, (_, s) => ({
    ...(next(2) === 0 && { say: line() }),
    ...(next(5) > 0 ? { calls: Array.from({ length: 1 + next(3) }, call) } : { user: `${line()} ${s}` }),
  }))
}

const lengths = 14
async function replay(
  kit: PluginKit,
  steps: readonly Step[],
  between: (turn: number) => Promise<unknown>,
  session: Partial<SessionValue> = {},
) {
  const all: string[][] = []
  let before: string[] = []
  for (let turn = 1; turn <= steps.length; turn++) {
    const sent = sentMessages(await send(kit, chat(steps.slice(0, turn)), session))
    expect(sent.slice(0, before.length)).toEqual(before)
    all.push(sent)
    before = sent
    await between(turn)
  }
  return all
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'random conversation %d: replayed twice, and with restarts in the middle, the same bytes',
  async (seed) => {
    const steps = conversationOf(seed * 7919, lengths)
    const one = await replay(await kitOf({ classes: { derivable: true } }), steps, async () => {})
    const two = await replay(await kitOf({ classes: { derivable: true } }), steps, async () => {})
    const kit = await kitOf({ classes: { derivable: true } })
    const restarted = await replay(kit, steps, (turn) => (turn % 3 === 0 ? kit.reload({ fresh: true }) : Promise.resolve()))
    expect(two).toEqual(one)
    expect(restarted).toEqual(one)
    expect(kit.metrics()).not.toMatch(/tool_trim_ledger_mismatches \d/)
    expect(kit.metrics()).not.toContain('tool_trim_decode_refusals{')
  },
)

test('turns that come out of order, retries and forks of one conversation never change what was sent of its messages', async () => {
  const steps = conversationOf(4711, 16)
  const kit = await kitOf()
  const known = new Map<string, string>()
  const next = random(99)
  let most = 1
  for (let i = 0; i < 60; i++) {
    const turn = next(3) === 0 ? 1 + next(most) : Math.min(steps.length, most + 1)
    most = Math.max(most, turn)
    const list = chat(steps.slice(0, turn))
    const sent = sentMessages(await send(kit, list))
    for (const [k, text] of sent.entries()) {
      const key = `${k} ${JSON.stringify(list[k])}`
      expect(known.get(key) ?? text).toBe(text)
      known.set(key, text)
    }
  }
})
