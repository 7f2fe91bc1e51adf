/**
 * The demo's model list, in the shape of either API family. Owns these two shapes only.
 */

import type { Fields } from './fields.ts'

/** 2026-01-01T00:00:00Z. */
const created = 1_767_225_600

/** The demo model as one entry of a list. */
export function modelEntry(anthropic: boolean): Fields {
  if (!anthropic) return { id: 'demo', object: 'model', created, owned_by: 'headgate' }
  return { type: 'model', id: 'demo', display_name: 'Headgate demo', created_at: new Date(created * 1000).toISOString() }
}

/** The list with its one model. */
export function modelList(anthropic: boolean): Fields {
  const data = [modelEntry(anthropic)]
  return anthropic ? { data, has_more: false, first_id: 'demo', last_id: 'demo' } : { object: 'list', data }
}
