/** What the command line uses of this plugin: records are asked for and verified by the same code as in a running gateway. */

import type { Records, SqlQuery } from 'headgate/plugin'
import { migrations } from './tables.ts'

export { armsOf } from './arms.ts'
export { exchanges, findExchange } from './query.ts'
export { savedByClass } from './saved-classes.ts'
export { sumNames } from './sums.ts'
export { detailOf, rowTold } from './told.ts'
export { groupings, usageBy } from './usage.ts'
export { verifyChains } from './verify.ts'

/** The bodies that were kept of an exchange. */
export async function bodiesOf(sql: SqlQuery, id: string): Promise<{ request: string | null; reply: string | null } | undefined> {
  const [found] = await sql<{ request: string | null; reply: string | null }>`SELECT request, reply FROM audit_body WHERE id = ${id}`
  return found
}

/** Makes the tables where they are not there yet. @throws StoreUnavailable */
export async function openAudit(records: Records): Promise<SqlQuery> {
  await records.migrate(migrations)
  return records.sql
}
