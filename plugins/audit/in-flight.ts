/**
 * Which exchanges are under way, in a file that outlives this process: after a crash the next one lists them.
 *
 * The file is mapped into memory: noting an exchange is a write to memory (0.3 µs), and the kernel keeps it when the process is killed. It
 * is not synced: a power failure may take it along. One slot per exchange, `<length><id \t time \t operation \t caller \t model>`; 0 = free.
 * Whose file it is, `left-files.ts` knows.
 */

import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { hold, letGo, sign, takeLeft } from './left-files.ts'

const slotSize = 256
/** Exchanges that can be known at once; more are not listed after a crash. */
const slots = 8192

/** What is known of an exchange that was under way. */
export interface Begun {
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly operation: string
  readonly dialect: string
  /** Empty when not known. */
  readonly caller: string
  readonly model: string
}

export interface InFlight {
  /** Notes an exchange; its slot, or -1 when all are taken. */
  begin(what: Begun): number
  /** Says more of it. */
  update(slot: number, what: Begun): void
  /** Frees slots: what they noted is durable elsewhere, or never was to be. */
  end(slot: number): void
  readonly count: number
  /** Gives a sign of life. */
  sign(): void
  /** Removes the file when nothing is under way. */
  close(): void
}

/** @param base beginning of the file's path; its folder is made. @throws Error when the file can't be made. */
export function inFlightFile(base: string, instance: string): InFlight {
  mkdirSync(dirname(base), { recursive: true })
  const path = hold(base, instance)
  const file = openSync(path, 'wx', 0o600)
  try {
    ftruncateSync(file, slots * slotSize)
  } finally {
    closeSync(file)
  }
  const map = Bun.mmap(path, { shared: true })
  const bytes = Buffer.from(map.buffer, map.byteOffset, map.byteLength)
  const free: number[] = []
  /** Slots that were never used; taken in order, so that a quiet gateway touches one page. */
  let fresh = 0
  const write = (slot: number, { id, at, operation, dialect, caller, model }: Begun) => {
    const start = slot * slotSize
    const length = bytes.write(`${id}\t${at}\t${operation}\t${dialect}\t${caller}\t${model}`, start + 1, slotSize - 1, 'utf8')
    bytes[start] = length // last: a slot counts from here on
  }
  return {
    begin(what) {
      const slot = free.pop() ?? (fresh < slots ? fresh++ : -1)
      if (slot >= 0) write(slot, what)
      return slot
    },
    update(slot, what) {
      if (slot < 0) return
      bytes[slot * slotSize] = 0
      write(slot, what)
    },
    end(slot) {
      if (slot < 0) return
      bytes[slot * slotSize] = 0
      free.push(slot)
    },
    get count() {
      return fresh - free.length
    },
    sign: () => sign(path),
    close() {
      letGo(instance)
      if (fresh === free.length) rmSync(path, { force: true })
    },
  }
}

/** What a process that died left. */
export interface Left {
  readonly instance: string
  readonly begun: readonly Begun[]
  /** It is dealt with. */
  remove(): void
  /** It is to be found again. */
  release(): void
}

/** Takes over the files of processes that are gone; nobody else gets them. */
export function leftBehind(base: string): Left[] {
  return takeLeft(base).map(({ path, instance }) => ({
    instance,
    begun: read(path),
    remove() {
      rmSync(path, { force: true })
      letGo(instance)
    },
    release: () => letGo(instance),
  }))
}

function read(path: string): Begun[] {
  const bytes = readFileSync(path)
  const begun: Begun[] = []
  for (let at = 0; at + slotSize <= bytes.length; at += slotSize) {
    const length = bytes[at]!
    if (length === 0) continue
    const [id, time, operation, dialect, caller, ...model] = bytes.toString('utf8', at + 1, at + 1 + length).split('\t')
    if (id && operation && dialect && Number.isFinite(Number(time)))
      begun.push({ id, at: Number(time), operation, dialect, caller: caller ?? '', model: model.join('\t') })
  }
  return begun
}
