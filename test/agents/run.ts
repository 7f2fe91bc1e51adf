/**
 * Agents without a terminal against the gateway, in front of a model that plays a script: read a file by a tool twice, then another one that says nearly the
 * same, answer with what that says. Sessions, prompt caches and trimming are on.
 *
 *   bun run test:agents                       every agent on every dialect of upstream
 *   bun run test:agents claude 'pi (chat)'    those whose name contains one of the words
 *   bun run test:agents on:native on:chat     on the dialect that each speaks itself, and on Chat
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
import { until } from '../support/within.ts'
import { type Agent, agents } from './agents.ts'
import { judgePlugins, placesOf, trimmedTokens, warmTurns } from './judge-plugins.ts'
import { installed } from './packages.ts'
import { type Passed, type Watch, watchPlugins } from './watch.ts'

/** Milliseconds for one question. */
const limit = 120_000

/** How often the model calls the tool at once. */
const calls = 2

const secret = 'The kestrel counted 4711 umbrellas'
const other = 'The heron counted 815 umbrellas'

/** Long enough to be trimmed when it comes again; the second file differs in three lines, the last among them. */
const lines = Array.from({ length: 300 }, (_, i) => `const umbrella${i} = countOf('shelf ${(i * 37) % 101}', ${i * 1009}) // row ${i}`)
const first = `${[...lines, secret].join('\n')}.\n`
const second = `${[...lines.with(150, '// a gap').with(151, '// another one'), other].join('\n')}.\n`

interface Cell {
  /** Empty when it worked. */
  readonly why: string
  readonly seconds: number
  /** What the plugins made of it. */
  readonly note: string
}

/** The gateway of a run: whatever model the agent asks for, the main one or a small one, it is that of one upstream. */
function configFor(url: string, upstream: Upstream): string {
  const models = { '*': { targets: [{ upstream, model: upstreamModel(upstream) }] } }
  // who is in the control group is chance: nobody, here
  const trim = { use: 'tool-trim', with: { control_share: 0 } }
  const names = ['probe', 'watch-client', 'session', 'session-cache', trim, 'watch-sent', 'router']
  return modelConfig(url, { models, plugins: names.map((use) => (typeof use === 'string' ? { use } : use)) })
}

