/** `headgate credits`: the accounts of a config's `budget` plugin, in the records of the gateway. A running gateway acts on changes within a second. */

import { dirname } from 'node:path'
import { formatDiagnostics } from '../config/diagnostics.ts'
import { loadConfig } from '../config/load.ts'
import { checkPluginConfig } from '../config/plugin-config.ts'
import { maskText } from '../config/secrets.ts'
import { maskUrl } from '../config/store-url.ts'
import { nearest } from '../config/suggest.ts'
import type { Logger } from '../plugin/host.ts'
import { openRecordsBeside } from '../store/open-records.ts'
import { UsageError } from './args.ts'
import { type Command, type CommandContext, CommandError, type Credits, configPath, exits } from './command.ts'
import { columns } from './terminal.ts'

const help = `Usage: headgate credits list [--json]
       headgate credits show <account> [--json]
       headgate credits topup <account> <usd> [--id <id>] [--note <text>]
       headgate credits refund <account> <usd> [--id <id>] [--note <text>]
       headgate credits adjust <account> --usd <usd> [--id <id>] [--note <text>]
       headgate credits ledger <account> [--limit <n>] [--json]
       headgate credits set <account> [options]

Keeps the accounts of this gateway's budget plugin, in its records. Every change of a balance is an entry of the ledger, and nothing in
there is ever changed. A running gateway acts on it within a second.

  --config <file>        gateway.yaml (HEADGATE_CONFIG)
  --plugin <id>          which budget plugin, where a config has several
  --json                 print JSON
  --id <id>              name of a payment: what has an id is entered once, however often it is said
  --usd <usd>            the amount; with adjust it may be negative
  --limit <n>            ledger: the newest so many entries; 50 when absent

set:
  --plan <name>          plan of the account, one of the config
  --until <date>         when the plan runs out, 2027-01-31 or 2027-01-31T12:00:00Z
  --cap <usd/period>     money per day, month or total, 12.50/month; may be repeated
  --messages <n/period>  messages per day, month or total, 100/day; may be repeated
  --clear <field>        take away: plan, until, caps; may be repeated
`

const entering = ['usd', 'id', 'note'] as const
const setting = ['plan', 'until', 'cap', 'messages', 'clear'] as const
/** The options of each action, besides --config and --plugin. */
const actions: Readonly<Record<string, readonly string[]>> = {
  list: ['json'],
  show: ['json'],
  topup: entering,
  refund: entering,
  adjust: entering,
  ledger: ['limit', 'json'],
  set: [...setting, 'json'],
}

export const credits: Command = {
  name: 'credits',
  summary: 'show, top up and limit the accounts that pay',
  help,
  options: ['config', 'plugin', 'limit', ...entering, ...setting],
  repeatable: ['cap', 'messages', 'clear'],
  flags: ['json'],
  words: 3,
  async run(context) {
    const { args, out, err } = context
    const [action, account, amount] = args.words
    const names = Object.keys(actions)
    if (action === undefined) throw new UsageError(`say what to do: ${names.join(', ')}`)
    const own = Object.hasOwn(actions, action) ? actions[action] : undefined
    if (!own) {
      const near = nearest(action, names)
      const hint = near === undefined ? `; there are ${names.join(', ')}` : `; did you mean ${near}?`
      throw new UsageError(`there is no ${JSON.stringify(action)}${hint}`)
    }
    const stray = [...Object.keys(args.options), ...args.flags].find(
      (name) => name !== 'config' && name !== 'plugin' && !own.includes(name),
    )
    if (stray !== undefined) throw new UsageError(`--${stray} does not go with ${action}`)
    const surplus = action === 'list' ? account : own === entering ? undefined : amount
    if (surplus !== undefined) throw new UsageError(`unexpected argument ${JSON.stringify(surplus)}`)
    const json = args.flags.has('json')
    if (action === 'list') return await use(context, (accounts) => list(context, accounts, json))
    if (account === undefined || account === '') throw new UsageError('name the account')
    switch (action) {
      case 'show':
        return await use(context, async (accounts) => show(context, await accounts.show(account), json))
      case 'ledger':
        return await use(context, (accounts) => ledger(context, accounts, account, json))
      case 'set': {
        const changes = changesIn(context)
        return await use(context, async (accounts) => show(context, await accounts.set(account, changes), json))
      }
    }
    const usd = amount ?? args.options.usd
    if (usd === undefined || (amount !== undefined && args.options.usd !== undefined)) throw new UsageError('give one amount in USD')
    const { id, note } = args.options
    const entry = { kind: action, usd, ...(id !== undefined && { id }), ...(note !== undefined && { note }) }
    return await use(context, async (accounts) => {
      const entered = await accounts.enter(account, entry)
      if (!entered) err(`There is an entry ${JSON.stringify(id)} already; nothing was added.\n`)
      const { balance } = await accounts.show(account)
      out(`${account}: ${cell(balance)} USD\n`)
      return exits.ok
    })
  },
}

