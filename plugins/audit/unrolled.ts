/** Which instances may have rows that are not rolled up into sums and zones yet. */

import type { SqlQuery } from 'headgate/plugin'

/** Instances that may have rows which are not in the sums. */
export async function unrolled(sql: SqlQuery): Promise<{ id: string; rolled: bigint }[]> {
  const rows = await sql<{ id: string; rolled: bigint | null }>`SELECT audit_instance.id, rolled FROM audit_instance
    LEFT JOIN audit_head ON audit_head.id = audit_instance.id WHERE done IS NULL OR done = ${false} ORDER BY audit_instance.id`
  return rows.map(({ id, rolled }) => ({ id, rolled: rolled ?? 0n })) // the head of one that has just begun is not noted yet
}
