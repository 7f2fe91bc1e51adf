/**
 * Files that outlive their process: `<base>.<host>.<pid>.<instance>`. The name holds host and process, so that others leave a file alone while that lives;
 * other hosts go by its last sign of life. Who takes a file over renames it, which only one can do.
 */

import { readdirSync, readlinkSync, renameSync, statSync, utimesSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'

/** Milliseconds without a sign of life after which a file of another host counts as left. */
const silence = 60_000
/** Instances whose files are in use in this process, or were taken over by it. */
const held = new Set<string>()
/** Name of this host and, where there are such, number of its space of pids: containers may share a name, and their pids say nothing of each other. */
const host = `${hostname()}.${pidSpace()}`.replace(/[^A-Za-z0-9.]/g, '_')

function pidSpace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')
  } catch {
    return '0' // not Linux: one space
  }
}

/** Path of a file of this process; it counts as in use from here on. */
export function hold(base: string, instance: string): string {
  held.add(instance)
  return `${base}.${host}.${process.pid}.${instance}`
}

/** The file is in use no more: when it is still there it is left. */
export function letGo(instance: string): void {
  held.delete(instance)
}

/** Gives a sign of life. */
export function sign(path: string): void {
  try {
    utimesSync(path, new Date(), new Date())
  } catch {
    // removed by hand: there is nothing to sign
  }
}

/** Takes over the files of processes that are gone, and holds them; nobody else gets them. */
export function takeLeft(base: string): { readonly path: string; readonly instance: string }[] {
  const folder = dirname(base)
  const prefix = `${basename(base)}.`
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return []
  }
  return names.flatMap((name) => {
    if (!name.startsWith(prefix)) return []
    const parts = name.slice(prefix.length).split('.')
    const instance = parts.pop()
    const pid = Number(parts.pop())
    const path = join(folder, name)
    if (!instance || !Number.isInteger(pid) || !isLeft(path, parts.join('.'), pid, instance)) return []
    const mine = join(folder, `${prefix}${host}.${process.pid}.${instance}`)
    try {
      if (path !== mine) renameSync(path, mine)
      held.add(instance)
      return [{ path: mine, instance }]
    } catch {
      return [] // another one was faster
    }
  })
}

function isLeft(path: string, owner: string, pid: number, instance: string): boolean {
  if (owner === host) return pid === process.pid ? !held.has(instance) : !lives(pid)
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
