/** Anthropic's Message Batches: requests in the body, results as lines when all is over. Below a prefix: /v1/messages/batches. */

import type { Refusal, RouteCall } from 'headgate/plugin'
import { intake, isProblem, type Wanted } from './intake.ts'
import { anthropicLine } from './result-line.ts'
import { resultLines } from './results.ts'
import { limitOf } from './simple.ts'
import { cancel, type Desk, isRefusal, objectOf, submit, whose } from './submit.ts'
import type { JobRow } from './tables.ts'

export function addAnthropic(desk: Desk, prefix: string): void {
  const { host, config, jobs, items } = desk
  const path = `${prefix}/v1/messages/batches`
  const told = (job: JobRow, request: Request) => batchOf(job, new URL(path, request.url).href)
  const find = async (id: string | undefined, call: RouteCall): Promise<JobRow | Refusal> =>
    (await jobs.find(whose(desk, call), 'anthropic', id ?? '')) ?? call.refuse('not_found', 'There is no such batch of yours.')

  host.route({
    method: 'POST',
    path,
    summary: 'Submits many messages requests at once',
    async handler(request, _params, call) {
      const body = await objectOf(desk, request, call)
      if (isRefusal(body)) return body
      const wrong = (message: string, param: string) => call.refuse('invalid_request', { message: `${param}: ${message}`, param })
      const { requests } = body
      if (!Array.isArray(requests) || requests.length === 0) return wrong('a list of one or more requests.', 'requests')
      const check = intake(config.max_requests)
      const wanted: Wanted[] = []
      for (const [i, one] of requests.entries()) {
        const found = check.anthropic(one, i, prefix)
        if (isProblem(found)) return wrong(found.message, found.param ?? 'requests')
        wanted.push(found)
      }
      const endpoint = { endpoint: '/v1/messages', prefix }
      const job = await submit(desk, request, call, { shape: 'anthropic', endpoint, metadata: null, wanted })
      return isRefusal(job) ? job : Response.json(told(job, request))
    },
  })
  host.route({
    method: 'GET',
    path,
    summary: "The caller's batches, the newest first",
    async handler(request, _params, call) {
      const query = new URL(request.url).searchParams
      const limit = limitOf(query.get('limit'), 20, 1000)
      const [after, before] = [query.get('after_id') ?? undefined, query.get('before_id') ?? undefined]
      const rows = await jobs.list(whose(desk, call), 'anthropic', { limit: limit + 1, after, before })
      // of a page backwards the one too many is the first
      const page = before === undefined ? rows.slice(0, limit) : rows.slice(-limit)
      const ends = { first_id: page[0]?.id ?? null, last_id: page.at(-1)?.id ?? null }
      return Response.json({ data: page.map((job) => told(job, request)), has_more: rows.length > limit, ...ends })
    },
  })
  host.route({
    method: 'GET',
    path: `${path}/:id`,
    summary: 'How far a batch is',
    async handler(request, { id }, call) {
      const job = await find(id, call)
      return isRefusal(job) ? job : Response.json(told(job, request))
    },
  })
  host.route({
    method: 'POST',
    path: `${path}/:id/cancel`,
    summary: 'Begins nothing more of a batch; what runs comes to its end',
    async handler(request, { id }, call) {
      const job = await find(id, call)
      if (isRefusal(job)) return job
      if (job.ended_at !== null) return call.refuse('invalid_request', 'The batch has ended: there is nothing left to cancel.')
      return Response.json(told(await cancel(desk, job), request))
    },
  })
  host.route({
    method: 'GET',
    path: `${path}/:id/results`,
    summary: 'Results of a batch that is over, one line each',
    async handler(_request, { id }, call) {
      const job = await find(id, call)
      if (isRefusal(job)) return job
      if (job.ended_at === null) return call.refuse('not_found', 'The batch is not over: its results are not there yet.')
      return new Response(resultLines(items, job.id, anthropicLine), { headers: { 'content-type': 'application/x-jsonl' } })
    },
  })
  host.route({
    method: 'DELETE',
    path: `${path}/:id`,
    summary: 'Deletes a batch that is over, with its results',
    async handler(_request, { id }, call) {
      const job = await find(id, call)
      if (isRefusal(job)) return job
      if (job.ended_at === null) return call.refuse('invalid_request', 'The batch is not over: cancel it first.')
      while ((await items.remove(job.id)) > 0);
      await jobs.remove(job.id)
      return Response.json({ id: job.id, type: 'message_batch_deleted' })
    },
  })
}

function batchOf(job: JobRow, base: string): object {
  const { total, succeeded, errored, canceled, expired, status, ended_at } = job
  const over = ended_at !== null
  const processing = over ? 0n : total - succeeded - errored - canceled - expired
  return {
    id: job.id,
    type: 'message_batch',
    processing_status: over ? 'ended' : status === 'cancelling' ? 'canceling' : 'in_progress',
    request_counts: {
      processing: Number(processing),
      succeeded: Number(succeeded),
      errored: Number(errored),
      canceled: Number(canceled),
      expired: Number(expired),
    },
    created_at: time(job.created_at),
    expires_at: time(job.expires_at),
    ended_at: time(ended_at),
    cancel_initiated_at: status === 'cancelling' || status === 'cancelled' ? time(job.closing_at) : null,
    archived_at: null,
    results_url: over ? `${base}/${job.id}/results` : null,
  }
}

function time(at: bigint | null): string | null {
  return at === null ? null : new Date(Number(at)).toISOString()
}
