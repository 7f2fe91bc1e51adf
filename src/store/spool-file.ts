/**
 * The spool on disk: append-only files of checked lines, synced before an append resolves, removed when their rows are in the store.
 *
 *     [left by others, oldest first] [own, written at its end, read from its start]
 *
 * A line that is cut off at the end of a file was never acknowledged and is passed over. The folder is made with the first row.
 */

import { mkdirSync } from 'node:fs'
import { appendFile, type FileHandle, open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Logger, StoreUnavailable } from '../plugin/host.ts'
import type { TableRows } from './records-driver.ts'
import type { Spool } from './spool.ts'
import { createClaims, signEvery } from './spool-claim.ts'
import { fromLine, toLine } from './spool-line.ts'
import { syncFolder } from './sync-folder.ts'

export interface FileSpoolOptions {
  readonly folder: string
  /** Bytes that all its files may have. */
  readonly limit: number
  readonly log: Logger
  /** Told when files of others were taken over after the start. */
  readonly found?: () => void
}

interface SpoolFile {
  readonly path: string
  readonly handle: FileHandle
  size: number
  /** Up to here its rows are in the store. */
  offset: number
}

/** Bytes read at a time; doubled for a line that is longer. */
const chunk = 256 * 1024

/** Opens the spool and takes over what was left. Never fails for a folder that is not there. */
export async function fileSpool(options: FileSpoolOptions): Promise<Spool> {
  const { folder, limit, log } = options
  const claims = createClaims(folder)
  const files: SpoolFile[] = []
  /** The last of `files`, while it is written to. */
  let own: SpoolFile | undefined
  /** Where the offset of the first file goes with `done`. */
  let next = 0
  let closed = false

  const takeOver = async (): Promise<boolean> => {
    const paths = closed ? [] : claims.claim()
    const taken: SpoolFile[] = []
    for (const path of paths) taken.push({ path, handle: await open(path, 'r'), size: (await stat(path)).size, offset: 0 })
    // behind the one that is being read, before the own one: they are older
    const at = own ? files.length - 1 : files.length
    files.splice(files.length > 0 ? Math.max(1, at) : 0, 0, ...taken)
    if (paths.length > 0) log.info('rows that wait for the records store were taken over', { files: paths.length })
    return paths.length > 0
  }
  await takeOver()
  const timer = setInterval(() => {
    claims.sign(files.map((f) => f.path))
    void takeOver().then(
      (some) => some && options.found?.(),
      (error: unknown) => log.error('spool files could not be taken over', { error: String(error) }),
    )
  }, signEvery)
  timer.unref()

  const ownFile = async (): Promise<SpoolFile> => {
    if (own) return own
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const path = claims.fresh()
    own = { path, handle: await open(path, 'wx+', 0o600), size: 0, offset: 0 }
    files.push(own)
    syncFolder(folder)
    return own
  }

  /** The first file has been read to its end. */
  const remove = async (file: SpoolFile) => {
    files.shift()
    if (own === file) own = undefined
    await file.handle.close()
    await rm(file.path, { force: true })
  }

  return {
    get empty() {
      return files.length === 0
    },
    get depth() {
      return files.reduce((sum, file) => sum + file.size - file.offset, 0)
    },
    async write(batch) {
      if (closed) throw new StoreUnavailable('the records are closed')
      const bytes = Buffer.from(batch.map(toLine).join(''))
      const used = files.reduce((sum, f) => sum + f.size, 0)
      if (used + bytes.length > limit) throw new StoreUnavailable(`the spool of the records is full: ${used} of ${limit} bytes`)
      try {
        const file = await ownFile()
        try {
          await writeAll(file.handle, bytes, file.size)
          await file.handle.datasync()
          file.size += bytes.length
        } catch (error) {
          // what was half written must not stand before the next line
          await file.handle.truncate(file.size).catch(() => {
            own = undefined
          })
          throw error
        }
      } catch (error) {
        throw new StoreUnavailable(`rows can't be spooled: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
      }
    },
    async read(max) {
      for (;;) {
        const file = files[0]
        if (!file) return undefined
        const { batch, end } = await readLines(file, max, log)
        next = end
        if (batch.length > 0) return batch
        await remove(file)
      }
    },
    async done() {
      const file = files[0]
      if (!file) return
      file.offset = next
      if (file.offset >= file.size) await remove(file)
    },
    async reject(row, reason) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      await appendFile(join(folder, 'rejected.jsonl'), `${JSON.stringify({ reason })} ${toLine(row)}`, { mode: 0o600 })
    },
    async close() {
      closed = true
      clearInterval(timer)
      for (const { handle } of files.splice(0)) await handle.close()
      claims.close()
    },
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at, bytes.length - at, position + at)).bytesWritten
}

/** Whole lines from the file's offset on, until they hold `max` rows; and where they end. No lines: the file is at its end. */
async function readLines(file: SpoolFile, max: number, log: Logger): Promise<{ batch: TableRows[]; end: number }> {
  const batch: TableRows[] = []
  let end = file.offset
  let rows = 0
  for (let length = chunk; ; length *= 2) {
    const left = file.size - end
    const buffer = Buffer.alloc(Math.min(length, left))
    const { bytesRead } = await file.handle.read(buffer, 0, buffer.length, end)
    let at = 0
    for (let stop = buffer.indexOf(10); stop >= 0 && rows < max; stop = buffer.indexOf(10, at)) {
      const line = fromLine(buffer.toString('utf8', at, stop))
      if (line) {
        batch.push(line)
        rows += line.rows.length
      } else log.error('a damaged line of the spool was passed over', { file: file.path, at: end + at })
      at = stop + 1
    }
    end += at
    if (batch.length > 0 || bytesRead >= left) return { batch, end }
  }
}
