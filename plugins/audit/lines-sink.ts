/** Records as lines of JSON, in a file or on standard output, gathered and written in groups; on the disk while that takes none. */

import type { Host } from 'headgate/plugin'
import type { AuditConfig } from './config.ts'
import { fileDestination, standardOutput } from './destination.ts'
import { lineOf } from './line.ts'
import { lineBuffer } from './line-buffer.ts'
import { lineSpool } from './line-spool.ts'
import type { AuditRecord } from './record.ts'

/** 16 MB: some 20,000 exchanges. */
const limit = 16 * 1024 * 1024
const linger = 50
const retry = 1000

export interface LinesSink {
  /** A promise where the destination is slow: it resolves when there is room for the record. */
  write(record: AuditRecord): Promise<void> | undefined
  /** No record can be kept now. */
  readonly full: boolean
  health(): string | undefined
  close(): Promise<void>
}

/** @throws Error when the file can't be opened for appending. */
export async function linesSink(host: Host, config: AuditConfig): Promise<LinesSink> {
  const path = config.file === undefined ? undefined : host.file(config.file)
  const name = path ?? 'standard output'
  const append = path === undefined ? standardOutput : await fileDestination(path, config.rotate, host.now)
  const lost = host.counter('audit_lines_lost', 'Audit lines that could not be kept: neither the destination nor the spool took them')
  let lostSince = 0
  const spool = await lineSpool({
    base: `${host.file(config.spool)}.${host.id}`,
    limit: config.spool_limit,
    append,
    target: path,
    onFailure: (error) =>
      host.log.error('audit lines cannot be written; they wait on the disk and are tried again', { to: name, error: String(error) }),
    onRecovery: () => host.log.info('audit lines are written again', { to: name }),
  })
  host.gauge('audit_lines_waiting', 'Bytes of audit lines that wait on the disk for their destination', () => [{ value: spool.depth }])
  host.task('lines', retry, () => spool.retry())

  const buffer = lineBuffer<AuditRecord>({
    text: (record) => lineOf(record, config.fields, config.thread),
    append: spool.append,
    limit,
    linger,
    retry,
    onFailure: (error) => {
      host.log.error('audit lines are not even taken by the disk; they wait in memory', { error: String(error) })
    },
    onRecovery: () => {
      host.log.info('audit lines are kept again', { lost: lostSince })
      lostSince = 0
    },
    onLost: (lines) => {
      if (lostSince === 0) host.log.error('audit lines are lost: neither destination nor disk takes them, and memory is full', { to: name })
      lostSince += lines
      lost.add(lines)
    },
  })

  return {
    write: buffer.add,
    get full() {
      return buffer.full
    },
    health: () =>
      buffer.failing || spool.failing
        ? `audit lines cannot be written to ${name}${buffer.failing ? ', nor to the disk' : '; they wait on the disk'}`
        : undefined,
    async close() {
      await buffer.close()
      await spool.close()
    },
  }
}
