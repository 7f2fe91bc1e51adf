/**
 * The plain shape: many requests in one submission, results in the order of submission, as they come.
 *
 *   POST <path>               {"requests": [{"custom_id", "url", "body"}, …], "endpoint", "metadata"}
 *   GET  <path>               the caller's batches
 *   GET  <path>/{id}          how far it is
 *   GET  <path>/{id}/results  what is done so far: ?after=<index>&limit=100, or all of it as lines with ?format=jsonl
 *   POST <path>/{id}/cancel
 *   DELETE <path>/{id}        when it is over
 */

import type { Refusal, RouteCall } from 'headgate/plugin'
import { intake, isProblem, pathOf, type Wanted } from './intake.ts'
import { type Done, requestName } from './result-line.ts'
import { resultLines } from './results.ts'
import { cancel, type Desk, isRefusal, metadataOf, objectOf, submit, whose } from './submit.ts'
import type { JobRow } from './tables.ts'

export function addSimple(desk: Desk, path: string): void {
  const { host, config, jobs, items } = desk
  const prefix = path.slice(0, path.lastIndexOf('/'))
  const told = (job: JobRow) => batchOf(job, path)
  const find = async (id: string | undefined, call: RouteCall): Promise<JobRow | Refusal> =>
    (await jobs.find(whose(desk, call), 'simple', id ?? '')) ?? call.refuse('not_found', 'There is no such batch of yours.')

  host.route({
    method: 'POST',
    path,
    summary: 'Submits many requests at once',
    async handler(request, _params, call) {
      const body = await objectOf(desk, request, call)
      if (isRefusal(body)) return body
      const wrong = (message: string, param: string) => call.refuse('invalid_request', { message, param })
      const { requests, endpoint = '/chat/completions' } = body
      if (!Array.isArray(requests) || requests.length === 0) return wrong('requests is a list of one or more requests.', 'requests')
      if (typeof endpoint !== 'string' || pathOf(endpoint, prefix) === undefined)
        return wrong('endpoint is one such as /chat/completions.', 'endpoint')
      const metadata = metadataOf(body.metadata)
      if ('wrong' in metadata) return wrong(metadata.wrong, 'metadata')
      const check = intake(config.max_requests)
      const wanted: Wanted[] = []
      for (const [i, one] of requests.entries()) {
        const found = check.simple(one, i, endpoint, prefix)
        if (isProblem(found)) return wrong(found.message, found.param ?? 'requests')
        wanted.push(found)
      }
      const job = await submit(desk, request, call, { shape: 'simple', endpoint: { endpoint, prefix }, metadata: metadata.text, wanted })
      return isRefusal(job) ? job : Response.json(told(job))
    },
  })
  host.route({
    method: 'GET',
    path,
    summary: "The caller's batches, the newest first",
    async handler(request, _params, call) {
      const query = new URL(request.url).searchParams
      const limit = limitOf(query.get('limit'), 20, 100)
      const rows = await jobs.list(whose(desk, call), 'simple', { limit: limit + 1, after: query.get('after') ?? undefined })
      const page = rows.slice(0, limit)
      return Response.json({ object: 'list', data: page.map(told), has_more: rows.length > limit, last_id: page.at(-1)?.id ?? null })
    },
  })
  host.route({
    method: 'GET',
    path: `${path}/:id`,
    summary: 'How far a batch is',
    async handler(_request, { id }, call) {
      const job = await find(id, call)
      return isRefusal(job) ? job : Response.json(told(job))
    },
  })
  host.route({
    method: 'POST',
    path: `${path}/:id/cancel`,
    summary: 'Begins nothing more of a batch; what runs comes to its end',
    async handler(_request, { id }, call) {
      const job = await find(id, call)
      return isRefusal(job) ? job : Response.json(told(await cancel(desk, job)))
    },
  })
  host.route({
    method: 'DELETE',
    path: `${path}/:id`,
    summary: 'Deletes a batch that is over, with its results',
    async handler(_request, { id }, call) {
      const job = await find(id, call)
      if (isRefusal(job)) return job
      if (job.ended_at === null) return call.refuse('conflict', 'The batch is not over: cancel it first.')
      while ((await items.remove(job.id)) > 0);
      await jobs.remove(job.id)
      return Response.json({ id: job.id, object: 'batch', deleted: true })
    },
  })
  host.route({
    method: 'GET',
    path: `${path}/:id/results`,
    summary: 'Results of a batch, as far as they are there',
    async handler(request, { id }, call) {
      const job = await find(id, call)
      if (isRefusal(job)) return job
      const query = new URL(request.url).searchParams
      if (query.get('format') === 'jsonl') {
        return new Response(
          resultLines(items, job.id, (item) => `${resultText(item)}\n`),
          { headers: { 'content-type': 'application/jsonl' } },
        )
      }
      const limit = limitOf(query.get('limit'), 100, 1000)
      const after = Number(query.get('after') ?? -1)
      const page = await items.done(job.id, Number.isSafeInteger(after) ? after : -1, limit + 1)
      const shown = page.slice(0, limit)
      const more = page.length > limit
      const last = shown.at(-1)
      const next = more && last ? Number(last.seq) : null
      const over = job.ended_at !== null
      return new Response(
        `{"object":"list","batch_id":"${job.id}","complete":${over},"has_more":${more},"next_after":${next},"data":[${shown.map(resultText).join(',')}]}`,
        { headers: { 'content-type': 'application/json', 'cache-control': 'no-store' } },
      )
    },
  })
}

/** A batch as it is told. */
function batchOf(job: JobRow, path: string): object {
  const { succeeded, errored, canceled, expired, total } = job
  const processing = job.ended_at === null ? total - succeeded - errored - canceled - expired : 0n
  const { endpoint } = JSON.parse(job.endpoint) as { endpoint: string }
  return {
    id: job.id,
    object: 'batch',
    status: job.status === 'expiring' ? 'in_progress' : job.status,
    endpoint,
    request_counts: {
      total: Number(total),
      completed: Number(succeeded),
      failed: Number(errored),
      cancelled: Number(canceled),
      expired: Number(expired),
      processing: Number(processing),
    },
    created_at: seconds(job.created_at),
    expires_at: seconds(job.expires_at),
    ended_at: seconds(job.ended_at),
    results_url: `${path}/${job.id}/results`,
    metadata: job.metadata === null ? null : JSON.parse(job.metadata),
    ...(job.problems !== null && { errors: JSON.parse(job.problems) }),
  }
}

/** One result; what was replied stands in it as it came. */
function resultText(item: Done & { readonly seq?: bigint }): string {
  const { custom_id, outcome, status, request_id, reply } = item
  const response = reply === null ? 'null' : `{"status_code":${status},"request_id":${JSON.stringify(request_id ?? '')},"body":${reply}}`
  const state = outcome === 'canceled' ? 'cancelled' : outcome
  const head = JSON.stringify({ id: requestName(item.id), index: Number(item.seq ?? 0), custom_id, status: state })
  return `${head.slice(0, -1)},"response":${response}}`
}

function seconds(at: bigint | null): number | null {
  return at === null ? null : Math.floor(Number(at) / 1000)
}

export function limitOf(given: string | null, usual: number, most: number): number {
  const limit = Number(given ?? usual)
  return Number.isInteger(limit) && limit > 0 ? Math.min(limit, most) : usual
}
