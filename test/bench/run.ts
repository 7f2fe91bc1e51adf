/**
 * `bun run bench`: measures the gateway against a bare pass-through, interleaved in one run, and prints figures beside goals.
 *
 * Owns the flags and the order of the scenarios. Everything stays on 127.0.0.1; every process it starts is ended at the end.
 * Exit code 0 = all goals met, 1 = some not, 2 = it could not measure.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Bench, fullLengths, quickLengths, startLoad, startMock, untilReady } from './bench.ts'
import {
  type Candidate,
  direct,
  floor,
  gateway,
  gatewayCommand,
  nginx,
  portkey,
  projectRoot,
  type Site,
  sourceCommand,
} from './candidates.ts'
import { stopAll, usePinning } from './processes.ts'
import { type Figure, table, verdict } from './report.ts'
import { latency } from './scenario-latency.ts'
import { startup } from './scenario-startup.ts'
import { chunks, slowStreams } from './scenario-streams.ts'
import { throughput } from './scenario-throughput.ts'

const scenarios = { throughput, latency, chunks, slow: slowStreams, start: startup } as const
type ScenarioName = keyof typeof scenarios

const help = `bun run bench [flags]
  --quick            short rounds: less than a minute, rough figures
  --only <name>      one scenario: ${Object.keys(scenarios).join(', ')} (may be repeated)
  --peers            also @portkey-ai/gateway from npm (installed into a temporary folder) and nginx, if it is there
  --self             the floor a second time instead of the gateway: shows the noise of this machine
  --gateway <cmd>    how to start the gateway; {config} and {port} are filled in
  --rounds <n>       rounds per case
  --no-pin           leave the processes unpinned
  --json             figures as JSON on standard output`

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    peers: { type: 'boolean', default: false },
    self: { type: 'boolean', default: false },
    gateway: { type: 'string', default: gatewayCommand },
    rounds: { type: 'string' },
    'no-pin': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const say = (text: string): void => console.error(`bench: ${text}`)

async function chooseCandidates(site: Site): Promise<Candidate[]> {
  const candidates = [floor(site), flags.self ? floor(site, 'floor again') : gateway(site, flags.gateway)]
  if (!flags.peers) return candidates
  say('installing @portkey-ai/gateway')
  for (const [name, peer] of [
    ['@portkey-ai/gateway', await portkey(site)],
    ['nginx', nginx(site)],
  ] as const) {
    if (peer) candidates.push(peer)
    else say(`${name} is not available here: left out`)
  }
  return candidates
}

/** Starts each candidate once; says why one does not answer. */
async function check(candidates: readonly Candidate[]): Promise<void> {
  for (const candidate of candidates) {
    const running = candidate.start()
    try {
      await untilReady(running, 10_000)
    } catch (error) {
      const log = candidate.log === undefined ? '' : await Bun.file(candidate.log).text()
      throw new Error(`${candidate.name}: ${error instanceof Error ? error.message : String(error)}\n${log.slice(-2000)}`)
    } finally {
      await running.stop()
    }
  }
}

async function main(): Promise<number> {
  if (flags.help) {
    console.log(help)
    return 0
  }
  const wanted = flags.only.length > 0 ? flags.only : Object.keys(scenarios)
  const unknown = wanted.find((name) => !(name in scenarios))
  if (unknown !== undefined) {
    console.error(`there is no scenario ${unknown}\n${help}`)
    return 2
  }
  if (flags.gateway === gatewayCommand) {
    const built = Bun.spawnSync(['bun', 'run', 'build'], { cwd: projectRoot })
    if (!built.success) throw new Error(`bun run build failed: ${built.stderr.toString()}`)
  }
  const folder = mkdtempSync(join(tmpdir(), 'headgate-bench-'))
  try {
    const pinned = usePinning(!flags['no-pin'])
    say(pinned ? 'pinned: measured process on core 1, load and mock on core 0' : 'not pinned')
    const site = { mockPort: await startMock(), folder }
    const lengths = { ...(flags.quick ? quickLengths : fullLengths), ...(flags.rounds ? { rounds: Number(flags.rounds) } : {}) }
    const bench: Bench = {
      lengths,
      candidates: await chooseCandidates(site),
      direct: direct(site),
      fromSource: gateway(site, sourceCommand, 'gateway from source'),
      load: startLoad(),
      say,
    }
    await check(bench.candidates)
    const figures: Figure[] = []
    for (const name of wanted) {
      const began = performance.now()
      figures.push(...(await scenarios[name as ScenarioName](bench)))
      say(`${name}: ${((performance.now() - began) / 1000).toFixed(0)} s`)
    }
    console.log(
      flags.json
        ? JSON.stringify(
            figures.map((figure) => ({ ...figure, verdict: verdict(figure) })),
            null,
            1,
          )
        : table(figures),
    )
    return figures.some((figure) => verdict(figure) === 'FAIL') ? 1 : 0
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    return 2
  } finally {
    stopAll()
    rmSync(folder, { recursive: true, force: true })
  }
}

process.exitCode = await main()
process.exit()
