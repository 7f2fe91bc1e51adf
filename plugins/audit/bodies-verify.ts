/**
 * Whether bodies are as they were kept: their records hold their SHA-256, and the chain covers the records. One that is gone is no matter: bodies go sooner.
 */

import type { SqlQuery } from 'headgate/plugin'
import { sha256 } from './bodies.ts'
import type { ExchangeRow } from './row.ts'

interface BodyRow {
  readonly id: string
  readonly request: string | null
  readonly reply: string | null
}
type What = 'request' | 'reply'
type Sums = Readonly<Partial<Record<What, { readonly sha256?: string }>>>

/** Bodies read at a time: they may be large. */
const pageSize = 50

/** Those of the rows of a page, in the order of their ids, whose bodies are not what their records say. */
export async function alteredBodies(sql: SqlQuery, page: readonly ExchangeRow[]): Promise<{ row: ExchangeRow; what: What }[]> {
  const [first] = page
  const last = page.at(-1)
  const found: { row: ExchangeRow; what: What }[] = []
  if (!first || !last) return found
  const rows = new Map(page.map((row) => [row.id, row]))
  for (let after = ''; ; ) {
    const bodies = await sql<BodyRow>`SELECT id, request, reply FROM audit_body
      WHERE id >= ${first.id} AND id <= ${last.id} AND id > ${after} ORDER BY id LIMIT ${pageSize}`
    for (const body of bodies) {
      const row = rows.get(body.id)
      // its row is missing, which is told already
      if (!row) continue
      const sums = sumsOf(row.detail)
      for (const what of ['request', 'reply'] as const) {
        const text = body[what]
        if ((text === null ? undefined : sha256(text)) !== sums[what]?.sha256) found.push({ row, what })
      }
    }
    if (bodies.length < pageSize) return found
    after = bodies.at(-1)!.id
  }
}

/** An altered record is told already, whatever it says now. */
function sumsOf(detail: string): Sums {
  try {
    return ((JSON.parse(detail) as { bodies?: Sums } | null)?.bodies ?? {}) as Sums
  } catch {
    return {}
  }
}
