/**
 * OpenAI's Batch API: files go up as JSONL, a batch is made of one, and two files of results come down. Below a prefix: /files, /batches.
 *
 * Files here are for batches and for nothing else: those of another purpose are refused, not taken and lost.
 */

import type { Refusal, RouteCall } from 'headgate/plugin'
import type { Problem } from './intake.ts'
import { pathOf } from './intake.ts'
import { isOutput, openaiLine } from './result-line.ts'
import { resultLines, streamOf } from './results.ts'
import { limitOf } from './simple.ts'
import { bytesOf, cancel, type Desk, isRefusal, metadataOf, objectOf, refuseBytes, submit, whose } from './submit.ts'
import type { FileRow, JobRow } from './tables.ts'

export function addOpenai(desk: Desk, prefix: string): void {
  addFiles(desk, `${prefix}/files`)
  addBatches(desk, prefix)
}

function addFiles(desk: Desk, path: string): void {
  const { host, config, items, files, jobs } = desk
  const find = async (id: string | undefined, call: RouteCall): Promise<FileRow | Refusal> =>
    (await files.find(whose(desk, call), id ?? '')) ?? call.refuse('not_found', { message: 'There is no such file of yours.', param: 'id' })

  host.route({
    method: 'POST',
    path,
    summary: 'Uploads a file of requests (purpose batch)',
    async handler(request, _params, call) {
      const bytes = await bytesOf(desk, request, call)
      if (!(bytes instanceof Uint8Array)) return bytes
      const wrong = (message: string, param: string) => call.refuse('invalid_request', { message, param })
      const type = request.headers.get('content-type') ?? ''
      const form = await new Response(bytes, { headers: { 'content-type': type } }).formData().catch(() => undefined)
      if (!form) return wrong('The body is multipart/form-data with file and purpose.', 'file')
      const purpose = form.get('purpose')
      if (purpose !== 'batch') return wrong('purpose is batch: this gateway keeps files for batches only.', 'purpose')
      const file = form.get('file')
      if (!(file instanceof Blob)) return wrong('file is missing.', 'file')
      const keep = expiryOf(form, config.keep)
      if (keep === undefined) return wrong('expires_after is {anchor: created_at, seconds: 3600 to 2592000}.', 'expires_after')
      const content = new Uint8Array(await file.arrayBuffer())
      const owner = whose(desk, call)
      const refusal = await refuseBytes(desk, owner, call, content.length)
      if (refusal) return refusal
      const now = host.now()
      const filename = ('name' in file && typeof file.name === 'string' && file.name ? file.name : 'batch.jsonl').slice(0, 200)
      return Response.json(fileOf(await files.write(owner, { purpose, filename, now, expiresAt: now + keep }, content)))
    },
  })
  host.route({
    method: 'GET',
    path,
    summary: "The caller's files",
    async handler(request, _params, call) {
      const query = new URL(request.url).searchParams
      const limit = limitOf(query.get('limit'), 100, 1000)
      const page = { limit: limit + 1, after: query.get('after') ?? undefined, ascending: query.get('order') === 'asc' }
      const rows = await files.list(whose(desk, call), { ...page, purpose: query.get('purpose') ?? undefined })
      return Response.json(listOf(rows, limit, fileOf))
    },
  })
  host.route({
    method: 'GET',
    path: `${path}/:id`,
    summary: 'A file',
    async handler(_request, { id }, call) {
      const file = await find(id, call)
      return isRefusal(file) ? file : Response.json(fileOf(file))
    },
  })
  host.route({
    method: 'GET',
    path: `${path}/:id/content`,
    summary: 'What is in a file',
    async handler(_request, { id }, call) {
      const file = await find(id, call)
      if (isRefusal(file)) return file
      const { batch, purpose } = file
      const stream =
        batch === null
          ? streamOf(files.pieces(file.id))
          : resultLines(items, batch, (item) => (isOutput(item.outcome) === (purpose === 'batch_output') ? openaiLine(item) : undefined))
      return new Response(stream, { headers: { 'content-type': 'application/octet-stream' } })
    },
  })
  host.route({
    method: 'DELETE',
    path: `${path}/:id`,
    summary: 'Deletes a file',
    async handler(_request, { id }, call) {
      const file = await find(id, call)
      if (isRefusal(file)) return file
      if (file.purpose === 'batch' && (await jobs.uses(file.id)))
        return call.refuse('conflict', 'A batch is being made of this file. Delete it when that has begun.')
      if (file.batch !== null) {
        const output = file.purpose === 'batch_output'
        while ((await items.forget(file.batch, output)) > 0);
        await jobs.forget(file.batch, output)
      }
      await files.remove(file.id)
      return Response.json({ id: file.id, object: 'file', deleted: true })
    },
  })
}

