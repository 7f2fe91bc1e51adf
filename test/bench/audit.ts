/**
 * `bun run bench:audit`: many audit records on SQLite and PostgreSQL, how long what operators ask of them takes, and what a gateway's callers notice
 * while months of them are deleted.
 *
 *     bun run bench:audit --rows 10000000 --on sqlite,postgres --rounds 20
 *
 * Ten million records need some 15 GB and ten minutes on each. Prints tables; asserts nothing (`test/servers/audit-questions.ts` does).
 */

import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { dayLength } from '../../plugins/audit/daily.ts'
import { deleteOld } from '../../plugins/audit/retention.ts'
import { openRecordsBeside } from '../../src/store/open-records.ts'
import { ask, auditConfig, startQuickUpstream } from '../support/audit-load.ts'
import { answerHead, answerLine, answers } from '../support/audit-questions.ts'
import { type Filled, fillAudit, openFilled } from '../support/audit-rows.ts'
import { startGateway } from '../support/gateway.ts'
import { postgresMissing, startPostgres } from '../support/postgres-server.ts'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    on: { type: 'string', default: 'sqlite,postgres' },
    rounds: { type: 'string', default: '20' },
  },
})
const rows = Number(values.rows)
const bytesEach = 1700
const quiet = { debug() {}, info() {}, warn() {}, error() {} }

for (const kind of values.on.split(',')) {
  const free = statfsSync(tmpdir())
  if (free.bavail * free.bsize < rows * bytesEach * 1.3)
    throw new Error(`${rows} records need ${Math.ceil((rows * bytesEach) / 1e9)} GB in ${tmpdir()}`)
  if (kind === 'postgres' && postgresMissing) throw new Error(postgresMissing)
  const folder = mkdtempSync(join(tmpdir(), 'headgate-bench-'))
  const server = kind === 'postgres' ? await startPostgres() : undefined
  const where = server?.url ?? `sqlite:${join(folder, 'audit.db')}`
  try {
    const filled = await fill(where, kind)
    await questionsOn(where, filled, kind)
    await deletion(where, kind)
  } finally {
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function fill(where: string, kind: string): Promise<Filled> {
  const began = performance.now()
  const driver = await openFilled(where, Date.now())
  const filled = await fillAudit(driver, rows, Date.now())
  await driver.close()
  console.log(`${kind}: ${filled.rows} records made in ${((performance.now() - began) / 1000).toFixed(0)} s, sums and zones included`)
  return filled
}

async function questionsOn(where: string, filled: Filled, kind: string): Promise<void> {
  const store = openRecordsBeside(where, { folder: '/', log: quiet })
  console.log(`\n${answerHead(`${kind}, ${filled.rows} records, milliseconds`)}`)
  await answers(store.scoped('audit').sql, filled, Number(values.rounds), (answered) => console.log(answerLine(answered)))
  await store.close()
}

/** What callers notice. The gateway deletes SQLite's rows itself, a minute after its start; PostgreSQL's months leave from beside. */
async function deletion(where: string, kind: string): Promise<void> {
  const upstream = startQuickUpstream()
  const gateway = await startGateway({ config: auditConfig(upstream, kind === 'sqlite' ? { keep: '45d' } : {}, { records: where }) })
  const store = openRecordsBeside(where, { folder: '/', log: quiet })
  let times: number[] = []
  let failed = 0
  let on = true
  const client = async () => {
    while (on) {
      const began = performance.now()
      if (!(await ask(gateway.url, false))?.whole) failed++
      times.push(performance.now() - began)
      await Bun.sleep(20)
    }
  }
  const clients = Array.from({ length: 8 }, client)
  await Bun.sleep(20_000)
  const calm = times
  times = []
  const ending = new AbortController()
  const deleting =
    kind === 'sqlite'
      ? undefined
      : deleteOld(store.scoped('audit'), { keep: 45 * dayLength, keepBodies: undefined }, Date.now(), ending.signal)
  // the gateway's own look for what is too old comes after a minute
  if (kind === 'sqlite') {
    await Bun.sleep(40_000)
    times = []
  }
  await Bun.sleep(60_000)
  ending.abort()
  const months = (await deleting)?.months
  const how = months === undefined ? 'a minute of deleting rows' : `${months} parts dropped at once, and a minute of deleting their sums`
  on = false
  await Promise.all(clients)
  const [left] = await store.scoped('audit').sql<{ n: bigint }>`SELECT count(*) AS n FROM audit_exchange`
  const p = (list: number[], share: number) => list.sort((a, b) => a - b)[Math.floor((list.length - 1) * share)]!.toFixed(0)
  console.log(
    `\n${kind}: ${how}; ${left!.n} records left. A request took ${p(calm, 0.5)} ms, ${p(calm, 0.99)} (p99), ${p(calm, 1)} at most before; ` +
      `${p(times, 0.5)}, ${p(times, 0.99)} and ${p(times, 1)} meanwhile; ${failed} failed\n`,
  )
  await store.close()
  await gateway.stop()
  await upstream.stop(true)
}
