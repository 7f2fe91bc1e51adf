/** Command lines are read as meant, and each mistake is named. */

import { expect, test } from 'bun:test'
import { parseArgs } from './args.ts'

const known = { options: ['config', 'tag'], repeatable: ['tag'], flags: ['json'], words: 2 }

test('options, flags, words, repeated options and - for standard input', () => {
  const args = parseArgs(['create', '--tag', 'a', '--json', '--tag=b=c', '--config=-', '-'], known)
  expect(args.words).toEqual(['create', '-'])
  expect(args.options).toEqual({ tag: 'b=c', config: '-' })
  expect(args.lists).toEqual({ tag: ['a', 'b=c'] })
  expect([...args.flags]).toEqual(['json'])
})

test('what follows -- are words', () => {
  expect(parseArgs(['--', '--json', 'x'], known).words).toEqual(['--json', 'x'])
})

test.each([
  [['--confg', 'x'], 'unknown option --confg; did you mean --config?'],
  [['-json'], 'unknown option -json; did you mean --json?'],
  [['--json=yes'], '--json takes no value'],
  [['--config'], '--config needs a value'],
  [['--config', '--json'], '--config needs a value'],
  [['--config', 'a', '--config', 'b'], '--config is given twice'],
  [['a', 'b', 'c'], 'unexpected argument "c"'],
])('%j', (argv, message) => {
  expect(() => parseArgs(argv, known)).toThrow(message)
})
