/**
 * One gateway with a preset as it is shipped, in a process of its own, and the providers behind it: what every contract test stands on.
 *
 * Only variables are set: where the providers are, their keys, where data lies. Keys are made on the admin listener, as a dashboard would.
 */

import { Database } from 'bun:sqlite'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { type ScriptedModel, startModel } from '../support/model/server.ts'

export const root = join(import.meta.dir, '../..')

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The parsed body; undefined when it is no JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the page says, a test looks into
  readonly json: any
}

export interface Ask {
  readonly method?: string
  /** Bearer token; null for none. The stand's own key by default. */
  readonly key?: string | null
  readonly headers?: Readonly<Record<string, string>>
  /** JSON, or a text as it is. */
  readonly body?: unknown
}

export interface Stand {
  readonly url: string
  readonly adminUrl: string
  readonly gateway: GatewayProcess
  /** The providers: one server that speaks all dialects. */
  readonly model: ScriptedModel
  /** Folder of the data. */
  readonly data: string
  readonly env: Readonly<Record<string, string>>
  /** A key with credit, unless the preset has no money. */
  key: string
  ask(path: string, ask?: Ask): Promise<Answer>
  /** A call on the admin listener. */
  admin(path: string, body?: unknown, method?: string): Promise<Answer>
  /** Makes a key; `usd` is put on the balance of its account. */
  newKey(fields?: Readonly<Record<string, unknown>>, usd?: string): Promise<{ readonly key: string; readonly id: string }>
  /** Runs `headgate` with the same config and variables. */
  headgate(...argv: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }>
  /** Takes tables away whose names begin so: a fault of the gateway's own, as seen from outside. */
  breakTables(prefix: string): void
  /** The same data again, after the process was killed or stopped. */
  restart(signal?: NodeJS.Signals): Promise<void>
  stop(): Promise<void>
}

export interface StandOptions {
  readonly env?: Readonly<Record<string, string>>
  /** USD on the balance of the stand's own key; none by default. */
  readonly usd?: string
  readonly fields?: Readonly<Record<string, unknown>>
}

/** Starts the gateway of `config/presets/<preset>.yaml`. */
export async function startStand(preset: string, options: StandOptions = {}): Promise<Stand> {
  const model = startModel()
  const configPath = join(root, 'config/presets', `${preset}.yaml`)
  const data = mkdtempSync(join(tmpdir(), `headgate-${preset}-`))
  const env: Record<string, string> = {
    HEADGATE_DATA: data,
    ...Object.fromEntries(
      ['OPENAI', 'ANTHROPIC', 'GEMINI', 'DEEPSEEK', 'MISTRAL'].flatMap((name) => [
        [`${name}_BASE_URL`, name === 'ANTHROPIC' || name === 'GEMINI' ? model.url : `${model.url}/v1`],
        [`${name}_API_KEY`, `provider-key-of-${name.toLowerCase()}`],
      ]),
    ),
    ...options.env,
  }
  let gateway = await startGateway({ configPath, env })
  const call = async (url: string, { method, key, headers, body }: Ask): Promise<Answer> => {
    const response = await fetch(url, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        ...(key === null || key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      json = undefined
    }
    return { status: response.status, headers: response.headers, text, json }
  }
  let accounts = 0
  const stand: Stand = {
    get url() {
      return gateway.url
    },
    get adminUrl() {
      return gateway.adminUrl
    },
    get gateway() {
      return gateway
    },
    model,
    data,
    env,
    key: '',
    ask: (path, ask = {}) => call(gateway.url + path, { ...ask, key: ask.key === undefined ? stand.key : ask.key }),
    admin: (path, body, method) =>
      call(gateway.adminUrl + path, { ...(body === undefined ? {} : { body }), ...(method && { method }), key: null }),
    async newKey(fields = {}, usd) {
      const account = `account-${++accounts}`
      const made = await stand.admin('/keys', { account, ...fields })
      if (made.status !== 201) throw new Error(`no key was made: ${made.text}`)
      const { key, id } = made.json as { key: string; id: string }
      if (usd !== undefined) {
        const topped = await stand.admin(`/budget/accounts/${fields.account ?? account}/entries`, { kind: 'topup', usd })
        if (topped.status >= 300) throw new Error(`no credit was given: ${topped.text}`)
      }
      return { key, id }
    },
    async headgate(...argv) {
      const child = Bun.spawn([process.execPath, join(root, 'src/main.ts'), ...argv, '--config', configPath], {
        cwd: gateway.dir,
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'pipe',
        env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
      })
      const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
      return { code, out, err }
    },
    breakTables(prefix) {
      const database = new Database(join(data, 'headgate.db'))
      database.run('PRAGMA busy_timeout = 2000')
      const tables = database
        .query<{ name: string }, [string]>("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE ?")
        .all(`${prefix}%`)
      for (const { name } of tables) database.run(`ALTER TABLE "${name}" RENAME TO "gone_${name}"`)
      database.close()
    },
    async restart(signal = 'SIGTERM') {
      gateway.signal(signal)
      await gateway.exited
      gateway = await startGateway({ configPath, env })
    },
    async stop() {
      await gateway.stop()
      model.stop()
      rmSync(data, { recursive: true, force: true })
    },
  }
  stand.key = (await stand.newKey({ name: 'the stand', account: 'stand', ...options.fields }, options.usd)).key
  return stand
}
