/**
 * Agents without a terminal against the gateway, in front of a model that plays a script: read a file by a tool, answer with what it says.
 *
 *   bun run test:agents                       every agent on every dialect of upstream
 *   bun run test:agents claude 'pi (chat)'    those whose name contains one of the words
 *
 * Prints a table; fails when a cell fails. Needs npm, and the network when agents are not installed yet. HEADGATE_AGENTS_LOGS names a folder for what
 * agents print and what the model was sent.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startLocalGateway } from '../support/local-gateway.ts'
import { modelConfig, type Upstream, upstreamModel, upstreams } from '../support/model/gateway.ts'
import { type ScriptedModel, startModel } from '../support/model/server.ts'
import { type Agent, agents } from './agents.ts'
import { installed } from './packages.ts'

/** Milliseconds for one question. */
const limit = 60_000

/** How often the model calls the tool at once. */
const calls = 2

const secret = 'The kestrel counted 4711 umbrellas'

interface Cell {
  /** Empty when it worked. */
  readonly why: string
  readonly seconds: number
}

/** The gateway of a run: whatever model the agent asks for, the main one or a small one, it is that of one upstream. */
function configFor(url: string, upstream: Upstream): string {
  const models = { '*': { targets: [{ upstream, model: upstreamModel(upstream) }] } }
  return modelConfig(url, { models })
}

/** One question to one agent. */
async function play(agent: Agent, upstream: Upstream, commands: string): Promise<Cell> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-agent-'))
  const home = join(folder, 'home')
  const work = join(folder, 'work')
  mkdirSync(home)
  mkdirSync(work)
  const file = join(work, 'notes.txt')
  writeFileSync(file, `${secret}.\n`)
  const model = startModel()
  model.args = agent.args(file)
  model.parallel = calls
  model.proofs = !agent.forgets?.includes(upstream)
  const gateway = await startLocalGateway(configFor(model.url, upstream))
  const started = performance.now()
  try {
    const said = await ask(agent, { url: gateway.url, home, work, prompt: `Read the file ${file} and tell me what it says` }, commands)
    const why = judge(said, model)
    keepLog(`${agent.name} ${upstream}`, said, model, gateway.log())
    return { why, seconds: (performance.now() - started) / 1000 }
  } finally {
    await gateway.stop()
    await model.stop()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

interface Said {
  readonly output: string
  readonly errors: string
  /** Undefined when it took too long. */
  readonly code: number | undefined
}

/** Runs the agent; nothing of it is left when this returns. */
async function ask(agent: Agent, place: Parameters<Agent['run']>[0], commands: string): Promise<Said> {
  const { command, env } = agent.run(place)
  const { home, work } = place
  const child = Bun.spawn([join(commands, command[0]!), ...command.slice(1)], {
    cwd: work,
    // nothing of ours: no keys, no proxies, no settings
    env: {
      PATH: `${commands}:${process.env.PATH}`,
      HOME: home,
      TMPDIR: home,
      XDG_CONFIG_HOME: join(home, '.config'),
      XDG_CACHE_HOME: join(home, '.cache'),
      XDG_DATA_HOME: join(home, '.local', 'share'),
      XDG_STATE_HOME: join(home, '.local', 'state'),
      LANG: 'C.UTF-8',
      NO_COLOR: '1',
      CI: '1',
      ...env,
    },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    detached: true, // a process group of its own, so that what it started can be ended with it
  })
  const end = () => {
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // all of it is gone
    }
  }
  let late = false
  const timer = setTimeout(() => {
    late = true
    end()
  }, limit)
  const texts = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  const code = await child.exited
  clearTimeout(timer)
  end()
  const [output, errors] = await texts
  return { output, errors, code: late ? undefined : code }
}

/** Why it did not work; empty when it did. */
function judge(said: Said, model: ScriptedModel): string {
  const { requests, problems } = model
  if (problems.length > 0) return `the provider would complain: ${problems[0]}`
  if (said.code === undefined) return `not done after ${limit / 1000} s (${requests.length} requests)`
  const returned = Math.max(0, ...requests.map(({ asked }) => asked.results.filter((result) => result.includes(secret)).length))
  if (returned !== calls) return `${returned} results of ${calls} came back (${requests.length} requests): ${lastLine(said)}`
  if (!said.output.includes(secret)) return `it did not answer: ${lastLine(said)}`
  return said.code === 0 ? '' : `exit code ${said.code}: ${lastLine(said)}`
}

const lastLine = ({ output, errors }: Said): string => (errors.trim() || output.trim()).split('\n').at(-1)!.slice(0, 200)

function keepLog(name: string, said: Said, model: ScriptedModel, log: string): void {
  const folder = process.env.HEADGATE_AGENTS_LOGS
  if (folder === undefined) return
  mkdirSync(folder, { recursive: true })
  const requests = model.requests.map(({ path, body, asked }) => ({ path, asked, body }))
  const path = join(folder, `${name.replace(/[^A-Za-z0-9]+/g, '-')}.json`)
  writeFileSync(path, JSON.stringify({ ...said, log, problems: model.problems, requests }, null, 2))
}

const words = process.argv.slice(2)
const chosen = agents.filter(({ name }) => words.length === 0 || words.some((word) => name.toLowerCase().includes(word.toLowerCase())))
if (chosen.length === 0) throw new Error(`no agent is called that; there are ${agents.map(({ name }) => name).join(', ')}`)
const commands = await installed()
const failures: string[] = []
console.log(`${'agent'.padEnd(36)}${'speaks'.padEnd(12)}${upstreams.map((u) => u.padEnd(18)).join('')}`)
for (const agent of chosen) {
  process.stdout.write(`${agent.name.padEnd(36)}${agent.dialect.padEnd(12)}`)
  for (const upstream of upstreams) {
    const { why, seconds } = await play(agent, upstream, commands)
    const mark = agent.dialect === upstream ? ' native' : agent.forgets?.includes(upstream) ? ' *' : ''
    process.stdout.write(`${why === '' ? 'ok' : 'FAILED'} ${seconds.toFixed(1)} s${mark}`.padEnd(18))
    if (why !== '') failures.push(`${agent.name} on ${upstream}: ${why}`)
  }
  console.log()
}
if (chosen.some(({ forgets }) => forgets?.length)) console.log('* the agent keeps no proofs of this provider: see README.md')
for (const failure of failures) console.log(failure)
console.log(`${chosen.length * upstreams.length - failures.length} worked, ${failures.length} failed`)
process.exit(failures.length === 0 ? 0 : 1)
