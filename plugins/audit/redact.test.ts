/** What is taken out of texts before they are kept, and what is left alone. */

import { expect, test } from 'bun:test'
import { redactor } from './redact.ts'

const redact = redactor()

test.each([
  ['sk-proj-abcdefghijklmnopqrstuvwx', '[key]'],
  ['use sk-ant-REDACTED-efghijklmnop now', 'use [key] now'],
  ['Authorization: Bearer abc.def-ghi_jkl', 'Authorization: [key]'],
  ['AKIAABCDEFGHIJKLMNOP', '[key]'],
  ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc', '[key]'],
  ['ghp_abcdefghijklmnopqrst1234', '[key]'],
  ['mail ann.b+c@mail.example.co.uk.', 'mail [email].'],
  ['4111 1111 1111 1111', '[card]'],
  ['"5500-0000-0000-0004"', '"[card]"'],
  ['card:378282246310005;', 'card:[card];'],
])('%s becomes %s', (text, told) => expect(redact(text)).toBe(told))

test.each([
  '4111 1111 1111 1112', // the check digit is wrong
  '1700000000000', // a time in milliseconds that is no card
  '00000000000000',
  'a sketch-book, a task-force, risk-free',
  '@mention and a@b',
  'version 1.2.3-4',
])('%s stays', (text) => expect(redact(text)).toBe(text))

test('only what is named, and the patterns of the operator', () => {
  expect(redactor(['emails'])('4111 1111 1111 1111 a@b.cd')).toBe('4111 1111 1111 1111 [email]')
  expect(redactor([], ['AC-\\d+'])('AC-12, AC-345 sk-abcdefghijklmnop')).toBe('[redacted], [redacted] sk-abcdefghijklmnop')
  expect(() => redactor([], ['('])).toThrow(SyntaxError)
})

test('long texts of near misses take no time', () => {
  const began = performance.now()
  for (const piece of ['a.', '1 ', 'sk-', '@a', 'eyJ', 'x@a.', '1-2 ']) redact(piece.repeat(200_000))
  expect(performance.now() - began).toBeLessThan(3000)
})
