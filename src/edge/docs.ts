/**
 * The docs page of the public API: OpenAPI by `@elysiajs/swagger`, shown by Swagger UI from files of this machine, so that it works offline.
 */

import { dirname, join } from 'node:path'
import { swagger } from '@elysiajs/swagger'
import { Elysia } from 'elysia'
import type { RouteTable } from './route-table.ts'

const assets = dirname(Bun.resolveSync('swagger-ui-dist/package.json', import.meta.dir))
const served: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
}
const built = new WeakMap<RouteTable, { fetch(request: Request): Response | Promise<Response> }>()

/** The docs application of a route table; `/docs` and everything below. */
export function docsApp(table: RouteTable): { fetch(request: Request): Response | Promise<Response> } {
  const known = built.get(table)
  if (known) return known
  const app = new Elysia({ handler: { standardHostname: false } })
  app.use(
    swagger({
      path: '/docs/page',
      specPath: '/docs/json',
      provider: 'swagger-ui',
      excludeStaticFile: false,
      exclude: [/^\/docs/],
      documentation: {
        info: {
          title: 'Headgate',
          version: '1',
          description: 'The public API of this gateway. Any SDK of these APIs works with its base URL set to this server.',
        },
        components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
        security: [{ bearer: [] }],
      },
    }),
  )
  const nothing = () => new Response(null, { status: 501 })
  for (const { path, spec, api } of table.inference) {
    app.post(path.replace('{model}:', ':model/'), nothing, {
      parse: 'none',
      detail: {
        tags: [api.name],
        summary: `${spec.operation} (${spec.dialect.name})`,
        description: 'The body is that of the API; unknown fields are passed on.',
        requestBody: { required: true, content: { 'application/json': { schema: requestSchema(spec.operation) } } },
        responses: { 200: { description: 'The reply, or a stream of events when `stream` is true.' } },
      },
    })
  }
  for (const path of table.responses) {
    const detail = (summary: string) => ({ detail: { tags: ['openai'], summary } })
    app.get(`${path}/:id`, nothing, detail('A response that was made for you'))
    app.delete(`${path}/:id`, nothing, detail('Deletes it'))
    app.post(`${path}/:id/cancel`, nothing, detail('Cancels one that is made in the background'))
    app.get(`${path}/:id/input_items`, nothing, detail('What it was asked'))
  }
  for (const path of table.models.keys()) app.get(path, nothing, { detail: { tags: ['models'], summary: 'Models of this gateway' } })
  for (const { owner, route } of table.plugin)
    app.route(route.method, route.path, nothing, { detail: { tags: [owner], summary: route.summary } })
  for (const path of table.live) app.get(path, nothing, { detail: { tags: ['health'], summary: 'The process lives', security: [] } })
  for (const path of table.ready) app.get(path, nothing, { detail: { tags: ['health'], summary: 'Traffic may come', security: [] } })
  app.get('/docs', () => new Response(page, { headers: { 'content-type': 'text/html; charset=utf-8' } }))
  app.get('/docs/assets/:file', ({ params }) => {
    const type = served[params.file]
    if (!type) return new Response('not found', { status: 404 })
    return new Response(Bun.file(join(assets, params.file)), { headers: { 'content-type': type, 'cache-control': 'max-age=86400' } })
  })
  built.set(table, app)
  return app
}

function requestSchema(operation: string) {
  const messages = { type: 'array' as const, items: { type: 'object' as const } }
  const common = {
    model: { type: 'string' as const, example: 'demo' },
    messages: { ...messages, example: [{ role: 'user', content: 'Hello!' }] },
  }
  if (operation === 'count_tokens') return { type: 'object' as const, required: ['model', 'messages'], properties: common }
  const stream = { type: 'boolean' as const, default: false }
  if (operation === 'messages') {
    return {
      type: 'object' as const,
      required: ['model', 'messages', 'max_tokens'],
      properties: { ...common, max_tokens: { type: 'integer' as const, example: 256 }, stream },
    }
  }
  return { type: 'object' as const, required: ['model', 'messages'], properties: { ...common, stream } }
}

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Headgate API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({ url: '/docs/json', dom_id: '#swagger-ui', tryItOutEnabled: true })</script>
</body>
</html>
`