/** One question to one agent. */
async function play(agent: Agent, upstream: Upstream, commands: string): Promise<Cell> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-agent-'))
  const home = join(folder, 'home')
  const work = join(folder, 'work')
  mkdirSync(home)
  mkdirSync(work)
  const file = join(work, 'notes.txt')
  const file2 = join(work, 'more-notes.txt')
  writeFileSync(file, first)
  writeFileSync(file2, second)
  const model = startModel()
  model.args = agent.args(file)
  model.parallel = calls
  model.follow = ({ results }) => (results.some((result) => result.includes(other)) ? undefined : agent.args(file2))
  model.proofs = !agent.forgets?.includes(upstream)
  const watch = watchPlugins()
  const gateway = await startLocalGateway(configFor(model.url, upstream), {}, undefined, watch.builtins)
  const started = performance.now()
  try {
    const said = await ask(agent, { url: gateway.url, home, work, prompt: `Read the file ${file} and tell me what it says` }, commands)
    const seconds = (performance.now() - started) / 1000
    await until(5000, 'the last turn to settle', () => watch.passed.every(({ settled }) => settled) || undefined)
    const { passed } = watch
    const why = judge(said, model, passed) || judgePlugins(passed, { id: agent.id })
    keepLog(`${agent.name} ${upstream}`, said, model, gateway.log(), watch)
    return { why, seconds, note: noteOf(passed) }
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
function judge(said: Said, model: ScriptedModel, passed: readonly Passed[]): string {
  const { requests, problems } = model
  if (problems.length > 0) return `the provider would complain: ${problems[0]}`
  if (said.code === undefined) return `not done after ${limit / 1000} s (${requests.length} requests)`
  const counts = (text: string) =>
    Math.max(0, ...passed.map(({ client }) => client.asked.results.filter((result) => result.includes(text)).length))
  const [returned, more] = [counts(secret), counts(other)]
  if (returned !== calls || more !== 1)
    return `${returned} results of ${calls} and ${more} of 1 came back (${requests.length} requests): ${lastLine(said)}`
  // the model answers with what it was sent: a line that was trimmed stands in the answer again
  if (![other, lines[42]!].every((text) => said.output.includes(text))) return `it did not answer: ${lastLine(said)}`
  return said.code === 0 ? '' : `exit code ${said.code}: ${lastLine(said)}`
}

/** Where the agent names its session, and what was trimmed. */
function noteOf(passed: readonly Passed[]): string {
  const sources = passed.map(({ session }) => session?.source ?? 'none').join(' ')
  const ids = placesOf(passed).join(' ') || 'none'
  return `${passed.length} requests (${sources}), ids ${ids}, warm turns of the agent ${warmTurns(passed)}, ${trimmedTokens(passed)} tokens trimmed`
}

const lastLine = ({ output, errors }: Said): string => (errors.trim() || output.trim()).split('\n').at(-1)!.slice(0, 200)

function keepLog(name: string, said: Said, model: ScriptedModel, log: string, watch: Watch): void {
  const folder = process.env.HEADGATE_AGENTS_LOGS
  if (folder === undefined) return
  mkdirSync(folder, { recursive: true })
  const requests = model.requests.map(({ path, body, asked }) => ({ path, asked, body }))
  const path = join(folder, `${name.replace(/[^A-Za-z0-9]+/g, '-')}.json`)
  const passed = watch.passed.map(({ headers, client, sent, session, trimmed }) => ({
    headers: Object.fromEntries(headers),
    session,
    trimmed,
    client: client.body,
    sent: sent?.body,
  }))
  writeFileSync(path, JSON.stringify({ ...said, log, problems: model.problems, passed, requests }, null, 2))
}

const args = process.argv.slice(2)
const places = args.filter((word) => word.startsWith('on:')).map((word) => word.slice(3))
const words = args.filter((word) => !word.startsWith('on:'))
const chosen = agents.filter(({ name }) => words.length === 0 || words.some((word) => name.toLowerCase().includes(word.toLowerCase())))
const wanted = (agent: Agent, upstream: Upstream) =>
  places.length === 0 || places.includes(upstream) || (places.includes('native') && agent.dialect === upstream)
if (chosen.length === 0) throw new Error(`no agent is called that; there are ${agents.map(({ name }) => name).join(', ')}`)
const commands = await installed()
const failures: string[] = []
const notes: string[] = []
console.log(`${'agent'.padEnd(36)}${'speaks'.padEnd(12)}${upstreams.map((u) => u.padEnd(18)).join('')}`)
for (const agent of chosen) {
  process.stdout.write(`${agent.name.padEnd(36)}${agent.dialect.padEnd(12)}`)
  for (const upstream of upstreams) {
    if (!wanted(agent, upstream)) {
      process.stdout.write('-'.padEnd(18))
      continue
    }
    const { why, seconds, note } = await play(agent, upstream, commands)
    const mark = agent.dialect === upstream ? ' native' : agent.forgets?.includes(upstream) ? ' *' : ''
    process.stdout.write(`${why === '' ? 'ok' : 'FAILED'} ${seconds.toFixed(1)} s${mark}`.padEnd(18))
    notes.push(`${agent.name} on ${upstream}: ${note}`)
    if (why !== '') failures.push(`${agent.name} on ${upstream}: ${why}`)
  }
  console.log()
}
if (chosen.some(({ forgets }) => forgets?.length)) console.log('* the agent keeps no proofs of this provider: see README.md')
for (const note of notes) console.log(note)
for (const failure of failures) console.log(failure)
console.log(`${notes.length - failures.length} worked, ${failures.length} failed`)
process.exit(failures.length === 0 ? 0 : 1)
