/**
 * A table whose rows lie in partitions by ranges of their `id`: made, and dropped whole. The key of the partitions is the primary key itself, so
 * `ON CONFLICT (id)` holds over all of them: a row that is brought again finds itself wherever it lies.
 *
 *     plain table ──▶ constraint noted (a moment) ──▶ rows checked (others go on) ──▶ renamed, and attached as the first part (a moment)
 *
 * No row is copied. Whatever needs the table to itself gives up after a moment and is tried again: who waits for a lock makes others wait behind
 * it. Rows that no part is made for lie in a default part, and move when theirs is made.
 */

import type { SqlQuery } from '../../plugin/host.ts'

/** Runs one statement of a transaction. */
export type Run = (text: string, values?: readonly string[]) => Promise<readonly Readonly<Record<string, unknown>>[]>

export interface PartitionSession {
  /** A transaction that excludes other migrations; `patience`: milliseconds for a lock. */
  exclusively<T>(patience: number, work: (run: Run) => Promise<T>): Promise<T>
  /** A transaction that may also do what a plugin asks for. */
  together<T>(patience: number, work: (run: Run, sql: SqlQuery) => Promise<T>): Promise<T>
}

/** Milliseconds to wait for a table: as long as others wait behind. */
const patience = 100

interface Part {
  readonly name: string
  /** Undefined: no bound. Both undefined: the default part. */
  readonly from: string | undefined
  readonly to: string | undefined
}

/** Makes the parts between bounds that are not there. @throws StoreBusy when the table was in use all the time */
export async function divide(session: PartitionSession, table: string, bounds: readonly string[]): Promise<void> {
  const { state, parts, marked } = await session.exclusively(patience, async (run) => ({
    state: await kindOf(run, table),
    parts: await partsOf(run, table),
    marked: await isMarked(run, table),
  }))
  if (state === 'missing') throw new Error(`there is no table ${table}`)
  if (state === 'plain') await convert(session, table, bounds)
  else if (marked || wanted(bounds, parts).length > 0) await session.exclusively(patience, (run) => makeParts(run, table, bounds))
}

/**
 * Drops the parts that end at or before an id, after `also` in the same transaction; their names. Undefined when the table is not divided.
 * @throws StoreBusy when the table was in use all the time
 */
export async function dropParts(
  session: PartitionSession,
  table: string,
  before: string,
  also: ((sql: SqlQuery, until: string) => Promise<void>) | undefined,
): Promise<number | undefined> {
  const old = (parts: readonly Part[]) => parts.filter(({ to }) => to !== undefined && to <= before)
  const seen = await session.exclusively(patience, async (run) =>
    (await kindOf(run, table)) === 'divided' ? old(await partsOf(run, table)) : undefined,
  )
  if (!seen || seen.length === 0) return seen?.length
  return await session.together(patience, async (run, sql) => {
    // others that come for the same parts wait here, before they look; who writes does not
    await run(`LOCK TABLE "${table}" IN SHARE UPDATE EXCLUSIVE MODE`)
    const gone = old(await partsOf(run, table))
    const until = gone
      .map(({ to }) => to!)
      .sort()
      .at(-1)
    if (until !== undefined) await also?.(sql, until)
    for (const { name } of gone) await run(`DROP TABLE "${name}"`)
    return gone.length
  })
}

async function kindOf(run: Run, table: string): Promise<'missing' | 'plain' | 'divided'> {
  const [found] = await run('SELECT relkind FROM pg_class WHERE oid = to_regclass($1)', [table])
  if (!found) return 'missing'
  return String(found.relkind) === 'p' ? 'divided' : 'plain'
}

async function partsOf(run: Run, table: string): Promise<Part[]> {
  const rows = await run(
    `SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = to_regclass($1)`,
    [table],
  )
  return rows.map(({ relname, bound }) => {
    const found = /^FOR VALUES FROM \((?:'(.*)'|MINVALUE)\) TO \((?:'(.*)'|MAXVALUE)\)$/.exec(String(bound))
    return { name: String(relname), from: found?.[1], to: found?.[2] }
  })
}

/** Name of the constraint that says where the first part ends, while it is not one yet. */
function markOf(table: string): string {
  return `${table}_first_part`
}

async function isMarked(run: Run, table: string): Promise<boolean> {
  const rows = await run('SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2', [table, markOf(table)])
  return rows.length > 0
}

