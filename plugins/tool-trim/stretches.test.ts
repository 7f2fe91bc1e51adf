/** How long others wait while results are read: thread CPU time of each stretch without a turn of the event loop, whatever else the machine does. */

import { expect, test } from 'bun:test'
import { definePlugin } from 'headgate/plugin'
import { chat, kitOf, numbered, run, type StepCall, send, source } from './conversation.fixture.ts'

const limit = 25
const lines = (length: number, write: (i: number) => string): string => {
  let text = ''
  for (let i = 1; text.length < length; i++) text += `${write(i)}\n`
  return text.slice(0, length)
}
const size = 128 * 1024
const call = (text: string): StepCall => run('make', text)

const texts: readonly (readonly [string, (i: number) => StepCall[]])[] = [
  [
    '200 results of 100 kB',
    (i) => Array.from({ length: 200 }, (_, k) => call(lines(100_000, (n) => `${i} line ${n} of ${k}: some words`))),
  ],
  ['one result of 20 MB', () => [call('x '.repeat(10_000_000))]],
  ['results as large as may be: numbered', (i) => [0, 1, 2].map((k) => call(numbered(source(2600, `v${i}${k}`)).slice(0, size)))],
  ['… paths', (i) => [0, 1, 2].map((k) => call(lines(size, (n) => `${'some/very/long/path/'.repeat(1 + (n % 12))}${i}${k}${n}`)))],
  ['… matches', (i) => [0, 1, 2].map((k) => call(lines(size, (n) => `src/some/path${n >> 4}.ts:${n}:${i}${k} foo bar`)))],
  ['… short lines, half of them seen', (i) => [0, 1, 2].map((k) => call(lines(size, (n) => `${n % 2 ? i : 0} ${k} word ${n}`)))],
]

/** Plugins directly above and below: between their hooks only the trimmer works. */
function watch() {
  let over = true
  let longest = 0
  let before = process.threadCpuUsage()
  const note = () => {
    const { user, system } = process.threadCpuUsage(before)
    longest = Math.max(longest, (user + system) / 1000)
    before = process.threadCpuUsage()
  }
  const turn = () => {
    if (over) return
    note()
    setImmediate(turn)
  }
  const plugin = (name: string, request: () => void) =>
    definePlugin({ api: 1, name, summary: 'Measures', failure: 'closed', setup: () => ({ request }) })
  return {
    above: plugin('from', () => {
      over = false
      longest = 0
      before = process.threadCpuUsage()
      setImmediate(turn)
    }),
    below: plugin('to', () => {
      note()
      over = true
    }),
    longest: () => longest,
  }
}

test.each(texts)(`nobody waits for more than ${limit} ms: %s`, async (_, calls) => {
  const { above, below, longest } = watch()
  const kit = await kitOf({ min_prompt: 0 }, { above: [above], below: [below] })
  // the best of two: code is compiled and garbage collected at times, too
  const took: number[] = []
  for (let i = 0; i < 2; i++) {
    await send(kit, chat([{ calls: calls(i) }]), { id: `ses_${i}` })
    took.push(longest())
  }
  expect(took.every((ms) => ms >= 0)).toBe(true)
  expect(Math.min(...took)).toBeLessThan(limit)
})
