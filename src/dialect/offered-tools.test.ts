import { expect, test } from 'bun:test'
import type { Tool } from './conversation.ts'
import { chosenTool, customDescription, objectSchema } from './offered-tools.ts'

const tool = (name: string, namespace?: string): Tool => ({
  kind: 'function',
  name,
  field: 'tools[0]',
  ...(namespace !== undefined && { namespace }),
})

test('C12: a choice means a tool that is there, with its namespace; without one it may mean any of that name', () => {
  const offered = [tool('read', 'files'), tool('read', 'web'), tool('write')]
  expect(chosenTool(offered, { name: 'read', namespace: 'web' })).toBe(offered[1])
  expect(chosenTool(offered, { name: 'read' })).toBe(offered[0])
  expect(chosenTool([...offered, tool('read')], { name: 'read' })?.namespace).toBeUndefined()
  expect(chosenTool(offered, { name: 'write', namespace: 'web' })).toBeUndefined()
  expect(chosenTool(offered, { name: 'gone' })).toBeUndefined()
})

test('C21: a grammar is told in words, flat as in Responses or nested as in Chat', () => {
  const custom: Tool = { ...tool('patch'), kind: 'custom', description: 'Edits.' }
  const told = 'Edits.\n\nThe input must follow this grammar:\nstart: "x"'
  expect(customDescription({ ...custom, format: { type: 'grammar', definition: 'start: "x"' } })).toBe(told)
  expect(customDescription({ ...custom, format: { type: 'grammar', grammar: { definition: 'start: "x"' } } })).toBe(told)
  expect(customDescription({ ...custom, format: { type: 'text' } })).toBe('Edits.')
})

test('a schema that does not say that it is one of an object is made one, another keeps its words', () => {
  expect(JSON.stringify(objectSchema('{"properties":{}}'))).toBe('{"properties":{},"type":"object"}')
  expect(objectSchema('{ "type":"object", "maximum":1.0 }')).toMatchObject({ text: '{ "type":"object", "maximum":1.0 }' })
  expect(objectSchema(undefined)).toEqual({ type: 'object', properties: {} })
})
