/**
 * A stop signal while replies are under way that do not end in the time for finishing: each is cut in its client's words, settled once and recorded before
 * the process ends.
 */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { type BadUpstream, startBadUpstream } from '../support/bad-upstream.ts'
import { bodyOf, endpointOf, type Family, headersOf } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { auditPlugin, authPlugin, gatewayConfig } from '../support/gateway-config.ts'
import { until } from '../support/within.ts'

setDefaultTimeout(30_000)

let bad: BadUpstream
beforeAll(async () => {
  bad = await startBadUpstream()
  bad.forModel('silent', { do: 'hang-mid-stream' })
  bad.forModel('early', { do: 'hang-before-head' })
})
afterAll(() => bad.stop())

const records = { use: 'audit', id: 'records', with: { sink: 'records' } }

/** A gateway with little time to finish, and requests under way in it. */
async function underWay(list: readonly (readonly [family: Family, model: string, stream: boolean])[]) {
  const plugins = [auditPlugin, records, authPlugin, { use: 'router' }]
  const config = gatewayConfig({ upstream: bad.url, plugins, server: { drain: '300ms' }, more: { records: 'sqlite:./records.db' } })
  const gateway = await startGateway({ config })
  const before = bad.calls.length
  const answers = list.map(async ([family, model, stream]) => {
    const request = { method: 'POST', headers: headersOf(family), body: bodyOf(`cat/${model}`, stream) }
    const response = await fetch(endpointOf(family, gateway.url), request)
    return { status: response.status, text: await response.text() }
  })
  await until(5000, 'all calls wait', () => bad.calls.length === before + list.length)
  await Promise.all(bad.calls.slice(before).map((call) => call.held))
  return { gateway, answers, calls: bad.calls.slice(before) }
}

test('streams and whole replies that are cut say so, and are in every record', async () => {
  const { gateway, answers, calls } = await underWay([
    ['openai', 'silent', true],
    ['anthropic', 'silent', true],
    ['openai', 'early', false],
    ['anthropic', 'early', true],
  ])
  const began = performance.now()
  gateway.signal('SIGTERM')
  const [chat, messages, whole, late] = await Promise.all(answers)
  expect(await gateway.exited).toBe(0)
  expect(performance.now() - began).toBeLessThan(3000)

  expect(chat).toMatchObject({ status: 200 })
  expect(chat!.text).toContain('"error"')
  expect(chat!.text).toContain('shutting down')
  expect(messages).toMatchObject({ status: 200 })
  expect(messages!.text).toContain('event: error')
  expect(messages!.text).toContain('overloaded_error')
  expect(whole).toMatchObject({ status: 503 })
  expect(JSON.parse(whole!.text).error.message).toContain('shutting down')
  expect(late).toMatchObject({ status: 529 })
  // nobody is asked instead: there is no time for that either
  expect(calls).toHaveLength(4)
  for (const call of calls) expect(await call.closed).toBe('peer')

  const lines = gateway.audit()
  expect(lines.map(({ end, code, status }) => [end, code, status]).sort()).toEqual([
    ['failed', 'shutting_down', 200],
    ['failed', 'shutting_down', 200],
    ['failed', 'shutting_down', 503],
    ['failed', 'shutting_down', 529],
  ])
  const { Database } = await import('bun:sqlite')
  const db = new Database(join(gateway.dir, 'records.db'), { readonly: true })
  const rows = db.query('SELECT request_id, ending FROM audit_exchange').all() as { request_id: string; ending: string }[]
  db.close()
  expect(rows.map((row) => row.request_id).sort()).toEqual(lines.map((line) => line.id).sort())
  expect(new Set(rows.map((row) => row.ending))).toEqual(new Set(['failed']))
})

test('what ends in time is not cut', async () => {
  const { gateway, answers, calls } = await underWay([['openai', 'silent', true]])
  gateway.signal('SIGTERM')
  calls[0]!.release()
  const [chat] = await Promise.all(answers)
  expect(await gateway.exited).toBe(0)
  expect(chat!.text).toEndWith('data: [DONE]\n\n')
  expect(gateway.audit().map((line) => line.end)).toEqual(['finished'])
})