/** Does one thing with the accounts of the config. @throws CommandError */
async function use(context: CommandContext, work: (accounts: Credits) => Promise<number>): Promise<number> {
  const path = configPath(context)
  const load = loadConfig({ path, env: context.env })
  const entries = load.plugins.filter((p) => p.use === 'budget')
  const wanted = context.args.options.plugin
  const entry = wanted === undefined ? entries[0] : entries.find((p) => p.id === wanted)
  const problems = () => {
    const errors = load.diagnostics.filter((d) => d.severity === 'error')
    return errors.length > 0 ? `\n${formatDiagnostics(errors, { secrets: load.secrets })}` : ''
  }
  if (wanted === undefined && entries.length > 1) {
    throw new UsageError(`${path} has several budget plugins: name one with --plugin (${entries.map((p) => p.id).join(', ')})`)
  }
  if (!entry) throw new CommandError(`${path} has no budget plugin${wanted === undefined ? '' : ` ${JSON.stringify(wanted)}`}${problems()}`)
  if (!load.config) throw new CommandError(`the accounts are in the records of the gateway, and ${path} is not usable${problems()}`)
  const schema = (await context.composition.builtins.budget!()).default.config
  const checked = checkPluginConfig(schema, entry.with, load.place(['plugins', entry.index, 'with']))
  if (!checked.value)
    throw new CommandError(`the config of ${entry.id} is not usable\n${formatDiagnostics(checked.diagnostics, { secrets: load.secrets })}`)
  const { records: where } = load.config
  if (where === 'memory') throw new CommandError('the accounts are in records that the gateway keeps in memory: use its admin API')
  const records = openRecordsBeside(where, { folder: dirname(path), log: silent })
  try {
    const { openCredits } = await context.composition.credits()
    return await work(await openCredits(records.scoped('budget'), checked.value))
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new CommandError(`the accounts in ${maskUrl(where)}: ${maskText(message, load.secrets)}`)
  } finally {
    await records.close()
  }
}

/** What `set` is to change, in the words of the admin API. */
function changesIn({ args }: CommandContext): Record<string, unknown> {
  const { plan, until } = args.options
  const changes: Record<string, unknown> = {}
  for (const field of args.lists.clear ?? []) {
    const name = { plan: 'plan', until: 'plan_until', caps: 'caps' }[field]
    if (name === undefined) throw new UsageError(`--clear ${JSON.stringify(field)} is no field; there are plan, until, caps`)
    changes[name] = null
  }
  const caps = [
    ...(args.lists.cap ?? []).map((text) => capOf(text, 'usd')),
    ...(args.lists.messages ?? []).map((text) => capOf(text, 'messages')),
  ]
  if (plan !== undefined) changes.plan = plan
  if (until !== undefined) changes.plan_until = until
  if (caps.length > 0) changes.caps = caps
  if (Object.keys(changes).length === 0) throw new UsageError('say what to set, for example --plan team')
  return changes
}

function capOf(text: string, what: 'usd' | 'messages'): object {
  const m = /^([0-9]+(?:\.[0-9]+)?)\/(day|month|total)$/.exec(text)
  if (!m || (what === 'messages' && m[1]!.includes('.'))) {
    throw new UsageError(`${JSON.stringify(text)} is no cap: write ${what === 'usd' ? '12.50/month' : '100/day'} (day, month or total)`)
  }
  return { per: m[2], [what]: what === 'usd' ? m[1] : Number(m[1]) }
}

async function list({ out, err }: CommandContext, accounts: Credits, json: boolean): Promise<number> {
  const all: Record<string, unknown>[] = []
  for (let after: string | undefined; ; ) {
    const { items, next } = await accounts.list(after)
    all.push(...items)
    if (next === undefined) break
    after = next
  }
  if (json) out(`${JSON.stringify(all, null, 2)}\n`)
  else if (all.length === 0) err('There are no accounts yet. Make one with: headgate credits topup <account> <usd>\n')
  else table(out, ['account', 'balance', 'reserved', 'included', 'settings'], all)
  return exits.ok
}

function show({ out }: CommandContext, account: Record<string, unknown>, json: boolean): number {
  if (json) out(`${JSON.stringify(account, null, 2)}\n`)
  else out(columns(Object.entries(account).map(([name, value]) => [name, cell(value)])))
  return exits.ok
}

async function ledger({ args, out, err }: CommandContext, accounts: Credits, account: string, json: boolean): Promise<number> {
  const limit = Number(args.options.limit ?? 50)
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= 1000)) throw new UsageError('--limit is a number from 1 to 1000')
  const entries = await accounts.ledger(account, limit)
  if (json) out(`${JSON.stringify(entries, null, 2)}\n`)
  else if (entries.length === 0) err(`${account} has no entries.\n`)
  else
    table(
      out,
      ['at', 'kind', 'amount', 'model', 'input_tokens', 'output_tokens', 'cost', 'source', 'unknown', 'caller', 'request_id', 'note'],
      entries,
    )
  return exits.ok
}

/** Columns that no row fills are left out. */
function table(out: CommandContext['out'], head: readonly string[], rows: readonly Readonly<Record<string, unknown>>[]): void {
  const used = head.filter((name) => rows.some((row) => row[name] !== undefined))
  out(columns([used, ...rows.map((row) => used.map((name) => cell(row[name])))]))
}

function cell(value: unknown): string {
  return value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value)
}

/** What goes wrong is the command's to say, once. */
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }
