/**
 * What the session plugin reaches on recorded sessions, and what it costs: `bun run bench:session`.
 *
 * Prints identity (sessions merged and split, with and without an id of the client), token estimates against what was billed, and the time per
 * megabyte of history. HEADGATE_TRAJECTORIES names the folder of recorded sessions; without it only the speed of the estimator is measured.
 */

import { chainOf } from '../../../plugins/session/chain.ts'
import { clientIds, usualPlaces } from '../../../plugins/session/client-id.ts'
import { envelopeOf } from '../../../plugins/session/envelope.ts'
import { identifier } from '../../../plugins/session/identify.ts'
import { callers } from '../../../plugins/session/ids.ts'
import { knownSessions } from '../../../plugins/session/known.ts'
import { promptUnits } from '../../../src/json/prompt-units.ts'
import { estimateBytes } from '../../../src/plugin/index.ts'
import { readTrajectory, trajectoriesFolder, trajectoryFiles } from '../savings/trajectories.ts'
import { measureIdentity, measureTokens, quantile } from './measures.ts'
import { bodiesOf } from './replay.ts'

const percent = (share: number) => `${(share * 100).toFixed(2)} %`
const files = trajectoryFiles()
if (files) {
  identity('by its messages, no client id', false, files)
  identity('with an id of the client', true, files)
  tokens(files)
  cpu(files)
} else console.log(`No recorded sessions at ${trajectoriesFolder}: set HEADGATE_TRAJECTORIES.`)
estimator()

function identity(what: string, named: boolean, from: readonly string[]): void {
  const { sessions, requests, ids, merged, split } = measureIdentity(from, named)
  console.log(
    `identity ${what}: ${sessions} sessions, ${requests} requests, ${ids} ids; ` +
      `merged ${merged.length} (${percent(merged.length / sessions)}), split ${split.length} (${percent(split.length / sessions)})`,
  )
}

function tokens(from: readonly string[]): void {
  const { later, first, firstSeen, firstTold } = measureTokens(from)
  const line = (what: string, errors: readonly number[]) => {
    const bias = errors.reduce((sum, error) => sum + error, 0) / errors.length
    const at = (p: number) => percent(quantile(errors, p))
    console.log(`tokens, ${what}: ${errors.length} requests, error p50 ${at(0.5)}, p95 ${at(0.95)}, p99 ${at(0.99)}, mean ${percent(bias)}`)
  }
  line('all requests', [...later, ...first])
  line('turns after the first', later)
  line('first of a session', first)
  line('… with tools and system seen before', firstSeen)
  line('… whose system prompt is in the request (its tools are not)', firstTold)
}

/** The median of many runs, in milliseconds. */
function median(run: () => unknown): number {
  const times: number[] = []
  for (let i = 0; i < 80; i++) {
    const begun = performance.now()
    run()
    if (i >= 30) times.push(performance.now() - begun)
  }
  return times.sort((a, b) => a - b)[times.length >> 1]!
}

function cpu(from: readonly string[]): void {
  const largest = from
    .map(readTrajectory)
    .map((session) => ({ session, body: bodiesOf(session)(session.messages.length) }))
    .sort((a, b) => b.body.bytes.length - a.body.bytes.length)
    .slice(0, 5)
  const layout = { tools: ['tools'], system: [], messages: ['messages'] }
  const sums = { megabytes: 0, messages: 0, units: 0, chain: 0, all: 0 }
  for (const { session, body } of largest) {
    const { bytes, units } = body
    const known = knownSessions(1000, 3_600_000)
    const ids = identifier(known, undefined)
    const caller = callers('secret')('account', 'key')
    const clientIdOf = clientIds(usualPlaces)
    const headers = new Headers({ 'content-type': 'application/json', 'user-agent': 'bench' })
    let now = 1
    sums.megabytes += bytes.length / 1e6
    sums.messages += units.length
    sums.units += median(() => promptUnits(bytes, layout))
    sums.chain += median(() => chainOf(bytes, units, caller.seed, 'anthropic-messages'))
    sums.all += median(() => {
      const found = promptUnits(bytes, layout)
      const client = clientIdOf(headers, () => envelopeOf(bytes, found))
      const chain = chainOf(bytes, found, caller.seed, 'anthropic-messages')
      now++
      return ids.identify({
        caller,
        owner: { key: 'k', account: 'a' },
        chain,
        model: session.model,
        client,
        previous: undefined,
        answerTokens: () => 0,
        retry: false,
        now,
      })
    })
  }
  const per = (ms: number) => `${(ms / sums.megabytes).toFixed(3)} ms/MB`
  console.log(
    `time, ${largest.length} histories, ${sums.megabytes.toFixed(1)} MB, ${sums.messages} messages: ` +
      `units ${per(sums.units)}, hashes ${per(sums.chain)}, all of a request ${per(sums.all)}`,
  )
}

function estimator(): void {
  const units = {
    prose: 'The quick brown fox jumps, over 123 lazy dogs.\\n',
    letter: 'a',
    ideographs: '字',
    emoji: '🎉',
    escapes: '\\\\',
    quotes: '\\"',
    unicode: '\\u4e2d',
  }
  const rates = Object.entries(units).map(([name, unit]) => {
    const bytes = new TextEncoder().encode(`"${unit.repeat(Math.ceil(1e6 / Buffer.byteLength(unit)))}"`)
    return `${name} ${Math.round(bytes.length / 1e3 / median(() => estimateBytes(bytes)))}`
  })
  console.log(`estimator, MB/s: ${rates.join(', ')}`)
}
