/**
 * `bun run bench:savings`: what the session plugins save, measured call by call over recorded agent sessions.
 *
 *   bun run bench:savings                     all sessions: minutes
 *   bun run bench:savings --sample 40         so many, evenly spread
 *   bun run bench:savings --policies cache,trim
 *
 * Prices are relative to plain input as Anthropic's are: 1.25 and 2 for writes, 0.1 for reads.
 */

import { parseArgs } from 'node:util'
import { policies } from './policies.ts'
import { type ReplayResult, replay } from './replay.ts'
import { table } from './table.ts'
import { readTrajectory, sampleOf, trajectoriesFolder, trajectoryFiles } from './trajectories.ts'

const { values } = parseArgs({
  options: {
    sample: { type: 'string' },
    policies: { type: 'string', default: Object.keys(policies).join(',') },
    match: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const files = trajectoryFiles()
if (!files) {
  console.error(`There are no sessions to replay: ${trajectoriesFolder} does not exist. HEADGATE_TRAJECTORIES names another folder.`)
  process.exit(2)
}
const wanted = values.match ? files.filter((file) => file.includes(values.match!)) : files
const trajectories = sampleOf(wanted, values.sample ? Number(values.sample) : wanted.length).map(readTrajectory)

const results: ReplayResult[] = []
for (const name of values.policies.split(',')) {
  const policy = policies[name]
  if (!policy) throw new Error(`no policy ${name}; there are: ${Object.keys(policies).join(', ')}`)
  const result = await replay(trajectories, { name, ...policy }, (done, of) => {
    if (process.stderr.isTTY && done % 50 === 0) process.stderr.write(`\r${name}: ${done} of ${of} `)
  })
  if (process.stderr.isTTY) process.stderr.write('\r')
  results.push(result)
}
if (values.json) console.log(JSON.stringify(results, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)))
else console.log(table(results))
