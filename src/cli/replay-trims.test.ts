/** `headgate replay` through a config that trims: how many tokens a kept body would lose is part of what differs. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { newChain } from '../../plugins/audit/chain.ts'
import { hashedColumns, type RowBody } from '../../plugins/audit/row.ts'
import { openAudit } from '../../plugins/audit/tools.ts'
import { openRecords } from '../store/open-records.ts'
import { cli, config, type Folder, folder } from './cli.fixture.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
let dir: Folder
beforeEach(() => {
  dir = folder()
})
afterEach(() => dir.remove())

const plugins = (trim: string) =>
  `  - use: audit\n    with: { sink: records }\n  - use: auth\n    with: { keys_file: ./data/keys.json, key_prefix: hg- }\n  - use: session\n${trim}  - use: router`

/** A result of a shell that is mostly colours. */
const noisy = Array.from({ length: 400 }, (_, i) => `\u001b[1m\u001b[32mcompiling\u001b[0m\u001b[0m part ${i * 7919}\n`).join('')
const body = {
  model: 'big/one',
  messages: [
    { role: 'system', content: 'You build things. '.repeat(1500) },
    { role: 'user', content: 'Build it.' },
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'bash', arguments: '{"command":"make"}' } }],
    },
    { role: 'tool', tool_call_id: 'call_1', content: noisy },
  ],
}

test('tokens that would be trimmed differ; the same config differs in nothing', async () => {
  const old = await dir.write('old.yaml', config(plugins('')))
  const trims = await dir.write('new.yaml', config(plugins('  - use: tool-trim\n    with: { control_share: 0 }\n')))
  expect((await cli(['keys', 'create', '--name', 'ann', '--config', old])).code).toBe(0)
  const [key] = JSON.parse((await cli(['keys', 'list', '--json', '--config', old])).out) as [{ id: string }]
  const at = BigInt(Date.now() - 60_000)
  const none = Object.fromEntries(hashedColumns.slice(4).map((column) => [column, null]))
  const row = {
    ...none,
    request_id: 'req_1',
    at,
    ended_at: at,
    caller: key.id,
    account: key.id,
    operation: 'chat',
    dialect: 'openai-chat',
    model_asked: 'big/one',
    status: 200n,
    ending: 'finished',
    stream: false,
    stream_state: 'completed',
    usage_source: 'unknown',
    attempts: 1n,
    total_ms: 5n,
    detail: JSON.stringify({
      path: '/v1/chat/completions',
      attempts: [{ upstream: 'real', model: 'one', status: 200, at: 0, ms: 5 }],
      timings: { end: 5 },
      bodies: { request: {} },
    }),
  } as unknown as RowBody
  const store = openRecords('sqlite:./data/headgate.db', { folder: dir.path, spoolLimit: 0, log: quiet })
  const records = store.scoped('audit')
  await openAudit(records)
  const chained = newChain('inst1', undefined).add(row)
  await records.append('audit_exchange', [chained])
  await records.append('audit_body', [{ id: chained.id, at, request: JSON.stringify(body), reply: null }])
  await store.close()

  const same = await cli(['replay', '--config', old, '--records', old, '--since', '24h'])
  expect(same.err).toContain('1 requests replayed, 1 with their bodies: 0 differ')
  const { code, out } = await cli(['replay', '--config', trims, '--records', old, '--since', '24h', '-o', 'json'])
  expect(code).toBe(1)
  const told = JSON.parse(out) as { before: string; after: string; trimmed_before: number; trimmed_after: number }
  expect(told.trimmed_before).toBe(0)
  expect(told.trimmed_after).toBeGreaterThan(500)
  expect(told.after).toBe(`real one, ${told.trimmed_after} trimmed`)
  expect((await cli(['replay', '--config', old, '--since', '24h', '--from', '24h'])).code).toBe(2)
})