/** Ranges between bounds that no part reaches into. */
function wanted(bounds: readonly string[], parts: readonly Part[]): (readonly [string, string])[] {
  const ranges = bounds.slice(0, -1).map((from, i) => [from, bounds[i + 1]!] as const)
  const taken = parts.filter(({ from, to }) => from !== undefined || to !== undefined)
  return ranges.filter(([from, to]) => !taken.some((p) => (p.from === undefined || p.from < to) && (p.to === undefined || p.to > from)))
}

async function makeParts(run: Run, table: string, bounds: readonly string[]): Promise<void> {
  // a version that did not look before it noted one left it on divided tables, where it keeps the next month's rows out
  if (await isMarked(run, table)) await run(`ALTER TABLE "${table}" DROP CONSTRAINT "${markOf(table)}"`)
  for (const [from, to] of wanted(bounds, await partsOf(run, table))) await makePart(run, table, from, to)
}

/** A part; rows of its range that lie in the default part move into it. */
async function makePart(run: Run, table: string, from: string, to: string): Promise<void> {
  const name = partName(table, from)
  const rest = partName(table, 'rest')
  await run(`CREATE TABLE "${name}" (LIKE "${table}" INCLUDING DEFAULTS)`)
  await run(
    `WITH moved AS (DELETE FROM "${rest}" WHERE id >= ${text(from)} AND id < ${text(to)} RETURNING *) INSERT INTO "${name}" SELECT * FROM moved`,
  )
  await run(`ALTER TABLE "${table}" ATTACH PARTITION "${name}" FOR VALUES FROM (${text(from)}) TO (${text(to)})`)
}

/**
 * A table that is not divided yet becomes so; the rows that it has are its first part. Between its steps another process may come to the end of its own: each
 * step looks first.
 */
async function convert(session: PartitionSession, table: string, bounds: readonly string[]): Promise<void> {
  const until = bounds[1]!
  const mark = markOf(table)
  const some = await session.exclusively(patience, async (run) => {
    if ((await kindOf(run, table)) !== 'plain') return false
    await run(`ALTER TABLE "${table}" DROP CONSTRAINT IF EXISTS "${mark}"`)
    const [row] = await run(`SELECT id FROM "${table}" LIMIT 1`)
    if (row) await run(`ALTER TABLE "${table}" ADD CONSTRAINT "${mark}" CHECK (id < ${text(until)}) NOT VALID`)
    return row !== undefined
  })
  // reads all rows, while others read and write: with it proven, attaching looks at none
  if (some) {
    await session.exclusively(patience, async (run) => {
      if (await isMarked(run, table)) await run(`ALTER TABLE "${table}" VALIDATE CONSTRAINT "${mark}"`)
    })
  }
  await session.exclusively(patience, async (run) => {
    if ((await kindOf(run, table)) !== 'plain') return await makeParts(run, table, bounds)
    await run(`LOCK TABLE "${table}" IN ACCESS EXCLUSIVE MODE`)
    const first = partName(table, 'first')
    const indexes = await run(
      `SELECT c.relname, pg_get_indexdef(c.oid) AS made, i.indisprimary FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = to_regclass($1)`,
      [table],
    )
    await run(`ALTER TABLE "${table}" RENAME TO "${first}"`)
    for (const { relname } of indexes) await run(`ALTER INDEX "${String(relname)}" RENAME TO "${String(relname)}_first"`)
    await run(`CREATE TABLE "${table}" (LIKE "${first}" INCLUDING DEFAULTS) PARTITION BY RANGE (id)`)
    for (const { relname, made, indisprimary } of indexes) {
      await run(indisprimary ? `ALTER TABLE "${table}" ADD CONSTRAINT "${String(relname)}" PRIMARY KEY (id)` : String(made))
    }
    const [row] = await run(`SELECT id FROM "${first}" LIMIT 1`)
    // a first row that came meanwhile: the check of attaching reads no more than some
    if (row) await run(`ALTER TABLE "${table}" ATTACH PARTITION "${first}" FOR VALUES FROM (MINVALUE) TO (${text(until)})`)
    else await run(`DROP TABLE "${first}"`)
    if (row) await run(`ALTER TABLE "${first}" DROP CONSTRAINT IF EXISTS "${mark}"`)
    await run(`CREATE TABLE "${partName(table, 'rest')}" PARTITION OF "${table}" DEFAULT`)
    await makeParts(run, table, bounds)
  })
}

/** Names have 63 bytes at most. */
function partName(table: string, what: string): string {
  return `${table}_${what.replace(/[^a-z0-9]/g, '_')}`.slice(0, 63)
}

/** A literal: statements of this kind take no parameters. */
function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}
