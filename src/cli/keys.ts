/** `headgate keys create|list|show|update|revoke`: the API keys of a config's `auth` plugin. A running gateway sees changes within a second. */

import { nearest } from '../config/suggest.ts'
import { UsageError } from './args.ts'
import { type Command, type CommandContext, CommandError, exits, type KeyInfo, type KeyStore } from './command.ts'
import { fieldLists, fieldOptions, givenFields } from './keys-fields.ts'
import { type OpenKeys, openKeys } from './keys-store.ts'
import { columns, painter } from './terminal.ts'

const help = `Usage: headgate keys create [options]
       headgate keys list [--account <id>] [--json]
       headgate keys show <key>
       headgate keys update <key> [options]
       headgate keys revoke <key>

Keeps the API keys of this gateway, where its auth plugin says: in a file, or in its records, which several gateways share. A running
gateway sees changes within a second. Only hashes are stored: a key is shown once, when it is made. When standard output is no terminal,
create prints the key and nothing else, so that KEY=$(headgate keys create) works. <key> is an id or a prefix, see list.

  --config <file>     gateway.yaml whose auth plugin is meant (HEADGATE_CONFIG)
  --plugin <id>       which auth plugin, where a config has several
  --json              list, show: print JSON

create and update:
  --name <text>       who or what it is for
  --kind <kind>       key, instance (a hosted instance) or self_host (a gateway which a customer runs)
  --account <id>      account that pays; the key's own id when absent
  --tier <name>       tier, matched by when: { tier: … }
  --tag <name>        tag, matched by when: { tag: … }; may be repeated
  --model <glob>      model that it may use; may be repeated; all when absent
  --limit <n/window>  requests per window, 60/1m; may be repeated
  --tokens <n/window> tokens per window, 100000/1m; may be repeated
  --cap <usd/period>  money per day, month or total, 12.50/month; may be repeated
  --messages <n/period>  messages per day, month or total, 100/day; may be repeated
  --expires <when>    a date (2027-01-31), a time (2027-01-31T12:00:00Z) or a duration from now (30d)

update:
  --clear <field>     take a field away: account, tier, tags, models, limits, caps, expires …; may be repeated
  --disable, --enable refuse the key for now, let it in again
`

const actions = ['create', 'list', 'show', 'update', 'revoke'] as const
const clearable = ['name', 'kind', 'account', 'tier', 'tags', 'models', 'limits', 'caps', 'expires'] as const
/** Keys that a command looks through for a near id. */
const pageSize = 1000

export const keys: Command = {
  name: 'keys',
  summary: 'create, list, change and revoke API keys',
  help,
  options: ['config', 'plugin', 'clear', ...fieldOptions],
  repeatable: ['clear', ...fieldLists],
  flags: ['json', 'disable', 'enable'],
  words: 2,
  async run(context) {
    const { args } = context
    const [action, id] = args.words
    if (action === undefined) throw new UsageError(`say what to do: ${actions.join(', ')}`)
    if (!(actions as readonly string[]).includes(action)) {
      const near = nearest(action, actions)
      throw new UsageError(
        `there is no ${JSON.stringify(action)}${near === undefined ? `; there are ${actions.join(', ')}` : `; did you mean ${near}?`}`,
      )
    }
    checkOptions(context, action)
    if (action === 'create' || action === 'list') {
      if (id !== undefined) throw new UsageError(`unexpected argument ${JSON.stringify(id)}`)
      return action === 'create' ? await create(context) : await list(context, await openKeys(context))
    }
    if (id === undefined) throw new UsageError(`name the key to ${action}: its id or its prefix, see headgate keys list`)
    if (action === 'update') return await update(context, id)
    const opened = await openKeys(context)
    return await opened.use((store) => (action === 'show' ? show(context, opened, store, id) : revoke(context, opened, store, id)))
  },
}

/** @throws UsageError for options that another action has */
function checkOptions({ args }: CommandContext, action: string): void {
  const given = [...Object.keys(args.options), ...args.flags]
  const fields: readonly string[] = fieldOptions
  const own: Readonly<Record<string, readonly string[]>> = {
    create: fields,
    list: ['account', 'json'],
    show: ['json'],
    update: [...fields, 'clear', 'disable', 'enable'],
    revoke: [],
  }
  const stray = given.find((name) => name !== 'config' && name !== 'plugin' && !own[action]!.includes(name))
  if (stray === undefined) return
  const others = actions.filter((other) => own[other]!.includes(stray))
  throw new UsageError(`--${stray} goes with ${others.join(' and ')}`)
}

async function create(context: CommandContext): Promise<number> {
  const { args, composition, terminal, color, out } = context
  const tools = await composition.keys()
  const fields = givenFields(args, tools)
  const opened = await openKeys(context)
  const { key, record } = tools.createKey({ name: '', ...fields, keyPrefix: opened.place.prefix })
  await opened.use((store) => store.add(record as never))
  if (!terminal) {
    out(`${key}\n`)
    return exits.ok
  }
  out(`${record.id} is in ${opened.where}. The key, shown once:\n\n  ${painter(color)('strong', key)}\n\n`)
  return exits.ok
}

