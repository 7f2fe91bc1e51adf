/**
 * Lines on the disk while their destination takes none: what comes goes to a file of this process, synced, until the destination has taken all of it, in order.
 *
 *     direct ──the destination fails──▶ spooling (all goes to the spool; each second the destination is tried) ──all brought in──▶ direct
 *
 * What a process leaves, by its end or a crash, the next one brings in. Before a part is brought in, a note says how long the destination was: after a crash
 * in between its end is looked through for that part, so that no line comes twice. Of standard output there is no telling. Says no when the disk does.
 */

import { mkdirSync, statSync } from 'node:fs'
import { type FileHandle, open, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Append } from './destination.ts'
import { hold, letGo, sign, takeLeft } from './left-files.ts'

export interface LineSpoolOptions {
  /** Beginning of the paths of its files. */
  readonly base: string
  /** Bytes that its files may have. */
  readonly limit: number
  /** The destination. */
  readonly append: Append
  /** Where that is a file: its path. */
  readonly target: string | undefined
  onFailure(error: unknown): void
  onRecovery(): void
}

export interface LineSpool {
  /** Takes bytes, to their destination or to the disk. @throws Error when neither takes them */
  readonly append: Append
  /** Tries to bring in what waits. Never rejects. */
  retry(): Promise<void>
  /** Bytes that wait on the disk. */
  readonly depth: number
  readonly failing: boolean
  close(): Promise<void>
}

interface SpoolFile {
  readonly path: string
  readonly instance: string
  readonly handle: FileHandle
  size: number
  /** Up to here all has been brought in. */
  offset: number
}

/** What stands beside a file: a part of it that was being brought in, and how long the destination was. */
interface Note {
  readonly offset: number
  readonly length: number
  readonly before: number
}

/** Bytes brought in at a time. */
const part = 256 * 1024
/** Bytes behind the noted end that are looked through: others may write to the same file. */
const mostSearched = 16 * 1024 * 1024

export async function lineSpool(options: LineSpoolOptions): Promise<LineSpool> {
  const { base, limit, target } = options
  /** The oldest first; `own` is the last one while it is written to. */
  const files: SpoolFile[] = []
  let own: SpoolFile | undefined
  let failing = false
  let last: Promise<unknown> = Promise.resolve()
  const inOrder = <T>(job: () => Promise<T>): Promise<T> => {
    const next = last.then(job)
    last = next.catch(() => {})
    return next
  }

  const takeOver = async (): Promise<void> => {
    let problem: unknown
    for (const { path, instance } of takeLeft(base)) {
      let handle: FileHandle | undefined
      try {
        handle = await open(path, 'r+')
        const size = await wholeLines(handle, (await stat(path)).size)
        const file = { path, instance, handle, size, offset: 0 }
        file.offset = await broughtIn(file, base, target)
        files.splice(own ? files.length - 1 : files.length, 0, file)
      } catch (error) {
        // the next look takes it over again
        await handle?.close()
        letGo(instance)
        problem = error
      }
    }
    if (problem !== undefined) throw problem
  }

  const failed = (error: unknown): void => {
    if (!failing) options.onFailure(error)
    failing = true
  }

  const keep = async (bytes: Uint8Array): Promise<number> => {
    const used = files.reduce((sum, file) => sum + file.size, 0)
    if (used + bytes.length > limit) throw new Error(`the spool of lines is full: ${used} of ${limit} bytes`)
    if (!own) {
      mkdirSync(dirname(base), { recursive: true, mode: 0o700 })
      const instance = `${Date.now().toString(36)}${crypto.randomUUID().slice(0, 8)}`
      const path = hold(base, instance)
      own = { path, instance, handle: await open(path, 'wx+', 0o600), size: 0, offset: 0 }
      files.push(own)
    }
    for (let at = 0; at < bytes.length; ) at += (await own.handle.write(bytes, at, bytes.length - at, own.size + at)).bytesWritten
    await own.handle.datasync()
    own.size += bytes.length
    return bytes.length
  }

  /** Brings in one part. False when nothing waits. @throws Error of the destination */
  const bringIn = async (): Promise<boolean> => {
    const [file] = files
    if (!file) return false
    if (file.offset < file.size) {
      const bytes = new Uint8Array(Math.min(part, file.size - file.offset))
      await file.handle.read(bytes, 0, bytes.length, file.offset)
      const note: Note = { offset: file.offset, length: bytes.length, before: sizeOf(target) }
      await writeFile(noteOf(base, file.instance), JSON.stringify(note), { mode: 0o600 })
      const taken = await options.append(bytes)
      if (taken <= 0) throw new Error('nothing could be written')
      file.offset += taken
      if (file.offset < file.size) return true
    }
    files.shift()
    if (own === file) own = undefined
    await file.handle.close()
    await rm(file.path, { force: true })
    await rm(noteOf(base, file.instance), { force: true })
    letGo(file.instance)
    return files.length > 0
  }

  await takeOver()
  return {
    append: (bytes) =>
      inOrder(async () => {
        if (files.length === 0) {
          try {
            const taken = await options.append(bytes)
            if (taken > 0) return taken
            throw new Error('nothing could be written')
          } catch (error) {
            failed(error)
          }
        }
        return await keep(bytes)
      }),
    async retry() {
      try {
        await inOrder(takeOver)
        // what comes meanwhile gets its turn in between, and goes behind
        while (await inOrder(bringIn)) for (const { path } of files) sign(path)
        if (failing) options.onRecovery()
        failing = false
      } catch (error) {
        failed(error)
        for (const { path } of files) sign(path)
      }
    },
    get depth() {
      return files.reduce((sum, file) => sum + file.size - file.offset, 0)
    },
    get failing() {
      return failing
    },
    close: () =>
      inOrder(async () => {
        for (const { handle, instance } of files.splice(0)) {
          await handle.close()
          letGo(instance)
        }
        own = undefined
      }),
  }
}

const noteOf = (base: string, instance: string) => `${base}-${instance}`

function sizeOf(target: string | undefined): number {
  return (target === undefined ? undefined : statSync(target, { throwIfNoEntry: false })?.size) ?? 0
}

/** Where the last whole line ends: what was half written when its process died was never said to be kept. */
async function wholeLines(handle: FileHandle, size: number): Promise<number> {
  for (let end = size; end > 0; ) {
    const bytes = Buffer.alloc(Math.min(part, end))
    await handle.read(bytes, 0, bytes.length, end - bytes.length)
    const found = bytes.lastIndexOf(10)
    if (found >= 0) return end - bytes.length + found + 1
    end -= bytes.length
  }
  return 0
}

/** Up to where a file that was left has been brought in. */
async function broughtIn(file: SpoolFile, base: string, target: string | undefined): Promise<number> {
  let note: Note
  try {
    note = JSON.parse(await Bun.file(noteOf(base, file.instance)).text()) as Note
  } catch {
    return 0 // nothing was, or the note was being written: then this part was not begun
  }
  const end = note.offset + note.length
  if (target === undefined || end > file.size) return note.offset
  const bytes = Buffer.alloc(note.length)
  await file.handle.read(bytes, 0, bytes.length, note.offset)
  const tail = Bun.file(target).slice(note.before, note.before + note.length + mostSearched)
  const there = Buffer.from(await tail.arrayBuffer().catch(() => new ArrayBuffer(0)))
  return there.includes(bytes) ? end : note.offset
}
