/**
 * Processes under measurement: starting them, pinning them to a core, what they cost, ending them.
 *
 * Owns every process that the bench starts and ends them by their id, children included. Reads /proc, so Linux only.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import type { BunFile, Subprocess } from 'bun'

export interface Started {
  readonly process: Subprocess
  readonly pid: number
}

/** Cost of a process and its descendants. */
export interface Cost {
  /** User and system time so far, microseconds. */
  readonly cpu: number
  /** Resident memory now, bytes. */
  readonly rss: number
  /** Most resident memory so far, bytes (of each process; summed). */
  readonly peak: number
}

const running = new Set<Subprocess>()
let pinning = false
let freed = false

/** Measured process on core 1, load and mock on core 0, where the machine has both and `taskset` exists. */
export function usePinning(wanted: boolean): boolean {
  pinning = wanted && cpus().length >= 2 && Bun.which('taskset') !== null
  return pinning
}

/** Measured processes that are started from now on may use all cores (true), or their own only. */
export function freeMeasured(free: boolean): void {
  freed = free
}

/** Starts a command. `role` says which core it gets. Its output goes to a pipe that the caller reads, to a file, or nowhere. */
export function start(
  command: readonly string[],
  role: 'measured' | 'load',
  options: { env?: Record<string, string>; output?: 'pipe' | BunFile; cwd?: string } = {},
): Started {
  const pin = pinning && !(freed && role === 'measured') ? ['taskset', '-c', role === 'measured' ? '1' : '0'] : []
  const { BUN_CONFIG_MAX_HTTP_REQUESTS: _, ...inherited } = process.env
  const child = Bun.spawn([...pin, ...command], {
    stdin: 'pipe',
    stdout: options.output ?? 'ignore',
    stderr: options.output ?? 'ignore',
    env: { ...inherited, NO_COLOR: '1', ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  running.add(child)
  void child.exited.then(() => running.delete(child))
  return { process: child, pid: child.pid }
}

/** Ends a process and its descendants; SIGKILL after 2 s. */
export async function stop(started: Started): Promise<void> {
  const family = descendants(started.pid)
  for (const pid of family) signal(pid, 'SIGTERM')
  const timer = setTimeout(() => {
    for (const pid of family) signal(pid, 'SIGKILL')
  }, 2000)
  await started.process.exited
  clearTimeout(timer)
}

/** Ends whatever the bench has started. */
export function stopAll(): void {
  for (const child of running) for (const pid of descendants(child.pid)) signal(pid, 'SIGKILL')
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name)
  } catch {
    // It is gone, which is what was wanted.
  }
}

/** What a process and its descendants have cost so far. */
export function costOf(pid: number): Cost {
  let cpu = 0
  let rss = 0
  let peak = 0
  for (const one of descendants(pid)) {
    const stat = read(`/proc/${one}/stat`)
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    cpu += (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * microsPerTick
    const status = read(`/proc/${one}/status`)
    rss += kilobytes(status, 'VmRSS') * 1024
    peak += kilobytes(status, 'VmHWM') * 1024
  }
  return { cpu, rss, peak }
}

/** The kernel counts in hundredths of a second on every platform that Bun runs on. */
const microsPerTick = 10_000

function descendants(pid: number): number[] {
  const parents = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = read(`/proc/${name}/stat`)
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    const siblings = parents.get(parent)
    if (siblings) siblings.push(Number(name))
    else parents.set(parent, [Number(name)])
  }
  const found = [pid]
  for (const one of found) found.push(...(parents.get(one) ?? []))
  return found
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

function kilobytes(status: string, field: string): number {
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0)
}
