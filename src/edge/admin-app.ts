/** The admin application: health, readiness, metrics, the config in force with secrets masked, reload, and the admin pages of plugins. */

import { isIP } from 'node:net'
import { Elysia } from 'elysia'
import { formatDiagnostics } from '../config/diagnostics.ts'
import { redact } from '../config/secrets.ts'
import { formatUsd } from '../plugin/money.ts'
import { perMillion } from '../plugin/price.ts'
import type { BuildResult, Gateway } from '../runtime/gateway.ts'
import { newRequestId } from './errors.ts'
import { liveness, readiness } from './public-app.ts'
import type { RouteTable } from './route-table.ts'

/** A price as the file says it: USD per million tokens. */
function asWritten(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? formatUsd(perMillion(value)) : value
}

/** Builds the application. `reload` builds and swaps, including this application's own routes. */
export function adminApp(
  gateway: Gateway,
  table: RouteTable,
  reload: () => Promise<BuildResult>,
): { fetch(request: Request): Response | Promise<Response> } {
  const app = new Elysia({ handler: { standardHostname: false }, normalize: false })
  app.onRequest(({ request }) => {
    if (!isOperator(request)) {
      const message = 'The admin listener does not answer web pages of other sites. Call it by address, as localhost, or by a local name.'
      return Response.json({ error: { message } }, { status: 403 })
    }
  })
  // before the routes: Elysia gives those that stand above it its own answer, which is the text of the error
  app.onError(({ code, error }) => {
    if (code === 'NOT_FOUND')
      return Response.json({ error: { message: 'There is nothing at this path of the admin listener.' } }, { status: 404 })
    gateway.log.error('an admin endpoint failed', { error: error instanceof Error ? error.message : String(error) })
    return Response.json({ error: { message: 'This endpoint failed; the log says why.' } }, { status: 500 })
  })
  app.get('/health', () => liveness(gateway.snapshot))
  app.get('/ready', () => readiness(gateway))
  app.get(
    '/metrics',
    () => new Response(gateway.services.metrics.text(), { headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' } }),
  )
  app.get('/config', () => {
    const text = JSON.stringify(redact(gateway.snapshot.config, gateway.secrets), asWritten)
    return new Response(text, { headers: { 'content-type': 'application/json' } })
  })
  app.post('/reload', async () => {
    const result = await reload()
    return new Response(result.ok ? 'reloaded\n' : formatDiagnostics(result.diagnostics), {
      status: result.ok ? 200 : 422,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
    })
  })
  for (const { route } of table.admin) {
    app.route(
      route.method,
      route.path,
      ({ request, params }) => route.handler(request, params as Record<string, string>, { id: newRequestId() }),
      {
        parse: 'none',
      },
    )
  }
  return app
}

/** Read by probes and scrapers under whatever name, and no secret. */
const harmless: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics'])

/**
 * False for what a web page of another site makes a browser send: a foreign origin, or a name that was pointed at this address (DNS
 * rebinding). Operators come by address, as `localhost`, or by a name without dots.
 */
export function isOperator(request: Request): boolean {
  const url = new URL(request.url)
  if (harmless.has(url.pathname)) return true
  const origin = request.headers.get('origin')
  if (origin !== null && origin !== url.origin) return false
  const name = url.hostname
  return (
    isIP(name.replace(/^\[|\]$/g, '')) !== 0 ||
    !name.includes('.') ||
    name.endsWith('.localhost') ||
    name.endsWith('.internal') ||
    name.endsWith('.local')
  )
}
