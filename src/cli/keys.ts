/** `headgate keys create|list|revoke`: the API keys in the keys file of a config's `auth` plugin. A running gateway sees changes within a second. */

import { existsSync } from 'node:fs'
import { formatDiagnostics } from '../config/diagnostics.ts'
import { loadConfig } from '../config/load.ts'
import { nearest } from '../config/suggest.ts'
import { parseDuration } from '../plugin/units.ts'
import { UsageError } from './args.ts'
import { type Command, type CommandContext, CommandError, configPath, exits, type KeyInfo } from './command.ts'
import { type KeysPlace, keysPlaces } from './keys-place.ts'
import { columns, painter } from './terminal.ts'

const help = `Usage: headgate keys create [options]
       headgate keys list [--json]
       headgate keys revoke <key id or prefix>

Keeps the API keys of this gateway. Only hashes are stored: a key is shown once, when it is made. When standard output is no terminal,
create prints the key and nothing else, so that KEY=$(headgate keys create) works.

  --config <file>    gateway.yaml whose auth plugin is meant (HEADGATE_CONFIG)
  --plugin <id>      which auth plugin, where a config has several
  --json             list: print JSON

create:
  --name <text>      who or what it is for
  --account <id>     account that pays; the key's own id when absent
  --tier <name>      tier, matched by when: { tier: … }
  --tag <name>       tag, matched by when: { tag: … }; may be repeated
  --model <glob>     model that it may use; may be repeated; all when absent
  --expires <when>   a date (2027-01-31), a time (2027-01-31T12:00:00Z) or a duration from now (30d)
`

const actions = ['create', 'list', 'revoke'] as const
const creating = ['name', 'account', 'tier', 'tag', 'model', 'expires']

export const keys: Command = {
  name: 'keys',
  summary: 'create, list and revoke API keys',
  help,
  options: ['config', 'plugin', ...creating],
  repeatable: ['tag', 'model'],
  flags: ['json'],
  words: 2,
  async run(context) {
    const { args } = context
    const [action, id] = args.words
    if (action === undefined) throw new UsageError(`say what to do: ${actions.join(', ')}`)
    const stray = action === 'create' ? undefined : creating.find((name) => name in args.options)
    if (stray !== undefined) throw new UsageError(`--${stray} goes with create`)
    if (action !== 'revoke' && id !== undefined) throw new UsageError(`unexpected argument ${JSON.stringify(id)}`)
    switch (action) {
      case 'create':
        return await create(context, await placeOf(context))
      case 'list':
        return await list(context, await placeOf(context))
      case 'revoke':
        if (id === undefined) throw new UsageError('name the key to revoke: its id or its prefix, see headgate keys list')
        return await revoke(context, await placeOf(context), id)
      default: {
        const near = nearest(action, actions)
        throw new UsageError(
          `there is no ${JSON.stringify(action)}${near === undefined ? `; there are ${actions.join(', ')}` : `; did you mean ${near}?`}`,
        )
      }
    }
  },
}

/** The keys file that is meant. The rest of the config may be broken. */
async function placeOf(context: CommandContext): Promise<KeysPlace> {
  const path = configPath(context)
  const load = loadConfig({ path, env: context.env })
  const places = await keysPlaces(load, path, context.composition.builtins)
  const wanted = context.args.options.plugin
  const place = wanted === undefined ? places[0] : places.find((p) => p.id === wanted)
  const ids = places.map((p) => p.id).join(', ')
  if (wanted === undefined && places.length > 1) throw new UsageError(`${path} has several auth plugins: name one with --plugin (${ids})`)
  if (place) return place
  if (places.length > 0) throw new CommandError(`${path} has no auth plugin ${JSON.stringify(wanted)}; there are: ${ids}`)
  const problems = load.diagnostics.filter((d) => d.severity === 'error')
  const why = problems.length > 0 ? `\n${formatDiagnostics(problems, { secrets: load.secrets })}` : ''
  throw new CommandError(`${path} has no usable \`auth\` plugin, so there is no keys file${why}`)
}

