/**
 * Replays recorded sessions, call by call and in the order of time, through a real gateway to the simulated provider.
 *
 * The gateway runs in this process because its clock has to be that of the sessions; requests go through its listener. What each call was billed, and what
 * the gateway said it saved, is kept per session.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serveEdge } from '../../../src/edge/serve.ts'
import { composition } from '../../../src/main.ts'
import { cacheSavings, definePlugin, PromptCache, Trim } from '../../../src/plugin/index.ts'
import { Gateway } from '../../../src/runtime/gateway.ts'
import { editLines } from './edit-lines.ts'
import { sessionBodies } from './messages-body.ts'
import { costOfUse, relativePrice } from './prefix-cache.ts'
import { type Billed, simulateProvider } from './provider.ts'
import { tokensOf } from './tokens.ts'
import { type Trajectory, tenantOf, timesOf } from './trajectories.ts'

const model = 'claude-sonnet-4-6'

/** Plugins between the session and the router, as lines of `plugins:`. */
export interface Policy {
  readonly name: string
  readonly plugins: string
  /** How many providers serve the model, each with a cache of its own; one when absent. */
  readonly deployments?: number
}

export interface SessionResult {
  readonly file: string
  readonly agent: string
  calls: number
  /** In thousandths of a plain input token. */
  cost: number
  /** The same if nothing had been cached. */
  uncached: number
  tokens: number
  /** Lines that edits had to match and that stood in the prompt as the client sent it, and those of them that the provider was shown. */
  editLines: number
  editLinesKept: number
  /** Picodollars that the gateway said trimming saved, and what an exact count says (floats: only compared). */
  trimReported: number
  trimExact: number
  cacheReported: number
  cacheExact: number
  unmeasured: number
  /** Of all bodies that arrived, in order. */
  sent: bigint
  /** Calls within the lifetime of the last one's entry that read less than half of its prompt. */
  warmMisses: number
  trimmedTokens: number
}

export interface ReplayResult {
  readonly policy: string
  readonly sessions: readonly SessionResult[]
  readonly seconds: number
}

const configOf = (upstreams: readonly string[], plugins: string) => `version: 1
server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, body_limit: 64mb }
mounts: [{ path: /, api: anthropic }]
upstreams:
${upstreams.map((url, i) => `  provider${i}: { dialect: anthropic, base_url: ${url}, key: none }`).join('\n')}
models:
  ${model}:
    targets: [${upstreams.map((_, i) => `{ upstream: provider${i} }`).join(', ')}]
    price: { input: 3, output: 15, cache_read: 0.30, cache_write: 3.75, cache_write_1h: 6 }
plugins:
  - use: probe
${plugins}
  - use: router
    with: { strategy: weighted }
`

/** Replays sessions under a policy. @throws when a call fails: then nothing that was measured means anything */
export async function replay(
  trajectories: readonly Trajectory[],
  policy: Policy,
  progress?: (done: number, of: number) => void,
): Promise<ReplayResult> {
  const started = performance.now()
  let clock = 0
  let billed: Billed | undefined
  const providers = Array.from({ length: policy.deployments ?? 1 }, () =>
    simulateProvider(
      () => clock,
      (bill) => {
        billed = bill
      },
    ),
  )
  const said: { trim: bigint | undefined; cache: bigint | undefined; tokens: number } = { trim: 0n, cache: 0n, tokens: 0 }
  const probe = definePlugin({
    api: 1,
    name: 'probe',
    summary: 'Keeps what the gateway says of savings',
    wants: [Trim, PromptCache],
    usage: true,
    holdsEnd: true,
    failure: 'closed',
    setup: () => ({
      settle(x, outcome) {
        const trim = x.peek(Trim)
        const price = outcome.served?.price
        said.tokens = trim?.tokens ?? 0
        said.trim = trim ? price && trim.savings(outcome.usage, price) : 0n
        said.cache = cacheSavings(outcome.usage, price)?.net
      },
    }),
  })
  const dir = mkdtempSync(join(tmpdir(), 'headgate-savings-'))
  const configPath = join(dir, 'gateway.yaml')
  writeFileSync(
    configPath,
    configOf(
      providers.map(({ url }) => url),
      policy.plugins,
    ),
  )
  const gateway = new Gateway({
    configPath,
    env: {},
    now: () => clock,
    builtins: { ...composition.builtins, probe: () => Promise.resolve({ default: probe }) },
    startDemo: () => Promise.reject(new Error('no demo here')),
    log: { level: 'error' },
  })
  const built = await gateway.reload()
  if (!built.ok) throw new Error(`the config is not good: ${JSON.stringify(built.diagnostics, null, 2)}`)
  const edge = serveEdge(gateway, { host: '127.0.0.1', port: 0 }, undefined)
  try {
    const sessions = trajectories.map((trajectory) => openSession(trajectory))
    const calls = sessions.flatMap((session) => session.times.map((at, turn) => ({ at, turn, session })))
    calls.sort((a, b) => a.at - b.at || a.turn - b.turn)
    const left = new Map(sessions.map((session) => [session, session.times.length]))
    let done = 0
    for (const { at, turn, session } of calls) {
      clock = Math.max(clock, at)
      session.bodies ??= sessionBodies(session.trajectory, model)
      const response = await fetch(`${edge.url}/v1/messages`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-api-key': tenantOf(session.trajectory),
          'anthropic-version': '2023-06-01',
          'x-claude-code-session-id': session.trajectory.id,
        },
        body: session.bodies.body(session.trajectory.turns[turn]!.n),
      })
      const text = await response.text()
      if (response.status !== 200 || !billed)
        throw new Error(`${session.trajectory.file} call ${turn}: ${response.status} ${text.slice(0, 500)}`)
      account(session, turn, clock, billed, said)
      const rest = left.get(session)! - 1
      left.set(session, rest)
      // bodies of sessions that are over are let go
      if (rest === 0) session.bodies = undefined
      progress?.(++done, calls.length)
    }
    return { policy: policy.name, sessions: sessions.map((session) => session.result), seconds: (performance.now() - started) / 1000 }
  } finally {
    await edge.stop(1000)
    await Promise.all(providers.map((provider) => provider.stop()))
    rmSync(dir, { recursive: true, force: true })
  }
}