async function list(context: CommandContext, opened: OpenKeys): Promise<number> {
  const { args, out, err } = context
  const { account } = args.options
  const all = await opened.use((store) => allKeys(store, account))
  if (args.flags.has('json')) {
    out(`${JSON.stringify(all.map(shown), null, 2)}\n`)
    return exits.ok
  }
  if (all.length === 0) {
    const none = account === undefined ? 'There are no keys' : `The account ${JSON.stringify(account)} has no keys`
    err(
      `${none} in ${opened.where}. ${account === undefined ? 'Make one with: headgate keys create' : 'Without --account all are listed.'}\n`,
    )
    return exits.ok
  }
  const head = ['id', 'prefix', 'name', 'kind', 'account', 'tier', 'tags', 'models', 'limits', 'caps', 'created', 'expires', 'state']
  const rows = all.map((k) => [
    k.id,
    k.prefix,
    k.name,
    k.kind ?? '',
    k.account ?? '',
    k.tier ?? '',
    (k.tags ?? []).join(','),
    k.models ? k.models.join(',') || '(none)' : '*',
    (k.limits ?? []).map(limitText).join(','),
    (k.caps ?? []).map(capText).join(','),
    k.created.slice(0, 10),
    k.expires === undefined ? '' : `${k.expires}${Date.parse(k.expires) < Date.now() ? ' (over)' : ''}`,
    k.disabled ? 'disabled' : '',
  ])
  // columns that no key fills are left out
  const used = head.map((_, i) => rows.some((row) => row[i] !== ''))
  out(columns([head, ...rows].map((row) => row.filter((_, i) => used[i]))))
  return exits.ok
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

function limitText({ window, requests, tokens }: NonNullable<KeyInfo['limits']>[number]): string {
  const [unit, length] = units.find(([, ms]) => window % ms === 0) ?? ['ms', 1]
  const per = `${window / length}${unit}`
  return [requests === undefined ? [] : `${requests}/${per}`, tokens === undefined ? [] : `${tokens} tokens/${per}`].flat().join(',')
}
function capText({ per, usd, messages }: NonNullable<KeyInfo['caps']>[number]): string {
  return [usd === undefined ? [] : `${usd} USD/${per}`, messages === undefined ? [] : `${messages} messages/${per}`].flat().join(',')
}

async function allKeys(store: KeyStore, account?: string): Promise<KeyInfo[]> {
  const all: KeyInfo[] = []
  for (let after: string | undefined; ; ) {
    const page = await store.list({ limit: pageSize, ...(after !== undefined && { after }), ...(account !== undefined && { account }) })
    all.push(...page.keys)
    after = page.next
    if (after === undefined) return all
  }
}

/** Without salt and hash. */
function shown(info: KeyInfo): KeyInfo {
  const { salt: _salt, hash: _hash, ...rest } = info as KeyInfo & { salt?: unknown; hash?: unknown }
  return rest
}

/** The key that is meant. @throws CommandError that never repeats what was typed: it may be a whole key */
async function keyNamed(opened: OpenKeys, store: KeyStore, id: string): Promise<KeyInfo> {
  const found = (await store.get(id)) ?? (await store.get(prefixOf(id)))
  if (found) return found
  const { keys: some } = await store.list({ limit: pageSize })
  const near =
    id.length > 60
      ? undefined
      : nearest(
          id,
          some.flatMap((k) => [k.id, k.prefix]),
        )
  throw new CommandError(
    `no key has this id or prefix in ${opened.where}${near === undefined ? '; see headgate keys list' : `; did you mean ${near}?`}`,
  )
}

/** A whole key was pasted: it begins with the prefix of its record, and its secret has 40 characters. */
function prefixOf(key: string): string {
  return key.slice(0, -40)
}

async function show(context: CommandContext, opened: OpenKeys, store: KeyStore, id: string): Promise<number> {
  const info = shown(await keyNamed(opened, store, id))
  if (context.args.flags.has('json')) {
    context.out(`${JSON.stringify(info, null, 2)}\n`)
    return exits.ok
  }
  const { limits, caps, ...rest } = info
  const rows = Object.entries({ ...rest, ...(limits && { limits: limits.map(limitText) }), ...(caps && { caps: caps.map(capText) }) })
  context.out(columns(rows.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : String(value)])))
  return exits.ok
}

async function update(context: CommandContext, id: string): Promise<number> {
  const { args, composition, err } = context
  const clear = args.lists.clear ?? []
  const wrong = clear.find((field) => !(clearable as readonly string[]).includes(field))
  if (wrong !== undefined) throw new UsageError(`--clear ${JSON.stringify(wrong)} is no field; there are ${clearable.join(', ')}`)
  const { flags } = args
  if (flags.has('disable') && flags.has('enable')) throw new UsageError('--disable or --enable, not both')
  const changes = {
    ...givenFields(args, await composition.keys()),
    ...(args.options.kind === 'key' && { kind: null }),
    ...Object.fromEntries(clear.map((field) => [field, null])),
    ...(flags.has('disable') && { disabled: true }),
    ...(flags.has('enable') && { disabled: null }),
  }
  if (Object.keys(changes).length === 0) throw new UsageError('say what to change, for example --tier paid')
  const opened = await openKeys(context)
  const changed = await opened.use(async (store) => await store.change((await keyNamed(opened, store, id)).id, changes))
  if (!changed) throw new CommandError('the key was revoked meanwhile')
  err(`${named(changed)} is changed: ${Object.keys(changes).join(', ')}. A running gateway acts on it within a second.\n`)
  return exits.ok
}

async function revoke(context: CommandContext, opened: OpenKeys, store: KeyStore, id: string): Promise<number> {
  const found = await keyNamed(opened, store, id)
  await store.revoke(found.id)
  context.err(`${named(found)} is revoked. A running gateway refuses it within a second.\n`)
  return exits.ok
}

function named({ id, name }: KeyInfo): string {
  return name ? `${id} (${name})` : id
}
