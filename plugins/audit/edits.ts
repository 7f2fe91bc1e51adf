/** What was changed in a request's body, as a receipt tells it. Looks at the body only when more than the model's name was changed. */

import type { BodyChange, Edit, Outcome } from 'headgate/plugin'
import type { EditsMade } from './record.ts'

const mostTold = 20

/** What an exchange tells of its body. */
export interface Edited {
  readonly request: { readonly firstEdit: number; readonly changes: readonly BodyChange[] }
}

export function editsOf(x: Edited, { edits }: Outcome): EditsMade | undefined {
  if (!edits || edits.length === 0) return undefined
  // nearly always: the router has put the upstream's name of the model
  if (edits.length === 1 && edits[0]!.what === 'model') return { count: 1, list: [told(edits[0]!)] }
  const list = edits.slice(0, mostTold).map(told)
  if (edits.every((edit) => edit.what === 'model')) return { count: edits.length, list }
  return { count: edits.length, ...bytesOf(x), list }
}

function told({ plugin, what, where }: Edit): EditsMade['list'][number] {
  return { plugin, what, where: where.slice(0, 200) }
}

/** How many bytes, and where. Nothing when it can't be told: a large body that nobody parsed may turn out to be broken. */
function bytesOf({ request }: Edited): Pick<EditsMade, 'first_byte' | 'removed' | 'added' | 'spans'> {
  try {
    const { firstEdit, changes } = request
    return {
      ...(firstEdit >= 0 && { first_byte: firstEdit }),
      removed: changes.reduce((sum, c) => sum + c.end - c.start, 0),
      added: changes.reduce((sum, c) => sum + c.bytes, 0),
      spans: changes.slice(0, mostTold).map((c) => [c.start, c.end - c.start, c.bytes]),
    }
  } catch {
    return {}
  }
}
