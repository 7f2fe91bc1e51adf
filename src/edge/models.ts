/** The model list, in the shape of the API family that asks: OpenAI's, or Anthropic's when `anthropic-version` is sent. */

import type { Family } from '../dialect/codec.ts'
import type { Catalog } from '../plugin/host.ts'

/** The body of `GET /models`. Only models with exact ids: patterns have no end. */
export function modelList(catalog: Catalog, family: Family): object {
  const models = catalog.list()
  if (family === 'anthropic') {
    const data = models.map((m) => ({ type: 'model', id: m.id, display_name: m.id, created_at: '1970-01-01T00:00:00Z' }))
    return { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null }
  }
  return {
    object: 'list',
    data: models.map((m) => ({ id: m.id, object: 'model', created: 0, owned_by: m.targets[0]?.upstream ?? 'headgate' })),
  }
}
