/** `GET <path>/:id` and `GET <path>?id=`: what became of an exchange, for the key that made it and for nobody else. */

import type { Host, Refusal, RouteCall } from 'headgate/plugin'
import type { ExchangeRow } from './row.ts'
import { generationTold } from './told.ts'

const longest = 256

export function addGeneration(host: Host, path: string): void {
  const { sql } = host.records
  const answer = async (id: string | null | undefined, { principal, refuse }: RouteCall): Promise<Response | Refusal> => {
    if (!id || id.length > longest) return refuse('invalid_request', `name the request: ${path}/<id>, or ${path}?id=<id>`)
    // the same for what is not there and for what is another's
    const unknown = () =>
      refuse('not_found', 'There is no such request of this key. A record may take a moment after the end of its reply.')
    if (!principal) return unknown()
    // of the one who asks, whatever others may have named the same
    const [row] = await sql<ExchangeRow>`SELECT * FROM audit_exchange
      WHERE request_id = ${id} AND caller = ${principal.id} AND ending <> ${'interrupted'} LIMIT 1`
    if (row) return told(row)
    const [byReply] = await sql<ExchangeRow>`SELECT * FROM audit_exchange
      WHERE reply_id = ${id} AND reply_id IS NOT NULL AND caller = ${principal.id} ORDER BY at + 0 DESC LIMIT 1` // as in findExchange
    return byReply ? told(byReply) : unknown()
  }
  const summary = 'Tokens, cost, latency and provider of a request, for the key that made it'
  host.route({
    method: 'GET',
    path,
    summary,
    handler: (request, _params, call) => answer(new URL(request.url).searchParams.get('id'), call),
  })
  host.route({ method: 'GET', path: `${path}/:id`, summary, handler: (_request, { id }, call) => answer(id, call) })
}

function told(row: ExchangeRow): Response {
  return Response.json({ data: generationTold(row) }, { headers: { 'cache-control': 'no-store' } })
}
