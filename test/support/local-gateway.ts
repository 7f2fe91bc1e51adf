/**
 * The real gateway inside the test's process: real listeners and sockets, and beside them what only the inside knows.
 *
 * A plugin `probe`, put at the top of the list by the config, hands every outcome to the test. For fault tests, where the question is
 * what was recorded as much as what the client saw.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serveEdge } from '../../src/edge/serve.ts'
import { composition } from '../../src/main.ts'
import { definePlugin, type Outcome, type Plugin } from '../../src/plugin/index.ts'
import { Gateway } from '../../src/runtime/gateway.ts'
import { until } from './within.ts'

export interface LocalGateway {
  readonly url: string
  readonly gateway: Gateway
  /** Outcomes by request id, each with how often it was settled. */
  readonly outcomes: ReadonlyMap<string, readonly Outcome[]>
  /** The one outcome of a request, as soon as it has settled. @throws when it settled more than once. */
  outcome(id: string): Promise<Outcome>
  /** What was logged so far. */
  log(): string
  stop(): Promise<void>
}

/**
 * Starts one.
 * @param config text of gateway.yaml; `{ use: probe }` records outcomes
 * @param files more files of its folder, e.g. plugins
 * @param idle seconds after which the listener cuts silent connections, where it may
 * @param builtins more plugins that the config may name
 */
export async function startLocalGateway(
  config: string,
  files: Readonly<Record<string, string>> = {},
  idle?: number,
  builtins: Readonly<Record<string, () => Promise<{ default: Plugin }>>> = {},
): Promise<LocalGateway> {
  const dir = mkdtempSync(join(tmpdir(), 'headgate-local-'))
  const configPath = join(dir, 'gateway.yaml')
  writeFileSync(configPath, config)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
  const outcomes = new Map<string, Outcome[]>()
  const probe = definePlugin({
    api: 1,
    name: 'probe',
    summary: 'Keeps outcomes for a test',
    failure: 'open',
    setup: () => ({
      settle(x, outcome) {
        outcomes.set(x.id, [...(outcomes.get(x.id) ?? []), outcome])
      },
    }),
  })
  let log = ''
  const gateway = new Gateway({
    configPath,
    env: {},
    // loaded when a config names them, as in the real one
    builtins: { ...composition.builtins, probe: () => Promise.resolve({ default: probe }), ...builtins },
    startDemo: () => Promise.reject(new Error('no demo here')),
    log: {
      write: (line) => {
        log += line
      },
    },
  })
  const built = await gateway.reload()
  if (!built.ok) throw new Error(`the config is not good: ${JSON.stringify(built.diagnostics, null, 2)}`)
  const edge = serveEdge(gateway, { host: '127.0.0.1', port: 0 }, undefined, idle)
  return {
    url: edge.url,
    gateway,
    outcomes,
    async outcome(id) {
      const all = await until(5000, `the outcome of ${id}`, () => outcomes.get(id))
      if (all.length > 1) throw new Error(`${id} was settled ${all.length} times`)
      return all[0]!
    },
    log: () => log,
    async stop() {
      await edge.stop(1000)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
