import { describe, expect, test } from 'bun:test'
import { builtInTrimmers, composeTrim } from '../../plugins/tool-trim/classes/index.ts'
import { readTrajectory, sampleOf, trajectoriesFolder, trajectoryFiles } from './savings/trajectories.ts'
import { count, trimSession } from './savings/trim-session.ts'

const files = trajectoryFiles()
if (!files) console.log(`skipped: no recorded sessions in ${trajectoriesFolder}; HEADGATE_TRAJECTORIES names the folder that has them`)
const lossless = composeTrim(builtInTrimmers.filter(({ class: name }) => ['void', 'value', 'ref', 'byte'].includes(name)))

describe.skipIf(!files)('lossless classes on a sample of recorded sessions', () => {
  test('save input, and lose neither a byte nor a line that an edit has to match', () => {
    let [before, after, results, trimmed] = [0, 0, 0, 0]
    for (const file of sampleOf(files!, 24)) {
      const trajectory = readTrajectory(file)
      const session = trimSession(trajectory, lossless)
      expect(session.refused, file).toEqual([])
      expect(session.lost, file).toEqual([])
      const costs = count(trajectory, session)
      expect(costs.after, file).toBeLessThanOrEqual(costs.before)
      before += costs.before
      after += costs.after
      results += session.results
      trimmed += session.texts.size
      // the same conversation again is trimmed alike
      const again = trimSession(trajectory, lossless)
      expect([...again.texts].map(([i, { text }]) => [i, Bun.hash(text)])).toEqual(
        [...session.texts].map(([i, { text }]) => [i, Bun.hash(text)]),
      )
    }
    expect(results).toBeGreaterThan(500)
    expect(trimmed).toBeGreaterThan(150)
    expect(1 - after / before).toBeGreaterThan(0.08)
  }, 60_000)
})
