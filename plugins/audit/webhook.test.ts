/** `sink: webhook`: signed batches in order, again until they are taken; nothing is lost while receiver or store are down. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { type PluginKit, testPlugin } from 'headgate/testkit'
import audit from './index.ts'
import { signatureOf } from './webhook-sink.ts'

interface Post {
  readonly headers: Headers
  readonly body: string
}
let posts: Post[]
let answer: () => Response
let receiver: Bun.Server<undefined>
let kit: PluginKit
beforeEach(() => {
  posts = []
  answer = () => new Response('ok')
  receiver = Bun.serve({
    port: 0,
    async fetch(request) {
      posts.push({ headers: request.headers, body: await request.text() })
      return answer()
    },
  })
})
afterEach(async () => {
  await kit.close()
  await receiver.stop(true)
})

const start = async (webhook: object = {}) => {
  kit = await testPlugin(audit, { with: { sink: 'webhook', webhook: { url: `http://127.0.0.1:${receiver.port}/in`, ...webhook } } })
}
const ids = () => posts.flatMap((p) => (JSON.parse(p.body) as { records: { id: string }[] }).records.map((r) => r.id))
const waiting = async () => (await kit.stores.records.sql`SELECT id FROM audit_outbox`).length
/** Lets tasks run until something holds. */
const soon = async (holds: () => boolean | Promise<boolean>) => {
  for (let i = 0; i < 300; i++) {
    if (await holds()) return
    await kit.clock.advance(1000)
    await Bun.sleep(2)
  }
  throw new Error('it does not come')
}

test('posts batches in order, signed, and keeps none that was taken', async () => {
  await start({ batch: 2, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' })
  const sent: string[] = []
  for (let i = 0; i < 5; i++) sent.push((await kit.chat()).id)
  await soon(() => ids().length === 5)
  expect(ids()).toEqual(sent)
  expect(posts).toHaveLength(3)
  for (const { headers, body } of posts) {
    const [id, time] = [headers.get('webhook-id')!, headers.get('webhook-timestamp')!]
    expect(headers.get('webhook-signature')).toBe(signatureOf('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', id, time, body))
  }
  await soon(async () => (await waiting()) === 0)
})

test('signs as Standard Webhooks do', () => {
  const signed = signatureOf('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', '{"test": 2432232314}')
  expect(signed).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
})

test('a receiver that fails gets all of it later, not sooner than it says', async () => {
  answer = () => new Response('no', { status: 503, headers: { 'retry-after': '60' } })
  await start()
  const sent = [(await kit.chat()).id, (await kit.chat()).id]
  await soon(() => posts.length === 1)
  await kit.clock.advance(20_000)
  expect(posts).toHaveLength(1)
  answer = () => new Response('ok')
  posts = []
  await soon(async () => (await waiting()) === 0)
  expect(ids()).toEqual(sent)
})

test('a batch whose answer was lost comes again as it was, under the same id, whatever came meanwhile', async () => {
  answer = () => new Response('too late', { status: 504 })
  await start()
  const first = (await kit.chat()).id
  await soon(() => posts.length === 1)
  const second = (await kit.chat()).id
  for (let i = 0; i < 300 && (await waiting()) < 2; i++) await Bun.sleep(2)
  const before = posts.length
  await soon(() => posts.length > before)
  expect(posts.at(-1)!.body).toBe(posts[0]!.body)
  expect(posts[1]!.body).toBe(posts[0]!.body)
  expect(posts[1]!.headers.get('webhook-id')).toBe(posts[0]!.headers.get('webhook-id')!)
  answer = () => new Response('ok')
  posts = []
  await soon(async () => (await waiting()) === 0)
  expect(ids()).toEqual([first, second])
  expect(new Set(posts.map((p) => p.headers.get('webhook-id'))).size).toBe(posts.length)
})

test.each([
  ['refuse', 503],
  [undefined, 503],
  ['go_on', 200],
])('when as many wait as may (when_full: %p)', async (when_full, status) => {
  answer = () => new Response('no', { status: 500 })
  kit = await testPlugin(audit, {
    with: { sink: 'webhook', webhook: { url: `http://127.0.0.1:${receiver.port}/in`, limit: 100 }, ...(when_full && { when_full }) },
  })
  for (let i = 0; i < 100; i++) expect((await kit.chat()).status).toBe(200)
  await soon(async () => (await waiting()) === 100)
  expect((await kit.chat()).status).toBe(status)
  const lost = /^headgate_audit_webhook_lost (\d+)/m.exec(kit.metrics())?.[1]
  // who is refused leaves a record too: there is room for those
  expect(lost).toBe(when_full === 'go_on' ? '1' : undefined)
  expect(kit.metrics()).toContain('headgate_audit_webhook_waiting 10')
  // the receiver is back: all goes, and so does the gateway
  answer = () => new Response('ok')
  await soon(async () => (await waiting()) === 0)
  expect((await kit.chat()).status).toBe(200)
})

test('while the store is down records wait, and are posted when it is back', async () => {
  await start()
  await kit.chat()
  await soon(() => ids().length === 1)
  kit.stores.records.down()
  const { id } = await kit.chat()
  await kit.stores.records.up()
  await soon(() => ids().length === 2)
  expect(ids()[1]).toBe(id)
})

test('without a URL the gateway does not start', async () => {
  await expect(testPlugin(audit, { with: { sink: 'webhook' } })).rejects.toThrow('webhook: { url')
  await start()
})
