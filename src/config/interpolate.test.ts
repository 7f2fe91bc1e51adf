// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
/** `${…}`: what is replaced, what is escaped, what is absent, and that the parser never sees inside. */

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Interpolated, interpolate, shield, unshield } from './interpolate.ts'

const run = (text: string): Interpolated =>
  interpolate(text, {
    env: { A: 'aaa', EMPTY: '', MY_KEY: 'kkk' },
    readFile: (path) => {
      if (path === 'f') return 'file text\r\n'
      if (path === 'two') return 'a\n\n'
      if (path === 'void') return '\n'
      throw Object.assign(new Error(), { code: path === 'locked' ? 'EACCES' : 'ENOENT' })
    },
  })

test.each([
  ['plain $ and { }', 'plain $ and { }'],
  ['${env:A}', 'aaa'],
  ['x${env:A}y${env:A}z', 'xaaayaaaz'],
  ['${env:NOPE:-d}', 'd'],
  ['${env:EMPTY:-d}', 'd'],
  ['${env:NOPE:-}', ''],
  ['${env:A:-d}', 'aaa'],
  ['${env:NOPE:-http://h:1/a, b}', 'http://h:1/a, b'],
  ['$${env:A}', '${env:A}'],
  ['$${env:A} ${env:A}', '${env:A} aaa'],
  ['${file:f}', 'file text'],
  ['${file:two}', 'a\n'],
])('%s becomes %s', (text, expected) => {
  const found = run(text)
  expect(found.kind === 'text' && found.text).toBe(expected)
})

test.each([
  ['${env:NOPE}', 'absent', 'the variable NOPE is not set'],
  ['${env:EMPTY}', 'absent', 'the variable EMPTY is empty'],
  ['${file:nope}', 'absent', 'the file nope does not exist'],
  ['${file:locked}', 'absent', 'the file locked may not be read by this user'],
  ['${file:void}', 'absent', 'the file void is empty'],
  ['${A}', 'wrong', '${A} is not understood'],
  ['${env:A', 'wrong', '`${` without `}`'],
  ['${env:a-b}', 'wrong', '"a-b" can\'t be the name of a variable'],
  ['${file:}', 'wrong', 'no file is named'],
  ['${env:toString}', 'absent', 'the variable toString is not set'],
])('%s is %s', (text, kind, message) => {
  expect(run(text) as { kind: string; message?: string }).toMatchObject({ kind, message })
})

test('what a file or a key variable holds is secret; what comes from outside is not interpolated again', () => {
  expect(run('${env:MY_KEY} ${env:A} ${file:f}')).toMatchObject({ secrets: ['kkk', 'file text'], outside: true })
  const twice = interpolate('${env:X}', { env: { X: '${env:Y}', Y: 'y' }, readFile: () => '' })
  expect(twice).toMatchObject({ text: '${env:Y}' })
})

test('shield keeps the length and is undone by unshield', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('${', '}', '{', ':', ',', '#', 'a', ' ', '\n', '[', '"', '$')).map((parts) => parts.join('')),
      (text) => {
        expect(shield(text)).toHaveLength(text.length)
        expect(unshield(shield(text))).toBe(text)
      },
    ),
  )
})
