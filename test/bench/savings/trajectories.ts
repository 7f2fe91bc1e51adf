/**
 * Recorded sessions of coding agents and tool-calling assistants, read lazily from a folder outside the project.
 *
 * The folder is `../shared/trajectories` beside the project, or what HEADGATE_TRAJECTORIES names. It may be absent: then there is nothing to replay. Nothing
 * of it may be copied into the project.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const trajectoriesFolder = resolve(process.env.HEADGATE_TRAJECTORIES ?? join(import.meta.dir, '../../../../shared/trajectories'))

/** A message as recorded, in the shape of Chat Completions. */
export interface RecordedMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string | readonly RecordedBlock[] | null
  readonly tool_calls?: readonly { readonly id: string; readonly function: { readonly name: string; readonly arguments: string } }[]
  readonly tool_call_id?: string
  readonly name?: string
}
export interface RecordedBlock {
  readonly type: string
  readonly text?: string
  /** Of a picture, whose data was not kept. */
  readonly bytes?: number
}

/** One model call: the first `n` messages were its request. */
export interface RecordedTurn {
  readonly n: number
  /** Seconds since the epoch; absent where the log has none. */
  readonly ts?: number
  readonly usage?: {
    readonly in: number
    readonly cache_read: number
    readonly cache_write: number
    readonly cache_write_1h: number
    readonly out: number
  }
}

export interface Trajectory {
  readonly id: string
  readonly file: string
  /** `owner/repository …`. */
  readonly source: string
  readonly agent: string
  readonly model: string
  readonly messages: readonly RecordedMessage[]
  readonly turns: readonly RecordedTurn[]
}

/** Names of all sessions, sorted; undefined when the folder is absent. */
export function trajectoryFiles(): readonly string[] | undefined {
  if (!existsSync(trajectoriesFolder)) return undefined
  return readdirSync(trajectoriesFolder)
    .filter((name) => name.endsWith('.json'))
    .sort()
}

export function readTrajectory(file: string): Trajectory {
  const read = JSON.parse(readFileSync(join(trajectoriesFolder, file), 'utf8')) as Omit<Trajectory, 'file'>
  return { ...read, file }
}

/** The repository that a session comes from: it stands for a tenant. */
export function tenantOf(trajectory: Trajectory): string {
  return trajectory.source.split(' ')[0]!
}

/** Seconds between two calls of a log without times: what a tool usually takes. */
const usualGap = 7

/** When each call was made, in milliseconds since the epoch; never backwards. */
export function timesOf(trajectory: Trajectory): number[] {
  let last = 1_767_225_600
  return trajectory.turns.map((turn, i) => {
    const at = turn.ts ?? last + (i === 0 ? 0 : usualGap)
    last = i === 0 ? at : Math.max(last, at)
    return Math.round(last * 1000)
  })
}

/** So many of them, spread evenly over the sorted names; the same ones each time. */
export function sampleOf<T>(all: readonly T[], count: number): T[] {
  if (count >= all.length) return [...all]
  return Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!)
}
