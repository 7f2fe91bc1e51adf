/** What is counted of each end, with labels that no client can make up; and that documents and dashboard name only what is there. */

import { afterEach, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { definePlugin, unknownUsage } from 'headgate/plugin'
import { type PluginKit, testPlugin } from 'headgate/testkit'
import metrics from './index.ts'

let kit: PluginKit
afterEach(async () => {
  await kit.close()
})

const router = definePlugin({
  api: 1,
  name: 'priced',
  summary: 'Routes with a price',
  failure: 'closed',
  setup: () => ({
    admit: (x) => (x.headers.has('x-refuse') ? x.refuse('rate_limited', 'Slow down.') : undefined),
    request(x) {
      if (x.headers.has('x-edit')) x.request.set('/temperature', 0)
      x.setTarget({ upstream: 'openai', model: 'm', price: [{ input: 3_000_000n, output: 15_000_000n }] })
    },
  }),
})
const value = (line: string) =>
  kit
    .metrics()
    .split('\n')
    .find((l) => l.startsWith(`${line} `))
    ?.slice(line.length + 1)

test('requests, calls, tokens and exact money', async () => {
  kit = await testPlugin(metrics, { below: [router] })
  await kit.chat()
  await kit.chat({ stream: true }, { headers: { 'x-edit': '1' } })
  await kit.chat({}, { headers: { 'x-refuse': '1' } })
  kit.upstream({ status: 500 })
  await kit.chat()
  expect(value('headgate_requests_total{end="finished",endpoint="chat"}')).toBe('2')
  expect(value('headgate_requests_total{end="refused",endpoint="chat"}')).toBe('1')
  expect(value('headgate_refusals_total{by="priced",code="rate_limited"}')).toBe('1')
  expect(value('headgate_upstream_requests_total{result="ok",upstream="openai"}')).toBe('2')
  expect(value('headgate_upstream_requests_total{result="status",upstream="openai"}')).toBe('1')
  expect(value('headgate_tokens_total{class="input",model="test-model",upstream="openai"}')).toBe('14')
  expect(value('headgate_cost_usd_total{model="test-model",upstream="openai"}')).toBe('0.000192')
  expect(value('headgate_edited_requests_total')).toBe('1')
  expect(value('headgate_upstream_seconds_count{upstream="openai"}')).toBe('3')
  expect(value('headgate_exchanges_in_flight')).toBe('0')
  expect(value('headgate_records_up')).toBe('1')
})

test('an edit before the last message of the prompt is one of its prefix', async () => {
  const editor = definePlugin({
    api: 1,
    name: 'editor',
    summary: 'Edits what a header names',
    failure: 'closed',
    setup: () => ({
      request(x) {
        const where = x.headers.get('x-where')
        if (where) x.request.set(where, where.endsWith('content') ? 'other words' : 0.5)
      },
    }),
  })
  kit = await testPlugin(metrics, { below: [editor, router] })
  const messages = [
    { role: 'user', content: 'one' },
    { role: 'assistant', content: 'two' },
    { role: 'user', content: 'three' },
  ]
  const edit = (where: string) => kit.chat({ messages }, { headers: { 'x-where': where } })
  await edit('/temperature')
  await edit('/messages/2/content')
  expect(value('headgate_prefix_edits_total') ?? '0').toBe('0')
  await edit('/messages/0/content')
  expect(value('headgate_prefix_edits_total')).toBe('1')
  expect(value('headgate_edited_requests_total')).toBe('3')
})

test('the share of input that came from caches', async () => {
  kit = await testPlugin(metrics, { below: [router] })
  const usage = { ...unknownUsage, source: 'reported' as const, inputUncached: 25, cacheRead: 75, outputVisible: 1 }
  kit.upstream({
    events: [
      { type: 'start', id: 'r', model: 'm' },
      { type: 'text', text: 'x', choice: 0 },
      { type: 'usage', usage },
      { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
      { type: 'end' },
    ],
  })
  await kit.chat()
  expect(value('headgate_cache_read_share{upstream="openai"}')).toBe('0.75')
})

test('names that clients make up are one label', async () => {
  kit = await testPlugin(metrics, { below: [router] })
  for (let i = 0; i < 5; i++) await kit.chat(JSON.stringify({ model: `made-up-${i}`, messages: [{ role: 'user', content: 'x' }] }))
  expect(kit.metrics()).not.toContain('made-up')
  expect(value('headgate_tokens_total{class="input",model="other",upstream="openai"}')).toBe('35')
})

test('the time of hooks is told of one call in 64', async () => {
  kit = await testPlugin(metrics, { below: [router] })
  for (let i = 0; i < 130; i++) await kit.chat()
  expect(value('headgate_plugin_seconds_count{hook="settle",plugin="metrics"}')).toBe('2')
})

test('the README names the metrics of this plugin and of the gateway, and none that is not there', async () => {
  kit = await testPlugin(metrics, { below: [router] })
  await kit.chat()
  const there = new Set([...kit.metrics().matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name!))
  const named = (text: string) => new Set([...text.matchAll(/headgate_[a-z_]+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, '')))
  // those of other plugins: names.test.ts
  const readme = named(readFileSync(join(import.meta.dir, 'README.md'), 'utf8').replace(/<!-- metrics -->[\s\S]*<!-- \/metrics -->/, ''))
  readme.delete('headgate_router_upstream_status')
  const own = [...there].filter((name) => name.startsWith('headgate_'))
  expect([...readme].filter((name) => !there.has(name))).toEqual([])
  expect(own.filter((name) => !readme.has(name))).toEqual([])
})

test('tokens of work that is billed beside the reply are counted with it (E04)', async () => {
  const used = (type: string, input: number, output: number) => ({ type, input_tokens: input, output_tokens: output })
  const usage = { input_tokens: 7, output_tokens: 5, iterations: [used('compaction', 300, 20), used('message', 7, 5)] }
  const body = {
    id: 'msg',
    type: 'message',
    role: 'assistant',
    model: 'm',
    content: [{ type: 'text', text: 'Hi' }],
    stop_reason: 'end_turn',
    usage,
  }
  const anthropic = definePlugin({
    api: 1,
    name: 'there',
    summary: 'Routes',
    failure: 'closed',
    setup: () => ({ request: (x) => x.setTarget({ upstream: 'anthropic', model: 'm' }) }),
  })
  kit = await testPlugin(metrics, { below: [anthropic], upstream: { body: JSON.stringify(body) } })
  await kit.messages()
  expect(value('headgate_tokens_total{class="input",model="test-model",upstream="anthropic"}')).toBe('307')
  expect(value('headgate_tokens_total{class="output",model="test-model",upstream="anthropic"}')).toBe('25')
})
