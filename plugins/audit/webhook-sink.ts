/**
 * Records posted to a URL. They wait in the gateway's records (and, while those are down, in their spool), so that neither a dead receiver
 * nor a killed gateway loses one; they leave in order, in batches, and are removed when the receiver has answered 2xx.
 *
 *     write ──▶ outbox on disk ──▶ POST, one at a time over all instances ──▶ 2xx: removed
 *                                      └▶ else: again, after 1 s, 2 s … 5 min, or when the receiver says
 *
 * A receiver may see a record twice, after a crash or when its answer was lost, and tells it by its id; it misses none. When more wait than the
 * operator allows, new exchanges are refused, or go on and are counted as lost.
 */

import { createHmac } from 'node:crypto'
import type { Host } from 'headgate/plugin'
import { newInstanceId } from './chain.ts'
import { type AuditConfig, whenFull } from './config.ts'
import { lineOf } from './line.ts'
import type { LinesSink } from './lines-sink.ts'
import { migrations, rowId } from './tables.ts'
import { rowWriter } from './writer.ts'

/** Rows that may wait in memory for the disk. */
const inMemory = 10_000
const every = 1000
const firstPause = 1000
const longestPause = 300_000
const patience = 5000

interface OutboxRow {
  readonly id: string
  readonly sink: string
  readonly line: string
  readonly [column: string]: string
}

/** @throws Error when the config names no URL. */
export async function webhookSink(host: Host, config: AuditConfig): Promise<LinesSink> {
  const { webhook } = config
  if (!webhook) throw new Error('sink: webhook needs webhook: { url: … }')
  const { records, log } = host
  const target = webhook
  await records.migrate(migrations)
  const instance = newInstanceId(host.now())
  const lost = host.counter('audit_webhook_lost', 'Records that were not posted because too many waited')
  const posts = host.counter('audit_webhook_posts', 'Requests to the webhook, by result')
  host.gauge('audit_webhook_waiting', 'Records on the disk that wait for the webhook', () => [{ value: Math.max(0, waiting) }])
  let seq = 0
  /** Rows on disk, as counted last, and written since. */
  let waiting = 0
  let trouble: string | undefined
  /** Last record of the batch that failed. */
  let again: string | undefined
  let notBefore = 0
  let pause = firstPause

  const writer = rowWriter<OutboxRow>({
    append: (rows) => records.append('audit_outbox', rows),
    limit: inMemory,
    onDurable: (entries) => {
      waiting += entries.length
    },
    onFailure: (error) => log.error('audit records for the webhook can not be kept; they wait', { error: String(error) }),
    onRecovery: () => log.info('audit records for the webhook are kept again'),
  })

  /** Posts what waits, until nothing does or the receiver fails. */
  const deliver = async (signal: AbortSignal): Promise<void> => {
    const [count] = await records.sql<{ n: bigint }>`SELECT count(*) AS n FROM audit_outbox WHERE sink = ${host.id}`
    waiting = Number(count!.n)
    for (let after = ''; !signal.aborted; ) {
      // what failed is posted again as it was: receivers tell it by webhook-id
      const rows = await records.sql<{ id: string; line: string }>`SELECT id, line FROM audit_outbox
        WHERE sink = ${host.id} AND id > ${after} AND id <= ${again ?? '~'} ORDER BY id LIMIT ${target.batch}`
      const [first] = rows
      const last = rows.at(-1)
      if (!first || !last) return
      const problem = await post(
        host,
        target,
        `${first.id}-${last.id.slice(last.id.lastIndexOf('.') + 1)}`,
        `{"type":"audit.exchanges","records":[${rows.map((r) => r.line).join(',')}]}`,
        signal,
      )
      posts.add(1, { result: problem ? 'failed' : 'delivered' })
      if (problem) {
        if (trouble === undefined) log.warn('the audit webhook fails; records wait and are posted again', { problem: problem.message })
        trouble = problem.message
        again = last.id
        notBefore = host.now() + Math.max(problem.retryAfter ?? 0, pause * (0.75 + Math.random() / 4))
        pause = Math.min(pause * 2, longestPause)
        return
      }
      if (trouble !== undefined) log.info('the audit webhook takes records again')
      trouble = undefined
      again = undefined
      pause = firstPause
      await records.sql`DELETE FROM audit_outbox WHERE sink = ${host.id} AND id >= ${first.id} AND id <= ${last.id}`
      waiting -= rows.length
      after = last.id
    }
  }
  host.task('webhook', every, async (ending) => {
    if (!records.available || host.now() < notBefore) return
    await host.state.lock('webhook', 60_000, (signal) => deliver(AbortSignal.any([signal, ending])))
  })

  return {
    get full() {
      return waiting >= target.limit || writer.full
    },
    write(record) {
      // those that were under way when it became full still find room
      const room = whenFull(config) === 'refuse' ? target.limit + inMemory : target.limit
      if (waiting >= room || writer.overfull) {
        lost.add(1)
        return undefined
      }
      const line = lineOf(record, config.fields, config.thread).trimEnd()
      writer.add({ row: { id: rowId(instance, ++seq), sink: host.id, line }, slot: -1 })
      return undefined
    },
    health: () => (waiting >= target.limit ? `the audit webhook does not take records, and ${waiting} wait: ${trouble ?? ''}` : undefined),
    async close() {
      if (!(await writer.flush(patience)))
        log.error('audit records for the webhook could not be kept before the end', { records: writer.waiting })
      writer.close()
    },
  }
}

interface Problem {
  readonly message: string
  /** Milliseconds. */
  readonly retryAfter?: number
}

/** One request. Undefined when the receiver has it. */
async function post(
  host: Host,
  { url, secret }: NonNullable<AuditConfig['webhook']>,
  id: string,
  body: string,
  signal: AbortSignal,
): Promise<Problem | undefined> {
  const timestamp = String(Math.floor(host.now() / 1000))
  const headers: Record<string, string> = { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': timestamp }
  if (secret !== undefined) headers['webhook-signature'] = signatureOf(secret, id, timestamp, body)
  try {
    const response = await host.fetch(url, { method: 'POST', headers, body, signal, redirect: 'error' })
    await response.body?.cancel()
    if (response.ok) return undefined
    const seconds = Number(response.headers.get('retry-after'))
    const message = `it answers ${response.status}`
    return seconds > 0 ? { message, retryAfter: Math.min(seconds * 1000, 3_600_000) } : { message }
  } catch (error) {
    return { message: error instanceof Error ? error.message : String(error) }
  }
}

/** `v1,<base64>` over id, time and body. A secret `whsec_…` is base64, as Standard Webhooks have it; any other is taken as it is. */
export function signatureOf(secret: string, id: string, timestamp: string, body: string): string {
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : secret
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}
