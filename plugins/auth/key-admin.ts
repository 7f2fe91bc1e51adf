/**
 * Issued keys over HTTP: `/keys` on the admin listener, for operators and their dashboards; and what callers may learn of their own key.
 *
 * The one place where the text of a key is answered is the reply to the request that made it.
 */

import { type AdminSpec, type Host, type PrincipalValue, parseDuration, StoreUnavailable } from 'headgate/plugin'
import { fieldNames, fieldProblem } from './key-fields.ts'
import { type KeyChanges, type KeyStore, shown } from './key-store.ts'
import { type CreateKeyOptions, createKey } from './keys.ts'

const largestBody = 64 * 1024

export interface KeyAdminOptions {
  readonly store: KeyStore
  readonly keyPrefix: string
  readonly now: () => number
  /** Called after each change, so that this instance acts on it at once. */
  readonly changed: () => Promise<void>
}

/** Adds the routes: `/keys` for the instance `auth`, `/<id>/keys` for another. */
export function addKeyRoutes(host: Host, options: KeyAdminOptions): void {
  const { store, keyPrefix, now, changed } = options
  const base = host.id === 'auth' ? '/keys' : `/${host.id}/keys`
  const add = (method: AdminSpec['method'], path: string, summary: string, handler: AdminSpec['handler']) =>
    host.admin({
      method,
      path,
      summary,
      async handler(...call) {
        try {
          return await handler(...call)
        } catch (error) {
          if (error instanceof StoreUnavailable) return mistake(503, `nothing was done: ${error.message}`)
          throw error
        }
      },
    })

  add('GET', base, 'All keys, without their secrets', async (request) => {
    const query = new URL(request.url).searchParams
    const limit = Number(query.get('limit') ?? 100)
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000) return mistake(400, 'limit must be a whole number from 1 to 1000')
    const after = query.get('after')
    const account = query.get('account')
    const page = await store.list({ limit, ...(after !== null && { after }), ...(account !== null && { account }) })
    return Response.json({ keys: page.keys.map(shown), next: page.next ?? null })
  })
  add('POST', base, 'Makes a key; the reply is the only one that shows it', async (request) => {
    const fields = await readFields(request)
    if (fields instanceof Response) return fields
    const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
    const { key, record } = createKey({ name: '', ...given, keyPrefix, now: now() } as CreateKeyOptions)
    await store.add(record)
    await changed()
    host.log.info('API key made', { key: record.id })
    return Response.json({ key, ...shown(record) }, { status: 201, headers: { 'cache-control': 'no-store' } })
  })
  add('GET', `${base}/:id`, 'One key, by id or public prefix', async (_request, { id }) => {
    const record = await store.get(id!)
    return record ? Response.json(shown(record)) : unknownKey()
  })
  add('PATCH', `${base}/:id`, 'Changes the fields that are named; null takes one away', async (request, { id }) => {
    const fields = await readFields(request)
    if (fields instanceof Response) return fields
    const record = await store.change(id!, fields as KeyChanges)
    if (!record) return unknownKey()
    await changed()
    host.log.info('API key changed', { key: record.id, fields: Object.keys(fields) })
    return Response.json(shown(record))
  })
  add('DELETE', `${base}/:id`, 'Revokes a key for ever', async (_request, { id }) => {
    if (!(await store.revoke(id!))) return unknownKey()
    await changed()
    host.log.info('API key revoked', { key: id })
    return Response.json({ id, revoked: true })
  })
}

/** The fields in a body; a response that says what is wrong with it. */
async function readFields(request: Request): Promise<Record<string, unknown> | Response> {
  const text = await request.text()
  if (text.length > largestBody) return mistake(413, 'the body is too large')
  let value: unknown
  try {
    value = text === '' ? {} : JSON.parse(text)
  } catch {
    return mistake(400, 'the body is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return mistake(400, 'the body must be an object')
  const stray = Object.keys(value).find((name) => !(fieldNames as readonly string[]).includes(name))
  if (stray !== undefined)
    return mistake(400, `there is no field ${JSON.stringify(stray.slice(0, 60))}; there are: ${fieldNames.join(', ')}`)
  const fields = { ...value, ...('limits' in value && { limits: withWindows(value.limits) }) }
  const given = Object.fromEntries(Object.entries(fields).filter(([, one]) => one !== null))
  const problem = fieldProblem(given)
  return problem === undefined ? fields : mistake(400, problem.slice(1))
}

/** Windows may be written as durations, `1m`. */
function withWindows(limits: unknown): unknown {
  if (!Array.isArray(limits)) return limits
  return limits.map((limit: unknown) => {
    const window = typeof limit === 'object' && limit !== null ? (limit as { window?: unknown }).window : undefined
    return typeof window === 'string' ? { ...(limit as object), window: parseDuration(window) } : limit
  })
}

function mistake(status: number, message: string): Response {
  return Response.json({ error: { message } }, { status })
}
function unknownKey(): Response {
  return mistake(404, 'there is no such key, or it was revoked')
}

/** What a caller may learn about its own key: everything that restricts it, never the key. */
export function keyInfo(principal: PrincipalValue): object {
  const { id, name, kind, account, tier, tags, models, limits, caps, user, expiresAt } = principal
  return {
    id,
    name: name ?? null,
    kind,
    account,
    tier: tier ?? null,
    tags,
    models: models ?? null,
    limits: (limits ?? []).map(({ window, ...rest }) => ({ window_seconds: window / 1000, ...rest })),
    caps: caps ?? [],
    ...(user !== undefined && { user }),
    expires_at: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
  }
}
