/**
 * Whose spool file is whose: `<made>-<host>-<pid>-<token>.spool`. The process in the name is the only one that writes or removes it.
 *
 * A file whose process is gone is claimed by renaming it, which only one can do. On this host the pid tells whether the process lives;
 * of another host (a container that shares the folder, or was this one's forerunner) the time of the last sign of life does. Containers may
 * have one host name, and all their processes number 1: the space in which pids are counted is part of the host.
 */

import { readdirSync, readlinkSync, renameSync, statSync, utimesSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

const suffix = '.spool'
/** Milliseconds without a sign of life after which a file of another host counts as left. */
const silence = 60_000
/** Milliseconds between signs of life. */
export const signEvery = 15_000

/** Tokens of spools that are open in this process. */
const open = new Set<string>()
/** Name of this host and, where there are such, number of its space of pids. */
export const spoolHost = `${hostname()}.${pidSpace()}`.replace(/[^A-Za-z0-9.]/g, '_')

function pidSpace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')
  } catch {
    return '0' // not Linux: one space
  }
}

export interface Claims {
  /** A name for a new file. */
  fresh(): string
  /** Takes over files that were left, oldest first; their new paths. */
  claim(): string[]
  /** Gives a sign of life for these files. */
  sign(paths: readonly string[]): void
  close(): void
}

/** Whether a folder holds files of spools, left or not. */
export function spoolFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(suffix))
      .sort()
  } catch {
    return [] // there is no folder yet
  }
}

export function createClaims(folder: string): Claims {
  const token = crypto.randomUUID().slice(0, 8)
  open.add(token)
  let count = 0
  const named = (made: string) => `${made}-${spoolHost}-${process.pid}-${token}.${++count}${suffix}`
  return {
    fresh: () => join(folder, named(Date.now().toString(36).padStart(9, '0'))),
    claim() {
      const claimed: string[] = []
      for (const name of spoolFiles(folder)) {
        const [made, owner, pid, rest] = name.split('-')
        if (!made || !owner || !pid || !rest || !isLeft(join(folder, name), owner, Number(pid), rest.split('.')[0]!)) continue
        const path = join(folder, named(made))
        try {
          renameSync(join(folder, name), path)
          utimesSync(path, new Date(), new Date())
          claimed.push(path)
        } catch {
          // another one was faster
        }
      }
      return claimed
    },
    sign(paths) {
      for (const path of paths) {
        try {
          utimesSync(path, new Date(), new Date())
        } catch {
          // removed meanwhile, or the disk refuses: then nobody can claim it either
        }
      }
    },
    close: () => void open.delete(token),
  }
}

function isLeft(path: string, owner: string, pid: number, token: string): boolean {
  if (owner === spoolHost) {
    if (pid === process.pid) return !open.has(token)
    return !lives(pid)
  }
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && Date.now() - stat.mtimeMs > silence
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
