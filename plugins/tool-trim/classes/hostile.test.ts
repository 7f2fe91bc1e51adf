import { expect, test } from 'bun:test'
import { result, seen } from './class.fixture.ts'
import { composeTrim } from './compose.ts'
import { growingHistory } from './history.ts'
import { builtInTrimmers } from './index.ts'

const size = 1_000_000
const repeat = (text: string, length = size) => text.repeat(Math.ceil(length / text.length)).slice(0, length)
const lines = (write: (i: number) => string) => (length: number) => {
  let text = ''
  for (let i = 1; text.length < length; i++) text += `${write(i)}\n`
  return text
}

/** Texts of any length that were made to be slow. */
const hostile: Readonly<Record<string, (length: number) => string>> = {
  'one letter': (length) => repeat('a', length),
  'line ends': (length) => repeat('\n', length),
  'carriage returns': (length) => repeat('a\r', length),
  spaces: (length) => `${repeat(' ', length - 1)}x`,
  escapes: (length) => repeat('\x1b[1;', length),
  'titles without an end': (length) => repeat('\x1b]0;aaaaaaaaaa', length),
  'equal lines': lines(() => 'the same line'),
  'eight lines in turn': lines((i) => `the line number ${i % 8}`),
  numbers: lines((i) => `     ${i}→x`),
  'numbers of one line': lines(() => '9999999: x'),
  matches: lines((i) => `src/some/path.ts:${i}:foo`),
  'matches in matches': lines(() => `a.b:1:${'c:1:'.repeat(50)}`),
  paths: lines((i) => `${'some/very/long/path/'.repeat(1 + (i % 12))}${i}`),
  'heads of diffs': lines(() => `diff --git a/${'a'.repeat(100)} b/${'a'.repeat(99)}`),
  'reminders without an end': (length) => repeat('<system-reminder>', length),
  reminders: lines((i) => `<system-reminder>${i}</system-reminder>`),
  'spaces before reminders': (length) => repeat(`${' '.repeat(5000)}x<system-reminder>y</system-reminder>`, length),
  references: lines((i) => `[lines ${i}-${i + 5}: same as lines 1-5 of tool result #1 (Read a)]`),
  'absurd counts': lines(() => '[line above 9999999 times in all]'),
  'deep JSON': (length) => repeat('[', length),
  'deep objects': (length) => repeat('{"a":', length),
  'a long list': (length) => `[${repeat('1,', length - 3)}1]`,
  'a long string': (length) => `["${repeat('\\u0041', Math.floor(length / 6) * 6)}"]`,
  'scripts without an end': (length) => `<html>${repeat('<script>', length)}`,
  'tags without an end': (length) => `<html>${repeat('<p', length)}`,
  'nearly base64': (length) => repeat(`${'Ab1'.repeat(130)} `, length),
  'hexadecimal words': lines(() => `${'a'.repeat(590)} 1`),
  frames: lines(() => `  at ${'n'.repeat(500)}`),
}

const all = composeTrim(builtInTrimmers)
const sizes = [size, 160_000, 60_000]

test.each(Object.entries(hostile))('1 MB never holds the process up for more than 25 ms: %s', (_, make) => {
  for (const length of sizes) {
    const text = make(length)
    const took = (['shell', 'file', 'api'] as const).map((kind) => {
      // of this thread's processor time: others use this machine too
      return Math.min(
        ...[0, 1, 2, 3, 4].map(() => {
          const history = growingHistory()
          history.add(seen(text.slice(0, length / 2)))
          all(result('x'.repeat(300), { ordinal: 1 }), history) // what stands there already has been looked at
          const before = process.threadCpuUsage()
          all(result(text, { kind, ordinal: 2 }), history)
          const { user, system } = process.threadCpuUsage(before)
          return (user + system) / 1000
        }),
      )
    })
    expect(Math.max(...took)).toBeLessThan(25)
  }
})