interface OpenSession {
  readonly trajectory: Trajectory
  readonly times: readonly number[]
  /** Results in order; undefined for one that is no plain text. */
  readonly originals: readonly (string | undefined)[]
  readonly result: SessionResult
  bodies: ReturnType<typeof sessionBodies> | undefined
  /** Tokens of the last prompt that its entry holds, and until when it lives. */
  last: { readonly prompt: number; readonly until: number } | undefined
}

function openSession(trajectory: Trajectory): OpenSession {
  // a content that is a list is never trimmed to a string: it has no counterpart
  const originals = trajectory.messages
    .filter((message) => message.role === 'tool')
    .map((message) => (typeof message.content === 'string' ? message.content : undefined))
  const result: SessionResult = {
    file: trajectory.file,
    agent: trajectory.agent,
    calls: 0,
    cost: 0,
    uncached: 0,
    tokens: 0,
    editLines: 0,
    editLinesKept: 0,
    trimReported: 0,
    trimExact: 0,
    cacheReported: 0,
    cacheExact: 0,
    unmeasured: 0,
    sent: 0n,
    warmMisses: 0,
    trimmedTokens: 0,
  }
  return { trajectory, times: timesOf(trajectory), originals, result, bodies: undefined, last: undefined }
}

/** USD per million tokens of plain input, in picodollars per token, over thousandths. */
const picodollars = 3_000_000 / relativePrice.uncached

function account(
  session: OpenSession,
  turn: number,
  now: number,
  billed: Billed,
  said: { readonly trim: bigint | undefined; readonly cache: bigint | undefined; readonly tokens: number },
): void {
  const { result, trajectory, originals } = session
  const { use, blocks, results } = billed
  result.calls++
  result.cost += costOfUse(use)
  const tokens = blocks.reduce((sum, block) => sum + block.tokens, 0)
  result.tokens += tokens
  result.sent = Bun.hash.wyhash(billed.bodyHash.toString(), result.sent) as bigint
  result.trimmedTokens = said.tokens

  if (session.last && now < session.last.until && use.read < session.last.prompt / 2) result.warmMisses++
  session.last = { prompt: use.read + use.write5m + use.write1h, until: now + (use.write1h > 0 ? 3_600_000 : 300_000) }

  let trim = 0
  let original = tokens
  const write = use.write5m + use.write1h
  const writeRate =
    write === 0 ? relativePrice.write5m : (use.write5m * relativePrice.write5m + use.write1h * relativePrice.write1h) / write
  for (const [i, { text, block }] of results.entries()) {
    const before = originals[i]
    if (before === undefined || text === undefined || before === text) continue
    const removed = tokensOf(before) - tokensOf(text)
    original += removed
    trim += removed * (block <= use.readTo ? relativePrice.read : block <= use.markedTo ? writeRate : relativePrice.uncached)
  }
  result.uncached += original * relativePrice.uncached
  result.trimExact += trim * picodollars
  result.cacheExact += (tokens * relativePrice.uncached - costOfUse(use)) * picodollars
  if (said.trim === undefined) result.unmeasured++
  else result.trimReported += Number(said.trim)
  result.cacheReported += Number(said.cache ?? 0n)

  const found = editLines(trajectory, trajectory.turns[turn]!.n, results)
  result.editLines += found.stood
  result.editLinesKept += found.kept
}
