/** What was changed in a request's body, as a receipt tells it. Looks at the body only when more than the model's name was changed. */

import type { Outcome } from 'headgate/plugin'
import type { EditsMade } from './record.ts'

const mostTold = 20

/** What an exchange tells of its body. */
export interface Edited {
  readonly request: { readonly firstEdit: number }
}

export function editsOf(x: Edited, { edits }: Outcome): EditsMade | undefined {
  if (!edits || edits.length === 0) return undefined
  const list = edits.slice(0, mostTold).map(({ plugin, what, where }) => ({ plugin, what, where: where.slice(0, 200) }))
  if (edits.every((edit) => edit.what === 'model')) return { count: edits.length, list }
  const first = firstEdit(x)
  return { count: edits.length, ...(first >= 0 && { first_byte: first }), list }
}

/** -1 when it can't be told: a large body that nobody parsed may turn out to be broken. */
function firstEdit(x: Edited): number {
  try {
    return x.request.firstEdit
  } catch {
    return -1
  }
}