function addBatches(desk: Desk, prefix: string): void {
  const { host, jobs, files } = desk
  const path = `${prefix}/batches`
  const find = async (id: string | undefined, call: RouteCall): Promise<JobRow | Refusal> =>
    (await jobs.find(whose(desk, call), 'openai', id ?? '')) ??
    call.refuse('not_found', { message: 'There is no such batch of yours.', param: 'id' })

  host.route({
    method: 'POST',
    path,
    summary: 'Makes a batch of a file',
    async handler(request, _params, call) {
      const body = await objectOf(desk, request, call)
      if (isRefusal(body)) return body
      const wrong = (message: string, param: string) => call.refuse('invalid_request', { message, param })
      const { input_file_id: inputFile, endpoint, completion_window: window } = body
      if (typeof inputFile !== 'string') return wrong('input_file_id is the id of a file.', 'input_file_id')
      if (typeof endpoint !== 'string' || endpoint.endsWith('messages') || pathOf(endpoint, prefix) === undefined)
        return wrong('endpoint is /v1/chat/completions, /v1/completions, /v1/embeddings or /v1/responses.', 'endpoint')
      if (window !== '24h') return wrong('completion_window is 24h.', 'completion_window')
      if (body.output_expires_after !== undefined && body.output_expires_after !== null)
        return wrong('Results are kept as long as this gateway keeps them: leave output_expires_after out.', 'output_expires_after')
      const metadata = metadataOf(body.metadata)
      if ('wrong' in metadata) return wrong(metadata.wrong, 'metadata')
      const file = await files.find(whose(desk, call), inputFile)
      if (file?.purpose !== 'batch') return wrong('There is no such file of yours with the purpose batch.', 'input_file_id')
      const about = { shape: 'openai', endpoint: { endpoint, prefix }, metadata: metadata.text, inputFile } as const
      const job = await submit(desk, request, call, about)
      return isRefusal(job) ? job : Response.json(batchOf(job))
    },
  })
  host.route({
    method: 'GET',
    path,
    summary: "The caller's batches, the newest first",
    async handler(request, _params, call) {
      const query = new URL(request.url).searchParams
      const limit = limitOf(query.get('limit'), 20, 100)
      const rows = await jobs.list(whose(desk, call), 'openai', { limit: limit + 1, after: query.get('after') ?? undefined })
      return Response.json(listOf(rows, limit, batchOf))
    },
  })
  host.route({
    method: 'GET',
    path: `${path}/:id`,
    summary: 'How far a batch is',
    async handler(_request, { id }, call) {
      const job = await find(id, call)
      return isRefusal(job) ? job : Response.json(batchOf(job))
    },
  })
  host.route({
    method: 'POST',
    path: `${path}/:id/cancel`,
    summary: 'Begins nothing more of a batch; what runs comes to its end',
    async handler(_request, { id }, call) {
      const job = await find(id, call)
      if (isRefusal(job)) return job
      if (job.ended_at !== null) return call.refuse('conflict', `The batch is ${job.status}: there is nothing left to cancel.`)
      return Response.json(batchOf(await cancel(desk, job)))
    },
  })
}

type Form = Awaited<ReturnType<Response['formData']>>

/** Milliseconds for which a file is kept; undefined when the form asks for what can't be. */
function expiryOf(form: Form, usual: number): number | undefined {
  const seconds = form.get('expires_after[seconds]')
  if (seconds === null) return usual
  const asked = Number(seconds)
  const good = Number.isInteger(asked) && asked >= 3600 && asked <= 2_592_000 && form.get('expires_after[anchor]') === 'created_at'
  return good ? Math.min(asked * 1000, usual) : undefined
}

function listOf<Row extends { readonly id: string }>(rows: readonly Row[], limit: number, told: (row: Row) => object): object {
  const page = rows.slice(0, limit)
  const ends = { first_id: page[0]?.id ?? null, last_id: page.at(-1)?.id ?? null }
  return { object: 'list', data: page.map(told), ...ends, has_more: rows.length > limit }
}

function fileOf({ id, bytes, created_at, expires_at, filename, purpose }: FileRow): object {
  return {
    id,
    object: 'file',
    bytes: Number(bytes),
    created_at: seconds(created_at),
    expires_at: seconds(expires_at),
    filename,
    purpose: purpose === 'batch' ? 'batch' : 'batch_output',
    status: 'processed',
  }
}

function batchOf(job: JobRow): object {
  const { status, problems } = job
  const { endpoint } = JSON.parse(job.endpoint) as { endpoint: string }
  const at = (ended: JobRow['status']) => (status === ended ? seconds(job.ended_at) : null)
  const data = problems === null ? undefined : (JSON.parse(problems) as Problem[])
  const finalizing = status === 'completed' || status === 'expired' ? seconds(job.ended_at) : null
  return {
    id: job.id,
    object: 'batch',
    endpoint,
    errors: data ? { object: 'list', data } : null,
    input_file_id: job.input_file,
    completion_window: '24h',
    status: status === 'expiring' ? 'finalizing' : status,
    output_file_id: job.output_file,
    error_file_id: job.error_file,
    created_at: seconds(job.created_at),
    in_progress_at: seconds(job.started_at),
    expires_at: seconds(job.expires_at),
    finalizing_at: status === 'expiring' ? seconds(job.closing_at) : finalizing,
    completed_at: at('completed'),
    failed_at: at('failed'),
    expired_at: at('expired'),
    cancelling_at: status === 'cancelling' || status === 'cancelled' ? seconds(job.closing_at) : null,
    cancelled_at: at('cancelled'),
    request_counts: { total: Number(job.total), completed: Number(job.succeeded), failed: Number(job.errored) },
    metadata: job.metadata === null ? null : JSON.parse(job.metadata),
  }
}

function seconds(at: bigint | null): number | null {
  return at === null ? null : Math.floor(Number(at) / 1000)
}
