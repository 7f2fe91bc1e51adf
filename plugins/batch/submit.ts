/**
 * Takes submissions: bounded, counted against what their owner may keep and have open, written down before anybody is told that they were taken.
 *
 * What all shapes share. How a request, an answer and a mistake look is theirs.
 */

import type { Host, Refusal, RouteCall } from 'headgate/plugin'
import { boundedBody } from './bodies.ts'
import type { BatchConfig } from './config.ts'
import { exactJson } from './exact-json.ts'
import type { FileStore } from './files.ts'
import { isMap, type Wanted } from './intake.ts'
import type { ItemStore } from './items.ts'
import type { JobStore } from './jobs.ts'
import { type Owner, ownerOf } from './owner.ts'
import type { JobRow, Shape } from './tables.ts'

export interface Desk {
  readonly host: Host
  readonly config: BatchConfig
  readonly jobs: JobStore
  readonly items: ItemStore
  readonly files: FileStore
  /** There is something to do. */
  readonly wake: () => void
}

/** Longest JSON of metadata, in characters. */
const longestMetadata = 32_768

export function whose({ config }: Desk, { principal }: RouteCall): Owner {
  return ownerOf(principal, config.visible_to)
}

/** The whole body, or the refusal that it earns. */
export async function bytesOf({ config }: Desk, request: Request, call: RouteCall): Promise<Uint8Array | Refusal> {
  const bytes = await boundedBody(request.body, config.max_size, request.headers.get('content-length'))
  return bytes ?? call.refuse('request_too_large', `A submission holds ${config.max_size} bytes at most.`)
}

/** A body that is a JSON object. */
export async function objectOf(desk: Desk, request: Request, call: RouteCall): Promise<Readonly<Record<string, unknown>> | Refusal> {
  const bytes = await bytesOf(desk, request, call)
  if (!(bytes instanceof Uint8Array)) return bytes
  try {
    const value = exactJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return isMap(value) ? value : call.refuse('invalid_request', 'The body is a JSON object.')
  } catch {
    return call.refuse('invalid_json', 'The body is not valid JSON.')
  }
}

export function isRefusal(value: object): value is Refusal {
  return 'type' in value && value.type === 'refusal' && 'code' in value
}

/** Why an owner may submit nothing more now; undefined when it may. */
export async function refuseMore(
  { config, jobs, files }: Desk,
  owner: Owner,
  call: RouteCall,
  bytes: number,
): Promise<Refusal | undefined> {
  if ((await jobs.open(owner)) >= BigInt(config.max_open)) {
    const message = `${config.max_open} batches are open already. Wait until one is over, or cancel one.`
    return call.refuse('rate_limited', { message, retryAfter: 60 })
  }
  return await refuseBytes({ config, files }, owner, call, bytes)
}

export async function refuseBytes(
  { config, files }: Pick<Desk, 'config' | 'files'>,
  owner: Owner,
  call: RouteCall,
  bytes: number,
): Promise<Refusal | undefined> {
  if ((await files.stored(owner)) + BigInt(bytes) <= BigInt(config.max_stored)) return undefined
  return call.refuse('quota_exceeded', {
    status: 413,
    message: `Files and results of ${config.max_stored} bytes are kept at most. Delete some first.`,
  })
}

/** JSON of the metadata of a submission, or what is wrong with it. */
export function metadataOf(value: unknown): { readonly text: string | null } | { readonly wrong: string } {
  if (value === undefined || value === null) return { text: null }
  const plain = isMap(value) && Object.keys(value).length <= 16 && Object.values(value).every((one) => typeof one === 'string')
  const text = JSON.stringify(value)
  return plain && text.length <= longestMetadata ? { text } : { wrong: 'metadata is a map of at most 16 texts.' }
}

export interface Submission {
  readonly shape: Shape
  readonly endpoint: { readonly endpoint: string; readonly prefix: string }
  readonly metadata: string | null
  /** Of a file that is there already; else `wanted` is written into one. */
  readonly inputFile?: string
  readonly wanted?: readonly Wanted[]
  /** Milliseconds. */
  readonly expiresIn?: number
}

/** Makes the batch. */
export async function submit(desk: Desk, request: Request, call: RouteCall, submission: Submission): Promise<JobRow | Refusal> {
  const { host, config, jobs, files } = desk
  const owner = whose(desk, call)
  const { wanted, inputFile } = submission
  const lines = wanted && Buffer.from(wanted.map((one) => `${JSON.stringify(one)}\n`).join(''))
  const refusal = await refuseMore(desk, owner, call, lines?.length ?? 0)
  if (refusal) return refusal
  const now = host.now()
  const expiresAt = now + (submission.expiresIn ?? config.expires)
  const written =
    lines && (await files.write(owner, { purpose: 'submission', filename: 'submission', now, expiresAt: expiresAt + config.keep }, lines))
  // the flag of the Batch API itself is none of its requests'
  const plain = (value: string) => value.replace(/message-batches-[0-9-]+,? ?/g, '').replace(/, ?$/, '')
  const passed = new Set(config.headers.map((name) => name.toLowerCase()))
  const kept = [...request.headers].filter(([name]) => passed.has(name)).map(([name, value]) => [name, plain(value)] as const)
  const headers = Object.fromEntries(kept.filter(([, value]) => value !== ''))
  const job = await jobs.create(owner, {
    shape: submission.shape,
    principal: JSON.stringify(call.principal ?? null),
    headers: JSON.stringify(headers),
    metadata: submission.metadata,
    endpoint: JSON.stringify(submission.endpoint),
    inputFile: written?.id ?? inputFile ?? '',
    total: wanted?.length ?? 0,
    now,
    expiresAt,
  })
  desk.wake()
  return job
}

/** Begins to cancel a batch; as it is then. */
export async function cancel({ host, jobs, wake }: Desk, job: JobRow): Promise<JobRow> {
  const stopped = await jobs.stop(job.id, 'cancelling', host.now())
  if (stopped) wake()
  return stopped ?? job
}
