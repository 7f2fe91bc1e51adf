/**
 * Recorded sessions, replayed call by call through the real plugins to a simulated provider cache: which way the figures go. The full figures are for
 * people: `bun run bench:savings`.
 */

import { beforeAll, describe, expect, test } from 'bun:test'
import { policies } from '../bench/savings/policies.ts'
import { type ReplayResult, replay } from '../bench/savings/replay.ts'
import { summarise } from '../bench/savings/table.ts'
import { readTrajectory, sampleOf, type Trajectory, trajectoriesFolder, trajectoryFiles } from '../bench/savings/trajectories.ts'

const sessions = 40
/** Candidates, spread over the names; of them those whose calls carry least text, so that a busy machine is through in time. */
const candidates = 60
/** Calls of a session at least: a shorter one has no history. */
const fewestCalls = 4

/** The same sessions each time: those of the candidates that are cheapest to replay, back in the order of their names. */
function fixedSample(files: readonly string[]): Trajectory[] {
  const weighed = sampleOf(files, candidates).flatMap((file) => {
    const trajectory = readTrajectory(file)
    if (trajectory.turns.length < fewestCalls) return []
    const lengths = trajectory.messages.map((message) => JSON.stringify(message).length)
    const weight = trajectory.turns.reduce((sum, turn) => sum + lengths.slice(0, turn.n).reduce((all, one) => all + one, 0), 0)
    return [{ trajectory, weight }]
  })
  const light = new Set(weighed.sort((a, b) => a.weight - b.weight || (a.trajectory.file < b.trajectory.file ? -1 : 1)).slice(0, sessions))
  return weighed
    .filter((one) => light.has(one))
    .map(({ trajectory }) => trajectory)
    .sort((a, b) => (a.file < b.file ? -1 : 1))
}

const files = trajectoryFiles()
const why = `the folder ${trajectoriesFolder} is absent; HEADGATE_TRAJECTORIES names another one`

describe.skipIf(files === undefined)(`savings over ${sessions} recorded sessions${files ? '' : `: skipped, ${why}`}`, () => {
  const results: Record<string, ReplayResult> = {}

  beforeAll(async () => {
    const sample = fixedSample(files!)
    expect(sample).toHaveLength(sessions)
    for (const name of ['cache', 'trim', 'cold']) results[name] = await replay(sample, { name, ...policies[name]! })
    results.again = await replay(sample, { name: 'again', ...policies.trim! })
  }, 240_000)

  test('lossless trimming costs less, no session more, and no line is lost that an edit must match', () => {
    const trim = summarise(results.trim!, results.cache!)
    expect(trim.less).toBeGreaterThan(0.05)
    expect(trim.median).toBeGreaterThan(0.02)
    expect(trim.worse).toEqual([])
    expect(trim.editLines).toBeGreaterThan(100)
    expect(trim.editLinesKept).toBe(trim.editLines)
  })

  test('clearing what is old when the cache is cold costs no more than that', () => {
    const cold = summarise(results.cold!, results.cache!)
    expect(cold.less).toBeGreaterThanOrEqual(summarise(results.trim!, results.cache!).less - 0.001)
    expect(cold.worse).toEqual([])
    expect(cold.editLinesKept / cold.editLines).toBeGreaterThanOrEqual(0.985)
  })

  test('what the gateway says was saved is what an exact count of the bill says', () => {
    const trim = summarise(results.trim!, results.cache!)
    expect(Math.abs(trim.trimClaim - 1)).toBeLessThan(0.03)
    expect(Math.abs(trim.cacheClaim - 1)).toBeLessThan(0.03)
    expect(results.trim!.sessions.every((session) => session.unmeasured === 0)).toBe(true)
  })

  test('marks for clients that send none: a fraction of what nothing cached would cost', () => {
    expect(summarise(results.cache!, results.cache!).ofUncached).toBeLessThan(0.35)
    expect(summarise(results.cache!, results.cache!).warmMisses).toBe(0)
  })

  test('replayed twice, the provider is sent the same bytes', () => {
    expect(results.again!.sessions.map((session) => session.sent)).toEqual(results.trim!.sessions.map((session) => session.sent))
    expect(results.cache!.sessions.map((session) => session.sent)).not.toEqual(results.trim!.sessions.map((session) => session.sent))
  })
})
