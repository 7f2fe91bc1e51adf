/** What is no dialect is refused when the plugin is loaded, not at the first request. */

import { expect, test } from 'bun:test'
import { type DialectDefinition, defineDialect } from './define-dialect.ts'
import { openaiChat } from './openai-chat/index.ts'

const chat = { operation: 'chat', suffix: '/chat', dialect: openaiChat } as const

test('a definition becomes an API like the own ones', () => {
  const made = defineDialect({ name: 'mine', operations: [chat], capabilities: { seed: false } })
  expect(made).toMatchObject({ kind: 'dialect', name: 'mine', family: 'openai', capabilities: { seed: false } })
  expect(made.operations[0]).toBe(chat)
})

test.each<[string, Partial<DialectDefinition>, string]>([
  ['a name that is not kebab-case', { name: 'My API' }, 'must be kebab-case'],
  ['no operation', { operations: [] }, 'there is no operation'],
  ['a suffix that is no path', { operations: [{ ...chat, suffix: 'chat' }] }, 'must start with /'],
  ['an operation twice', { operations: [chat, chat] }, 'is there twice'],
  ['half a codec', { operations: [{ ...chat, dialect: { ...openaiChat, summary: undefined as never } }] }, 'lacks summary'],
])('%s', (_, change, message) => {
  expect(() => defineDialect({ name: 'mine', operations: [chat], ...change })).toThrow(message)
})
