/** The line that the start shows works in the API that is mounted and serves a model, with the header that auth reads. */

import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { commandLine, curlLine } from './banner.ts'
import { projectRoot } from './root.ts'

const model = (id: string, dialect: string) => ({ id, targets: [{ upstream: 'u', model: id, dialect }] })
const openai = { path: '/v1', api: 'openai' } as const
const anthropic = { path: '/', api: 'anthropic' } as const

test('a model of the API that is mounted is chosen, chat first', () => {
  const line = curlLine('http://h', [anthropic, openai], [model('claude', 'anthropic'), model('gpt', 'openai')], 'authorization: Bearer k')
  expect(line).toBe(
    `curl -N http://h/v1/chat/completions -H "authorization: Bearer k" -H 'content-type: application/json' -d '{"model":"gpt","stream":true,"messages":[{"role":"user","content":"Hello!"}]}'`,
  )
})

test('Messages where that is all there is; no header without auth', () => {
  const line = curlLine('http://h', [anthropic], [model('claude', 'anthropic')], undefined)
  expect(line).toStartWith(`curl -N http://h/v1/messages -H 'content-type`)
  expect(line).toContain('"max_tokens":1024')
})

test('no line where none could work', () => {
  expect(curlLine('http://h', [openai], [model('claude', 'anthropic')], undefined)).toBeUndefined()
  expect(curlLine('http://h', [openai], [], undefined)).toBeUndefined()
})

test('commands that the start names are about the config that it uses', () => {
  expect(commandLine('check', join(projectRoot, 'config/gateway.yaml'))).toBe('bun run headgate check')
  expect(commandLine('keys create', '/etc/headgate/gateway.yaml')).toBe('bun run headgate keys create --config /etc/headgate/gateway.yaml')
  expect(commandLine('check', "/it's mine/g.yaml")).toBe("bun run headgate check --config '/it'\\''s mine/g.yaml'")
})
