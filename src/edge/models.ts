/**
 * The model list and one model of it, in the shape of the API that asks (PROTOCOL §1.9, H10).
 *
 * One path has three kinds of callers: Gemini's send `x-goog-api-key`, Anthropic's `anthropic-version`, OpenAI's neither. Only models with exact ids are
 * listed: patterns have no end.
 */

import type { Family } from '../dialect/codec.ts'
import type { Catalog, Model } from '../plugin/host.ts'
import type { modelFilter } from '../plugin/model-access.ts'

/** Largest page that Anthropic's and Gemini's clients may ask for. */
const maxPage = 1000

/** Whether a caller may use a model. */
export type Allows = ReturnType<typeof modelFilter>

/** The body of `GET /models`, with only the models that the caller may use. `query` pages Anthropic's list (`limit`, `after_id`, `before_id`) and Gemini's (`pageSize`, `pageToken`). */
export function modelList(catalog: Catalog, family: Family, query: URLSearchParams, allows: Allows = all): object {
  const models = allows === all ? catalog.list() : catalog.list().filter(allows)
  switch (family) {
    case 'openai':
      return { object: 'list', data: models.map(openaiModel) }
    case 'anthropic': {
      const size = pageSize(query.get('limit'), 20)
      const at = (name: string) => models.findIndex((m) => m.id === query.get(name))
      const before = at('before_id')
      const from = before < 0 ? at('after_id') + 1 : Math.max(0, before - size)
      const to = before < 0 ? from + size : before
      const page = models.slice(from, to)
      return {
        data: page.map(anthropicModel),
        has_more: before < 0 ? to < models.length : from > 0, // in the direction that was asked for
        first_id: page[0]?.id ?? null,
        last_id: page.at(-1)?.id ?? null,
      }
    }
    case 'gemini': {
      const from = Math.max(0, Math.floor(Number(query.get('pageToken') ?? 0)) || 0)
      const page = models.slice(from, from + pageSize(query.get('pageSize'), 50))
      const next = from + page.length
      return { models: page.map(geminiModel), ...(next < models.length && { nextPageToken: String(next) }) }
    }
  }
}

/** The body of `GET /models/{id}`; undefined when there is no such model, or none that the caller may use. Ids that a pattern serves are models too. */
export function modelDetail(catalog: Catalog, family: Family, id: string, allows: Allows = all): object | undefined {
  const found = catalog.find(id)
  const model = found && { ...found, id }
  if (!model || !allows(model)) return undefined
  return family === 'openai' ? openaiModel(model) : family === 'anthropic' ? anthropicModel(model) : geminiModel(model)
}

const all = () => true

function pageSize(given: string | null, usual: number): number {
  const size = Number(given ?? usual)
  return Number.isInteger(size) && size > 0 ? Math.min(size, maxPage) : usual
}

function openaiModel(m: Model): object {
  const created = Math.floor((m.created ?? 0) / 1000)
  return { id: m.id, object: 'model', created, owned_by: m.ownedBy ?? m.targets[0]?.upstream.split('#', 1)[0] ?? 'headgate' }
}

function anthropicModel(m: Model): object {
  return {
    type: 'model',
    id: m.id,
    display_name: m.name ?? m.id,
    created_at: new Date(m.created ?? 0).toISOString().replace('.000Z', 'Z'),
    ...(m.context !== undefined && { max_input_tokens: m.context }),
    ...(m.maxOutput !== undefined && { max_tokens: m.maxOutput }),
  }
}

function geminiModel(m: Model): object {
  return {
    name: `models/${m.id}`,
    version: '001',
    displayName: m.name ?? m.id,
    ...(m.description !== undefined && { description: m.description }),
    ...(m.context !== undefined && { inputTokenLimit: m.context }),
    ...(m.maxOutput !== undefined && { outputTokenLimit: m.maxOutput }),
    supportedGenerationMethods: ['generateContent', 'countTokens'],
  }
}
