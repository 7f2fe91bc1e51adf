/**
 * What the classes of trimming save on recorded sessions, without the gateway: `bun test/bench/trim-offline.ts [--only class,class] [--sample n] [--agent name]`.
 *
 * Each session is trimmed once, result by result; then every call is billed by a cache that writes what is new (1.25), reads what is not (0.1) and forgets
 * after five minutes. `bench:savings` sends the same sessions through the plugins over HTTP; this answers in a minute, for work on the classes.
 */

import { builtInTrimmers, composeTrim } from '../../plugins/tool-trim/classes/index.ts'
import { readTrajectory, sampleOf, trajectoriesFolder, trajectoryFiles } from './savings/trajectories.ts'
import { type Counts, count, trimSession } from './savings/trim-session.ts'

const argument = (name: string): string | undefined => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? undefined : process.argv[at + 1]
}
const lossless = 'void,value,ref,byte'

const only = (argument('only') ?? lossless).split(',')
const trim = composeTrim(builtInTrimmers.filter((trimmer) => only.includes(trimmer.class) || only.includes(trimmer.name)))
const files = trajectoryFiles()
if (!files) {
  console.log(`no recorded sessions in ${trajectoriesFolder}`)
  process.exit(0)
}
const sample = sampleOf(files, Number(argument('sample') ?? files.length))

const agents = new Map<string, Counts>()
const sessions: { saved: number; turns: number; id: string }[] = []
const byTrimmer = new Map<string, number>()
const byTool = new Map<string, { before: number; after: number; saved: number }>()
const refused = new Map<string, number>()
const lostLines: string[] = []
let [results, characters, milliseconds, slowest] = [0, 0, 0, 0]

for (const file of sample) {
  const trajectory = readTrajectory(file)
  if (argument('agent') !== undefined && trajectory.agent !== argument('agent')) continue
  const session = trimSession(trajectory, trim)
  const costs = count(trajectory, session)
  const sum = agents.get(trajectory.agent) ?? { before: 0, after: 0 }
  agents.set(trajectory.agent, { before: sum.before + costs.before, after: sum.after + costs.after })
  sessions.push({ saved: 1 - costs.after / costs.before, turns: trajectory.turns.length, id: file })
  for (const [name, saved] of costs.byTrimmer) byTrimmer.set(name, (byTrimmer.get(name) ?? 0) + saved)
  for (const [name, tool] of costs.byTool) {
    const known = byTool.get(name) ?? { before: 0, after: 0, saved: 0 }
    byTool.set(name, {
      before: known.before + tool.before,
      after: known.after + tool.after,
      saved: known.before + tool.before - known.after - tool.after,
    })
  }
  for (const name of session.refused) refused.set(name, (refused.get(name) ?? 0) + 1)
  for (const line of session.lost) lostLines.push(`${file}: ${line}`)
  results += session.results
  characters += session.characters
  milliseconds += session.milliseconds
  slowest = Math.max(slowest, session.slowest)
}

const percent = (value: number): string => `${(100 * value).toFixed(2)} %`
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
const total = [...agents.values()].reduce((sum, one) => ({ before: sum.before + one.before, after: sum.after + one.after }), {
  before: 0,
  after: 0,
})
const long = sessions.filter((session) => session.turns >= 30)
console.log(`${sessions.length} sessions, ${results} results; classes ${only.join(', ')}`)
console.log(`input cost           ${percent(1 - total.after / total.before)} less`)
console.log(`median session       ${percent(median(sessions.map((session) => session.saved)))}`)
console.log(`median, >= 30 turns  ${percent(median(long.map((session) => session.saved)))} of ${long.length}`)
console.log(`sessions that cost more: ${sessions.filter((session) => session.saved < -0.0001).length}`)
for (const [agent, sum] of [...agents].sort((a, b) => b[1].before - a[1].before)) {
  console.log(
    `  ${agent.padEnd(18)} ${percent(1 - sum.after / sum.before).padStart(8)}   of ${percent(sum.before / total.before)} of the bill`,
  )
}
console.log('by trimmer:')
for (const [name, saved] of [...byTrimmer].sort((a, b) => b[1] - a[1])) console.log(`  ${name.padEnd(22)} ${percent(saved / total.before)}`)
if (process.argv.includes('--tools')) {
  console.log('by tool: share of the bill before, after; saved')
  for (const [name, tool] of [...byTool].sort((a, b) => b[1].after - a[1].after).slice(0, 24)) {
    console.log(
      `  ${name.padEnd(40)} ${percent(tool.before / total.before)} ${percent(tool.after / total.before)}  ${percent(tool.saved / tool.before)}`,
    )
  }
}
console.log(`decode failures: ${JSON.stringify(Object.fromEntries(refused))}`)
console.log(`edit lines lost: ${lostLines.length}`)
for (const line of lostLines.slice(0, 10)) console.log(`  ${line}`)
console.log(
  `${((milliseconds / characters) * 100_000).toFixed(2)} ms of processor time per 100,000 characters, slowest result ${slowest.toFixed(1)} ms`,
)