async function create(context: CommandContext, place: KeysPlace): Promise<number> {
  const { args, composition, terminal, color, out } = context
  const { name = '', account, tier, expires } = args.options
  const { tag: tags, model: models } = args.lists
  const tools = await composition.keys()
  const { key, record } = tools.createKey({
    name,
    keyPrefix: place.prefix,
    ...(account !== undefined && { account }),
    ...(tier !== undefined && { tier }),
    ...(tags && { tags }),
    ...(models && { models }),
    ...(expires !== undefined && { expires: expiry(expires) }),
  })
  await writing(place, () => tools.addKeyToFile(place.file, record as never))
  if (!terminal) {
    out(`${key}\n`)
    return exits.ok
  }
  out(`${record.id} is in ${place.file}. The key, shown once:\n\n  ${painter(color)('strong', key)}\n\n`)
  return exits.ok
}

/** An ISO 8601 date or time as it is; a duration as the time that is so far from now. */
function expiry(text: string): string {
  const ms = parseDuration(text)
  if (ms !== undefined) return new Date(Date.now() + ms).toISOString().replace(/\.\d+Z$/, 'Z')
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/.test(text) || Number.isNaN(Date.parse(text)))
    throw new UsageError(`--expires ${JSON.stringify(text)} is neither a date such as 2027-01-31 nor a duration such as 30d`)
  if (Date.parse(text) < Date.now()) throw new UsageError(`--expires ${text} is over already`)
  return text
}

async function list(context: CommandContext, place: KeysPlace): Promise<number> {
  const { args, composition, out, err } = context
  const tools = await composition.keys()
  const all = existsSync(place.file) ? await readingKeys(place, () => tools.readKeys(place.file)) : []
  if (args.flags.has('json')) {
    out(`${JSON.stringify(all.map(shown), null, 2)}\n`)
    return exits.ok
  }
  if (all.length === 0) {
    err(`There are no keys in ${place.file}. Make one with: headgate keys create\n`)
    return exits.ok
  }
  const head = ['id', 'prefix', 'name', 'account', 'tier', 'tags', 'models', 'created', 'expires']
  const rows = all.map((k) => [
    k.id,
    k.prefix,
    k.name,
    k.account ?? '',
    k.tier ?? '',
    (k.tags ?? []).join(','),
    k.models ? k.models.join(',') || '(none)' : '*',
    k.created.slice(0, 10),
    k.expires === undefined ? '' : `${k.expires}${Date.parse(k.expires) < Date.now() ? ' (over)' : ''}`,
  ])
  // columns that no key fills are left out
  const used = head.map((_, i) => rows.some((row) => row[i] !== ''))
  out(columns([head, ...rows].map((row) => row.filter((_, i) => used[i]))))
  return exits.ok
}

/** Without salt and hash. */
function shown({ id, name, prefix, created, expires, account, tier, tags, models }: KeyInfo): KeyInfo {
  return {
    id,
    name,
    prefix,
    created,
    ...(expires !== undefined && { expires }),
    ...(account !== undefined && { account }),
    ...(tier !== undefined && { tier }),
    ...(tags && { tags }),
    ...(models && { models }),
  }
}

async function revoke(context: CommandContext, place: KeysPlace, id: string): Promise<number> {
  const tools = await context.composition.keys()
  const known = existsSync(place.file) ? await readingKeys(place, () => tools.readKeys(place.file)) : []
  // a whole key was pasted: it begins with the prefix of its record
  const found = known.find((k) => k.id === id || k.prefix === id || (id.length > k.prefix.length && id.startsWith(k.prefix)))
  if (!found) {
    const near =
      id.length > 60
        ? undefined
        : nearest(
            id,
            known.flatMap((k) => [k.id, k.prefix]),
          )
    throw new CommandError(
      `no key has this id or prefix in ${place.file}${near === undefined ? '; see headgate keys list' : `; did you mean ${near}?`}`,
    )
  }
  await writing(place, () => tools.removeKeyFromFile(place.file, found.id))
  context.err(`${found.id}${found.name && ` (${found.name})`} is revoked. A running gateway refuses it within a second.\n`)
  return exits.ok
}

async function writing<T>(place: KeysPlace, change: () => Promise<T>): Promise<T> {
  try {
    return await change()
  } catch (error) {
    throw new CommandError(`the keys file ${place.file} was not changed: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function readingKeys<T>(place: KeysPlace, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw new CommandError(`the keys file cannot be read: ${error instanceof Error ? error.message : String(error)} (${place.file})`)
  }
}
