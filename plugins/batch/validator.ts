/**
 * From what was submitted to items: reads the input of a batch line by line and writes its requests down, some at a time, or says what is wrong with it.
 *
 * One process does it, under a lease that each step renews; one that takes over begins again, and finds what is there already in its place.
 */

import type { Records } from 'headgate/plugin'
import { linesOf } from './bodies.ts'
import type { FileStore } from './files.ts'
import { type Intake, intake, isProblem, type Problem, type Wanted } from './intake.ts'
import type { ItemStore } from './items.ts'
import type { JobStore } from './jobs.ts'
import type { JobRow } from './tables.ts'

export interface ValidatorOptions {
  readonly records: Records
  readonly jobs: JobStore
  readonly items: ItemStore
  readonly files: FileStore
  readonly instance: string
  /** Milliseconds. */
  readonly lease: number
  readonly maxRequests: number
  readonly now: () => number
}

const pageSize = 100

/** Raised when another process, or a cancellation, has taken the batch. */
class Taken extends Error {}

/** Validates one; false when it is not this process's to do. */
export async function validate(job: JobRow, options: ValidatorOptions): Promise<boolean> {
  const { records, jobs, items, files, instance, lease, now } = options
  const keeps = (query: Records['sql']) => jobs.lease(query, job.id, instance, now(), now() + lease)
  if (!(await keeps(records.sql))) return false
  const check = intake(options.maxRequests)
  let page: Wanted[] = []
  let from = 0
  let count = 0
  let bytes = 0
  const flush = async (): Promise<void> => {
    const wanted = page
    await records.transaction(
      async (query) => {
        if (!(await keeps(query))) throw new Taken()
        await items.add(query, job.id, from, wanted)
      },
      { isolation: 'rows' },
    )
    from += wanted.length
    page = []
  }
  const fail = async (problem: Problem): Promise<true> => {
    while ((await items.remove(job.id)) > 0);
    await jobs.fail(job.id, [problem], now())
    return true
  }
  try {
    let line = 0
    for await (const text of linesOf(files.pieces(job.input_file))) {
      line++
      if (text.trim() === '') continue
      const found = wantedOf(job, text, line, check)
      if (isProblem(found)) return await fail(found)
      page.push(found)
      count++
      bytes += found.body.length
      if (page.length >= pageSize) await flush()
    }
    if (count === 0) return await fail({ code: 'empty_file', message: 'There are no requests in the input.', param: null, line: null })
    if (page.length > 0) await flush()
    if (!(await jobs.begin(job.id, instance, count, bytes, now()))) return false
    if (job.shape !== 'openai') await files.remove(job.input_file)
    return true
  } catch (error) {
    if (error instanceof Taken) return false
    throw error
  }
}

function wantedOf(job: JobRow, text: string, line: number, check: Intake): Wanted | Problem {
  if (job.shape !== 'openai') return JSON.parse(text) as Wanted // of our own making, checked when it was submitted
  const { endpoint, prefix } = JSON.parse(job.endpoint) as { endpoint: string; prefix: string }
  return check.openaiLine(text, line, endpoint, prefix)
}
