/**
 * A gateway that is built only to be looked at, for `check` and `explain`: the real config and the real plugins, set up without
 * consequences.
 *
 * Plugins get copies of the files that they name in a folder of its own, state of their own and no background tasks; no port is opened,
 * no upstream is called, and nothing settles. What a plugin does past its host (its own file access, its own sockets) can't be held.
 */

import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Diagnostic } from '../config/diagnostics.ts'
import { sortDiagnostics } from '../config/diagnostics.ts'
import type { LoadResult } from '../config/load.ts'
import { loadConfig } from '../config/load.ts'
import { Gateway } from '../runtime/gateway.ts'
import type { Builtins } from '../runtime/load-plugin.ts'
import type { Transport } from '../upstream/http/transport.ts'
import { type CommandContext, CommandError, type KeyInfo } from './command.ts'
import { type KeysPlace, keysPlaces } from './keys-place.ts'
import { keysAt, type OpenKeys } from './keys-store.ts'

export interface Rehearsed {
  readonly gateway: Gateway
  readonly load: LoadResult
  readonly ok: boolean
  /** Sorted by place; paths in them are the real ones. */
  readonly diagnostics: readonly Diagnostic[]
  /** Text of a key that stands for the holder named by `as`. */
  readonly key: string | undefined
  close(): Promise<void>
}

export interface RehearsalOptions {
  readonly transport?: Transport
  /** Id of an issued key: a key text that is good for this rehearsal only is made for it. */
  readonly as?: string
  /** Its clock, in milliseconds since the epoch; the real one when absent. */
  readonly now?: () => number
}

/** Base URL of `builtin:demo` in a rehearsal. */
export const demoStandIn = 'http://builtin.demo'
/** Larger files are not copied: their plugin begins with an empty one, as a log would. */
const largestCopy = 16 * 1024 * 1024

/**
 * Builds the gateway. Mistakes are in `diagnostics`; `close` must be called in any case.
 * @throws CommandError when the key named by `as` is not there.
 */
export async function rehearse(context: CommandContext, configPath: string, options: RehearsalOptions = {}): Promise<Rehearsed> {
  const { composition, env, err } = context
  const copies = fileCopies()
  try {
    const before = loadConfig({ path: configPath, env })
    const places = await keysPlaces(before, configPath, composition.builtins)
    const missing = places.filter((p) => !p.open && !existsSync(p.file))
    for (const place of missing.slice(0, 1)) await addKey(context, copies.file(place.file), place)
    const key =
      options.as === undefined
        ? undefined
        : await keyFor(context, copies, places, options.as, (place) => keysAt(context, configPath, before, place))
    const gateway = new Gateway({
      configPath,
      env,
      builtins: options.as === undefined ? composition.builtins : withoutOwnKey(composition.builtins, options.as),
      startDemo: async () => ({ url: demoStandIn, stop: async () => {} }),
      log: { level: 'warn', json: false, write: (line) => err(copies.unmap(line)) },
      transport: options.transport ?? noTransport,
      rehearsal: { file: copies.file },
      ...(options.now && { now: options.now }),
    })
    const { ok, load, diagnostics } = await gateway.reload()
    const mapped = diagnostics.map((d) => ({ ...d, message: copies.unmap(d.message) }))
    return {
      gateway,
      load,
      ok,
      diagnostics: sortDiagnostics([...mapped, ...missing.slice(0, 1).map((place) => firstStart(place, configPath, load))]),
      key,
      async close() {
        await gateway.close(0)
        copies.remove()
      },
    }
  } catch (error) {
    copies.remove()
    throw error
  }
}

/** The plugins, with an `auth` that leaves a key of the config out: its holder has another key text in the copy of the keys file. */
function withoutOwnKey(builtins: Builtins, id: string): Builtins {
  const { auth } = builtins
  if (!auth) return builtins
  const load: typeof auth = async () => {
    const { default: plugin } = await auth()
    const setup: typeof plugin.setup = (host, config) => {
      const { keys } = config as { readonly keys: readonly { readonly id: string }[] }
      return plugin.setup(host, { ...config, keys: keys.filter((key) => key.id !== id) })
    }
    return { default: { ...plugin, setup } }
  }
  return { ...builtins, auth: load }
}

function firstStart(place: KeysPlace, configPath: string, load: LoadResult): Diagnostic {
  const path = ['plugins', place.index, 'with', 'keys_file']
  return {
    severity: 'advice',
    file: configPath,
    ...load.locate(path),
    path: `plugins[${place.index}].with.keys_file`,
    message: `there are no API keys yet: ${place.file} does not exist`,
    fix: 'the first start makes one and shows it once; or use: headgate keys create',
  }
}

async function addKey(context: CommandContext, file: string, place: KeysPlace, like: Partial<KeyInfo> = {}): Promise<string> {
  const tools = await context.composition.keys()
  const { key, record } = tools.createKey({ name: 'rehearsal', keyPrefix: place.prefix })
  const { prefix: _prefix, ...rest } = like
  await tools.addKeyToFile(file, { ...record, ...rest, ...secretOf(record) } as never)
  return key
}

/** What of a record belongs to its own key text. */
function secretOf(record: KeyInfo): object {
  const { prefix, salt, hash } = record as KeyInfo & { salt: unknown; hash: unknown }
  return { prefix, salt, hash }
}

/** Gives the holder of a key another key text, in the copy of the keys file. */
async function keyFor(
  context: CommandContext,
  copies: FileCopies,
  places: readonly KeysPlace[],
  id: string,
  open: (place: KeysPlace) => Promise<OpenKeys>,
): Promise<string> {
  const tools = await context.composition.keys()
  const known: string[] = []
  for (const place of places) {
    const inFile = existsSync(place.file) ? await tools.readKeys(place.file) : []
    const found = inFile.find((k) => k.id === id || k.prefix === id)
    if (found) {
      const copy = copies.file(place.file)
      await tools.removeKeyFromFile(copy, found.id)
      return await addKey(context, copy, place, found)
    }
    const own = place.own.find((k) => k.id === id)
    if (own) return await addKey(context, copies.file(place.file), place, own)
    known.push(...inFile.map((k) => k.id), ...place.own.flatMap((k) => k.id ?? []))
    if (place.store === 'file') continue
    const issued = await (await open(place)).use(async (store) => (await store.get(id)) ?? (await store.list({ limit: 6 })).keys)
    // the records of a rehearsal are empty, so the holder stands in for itself in the keys file
    if ('id' in issued) return await addKey(context, copies.file(place.file), place, issued)
    known.push(...issued.map((k) => k.id))
  }
  if (places.length === 0) throw new CommandError('--as: this config has no auth plugin')
  const some = known.slice(0, 5).join(', ')
  throw new CommandError(`--as: there is no key ${JSON.stringify(id)}${some && `; there are: ${some}${known.length > 5 ? ', …' : ''}`}`)
}

interface FileCopies {
  /** The copy that stands for a file; the same one each time. */
  readonly file: (path: string) => string
  /** A text in which copies have the names of their originals. */
  unmap(text: string): string
  remove(): void
}

function fileCopies(): FileCopies {
  let folder: string | undefined
  const copies = new Map<string, string>()
  return {
    file(path) {
      const known = copies.get(path)
      if (known !== undefined) return known
      folder ??= mkdtempSync(join(tmpdir(), 'headgate-'))
      const copy = join(mkdtempSync(join(folder, 'file-')), basename(path))
      const stat = statSync(path, { throwIfNoEntry: false })
      if (stat?.isDirectory()) return path // no file: the plugin says so itself
      if (stat?.isFile() && stat.size <= largestCopy) {
        try {
          copyFileSync(path, copy)
        } catch {
          return path // unreadable: the plugin says so itself
        }
      }
      copies.set(path, copy)
      return copy
    },
    unmap(text) {
      for (const [path, copy] of copies) text = text.replaceAll(copy, path)
      return text
    },
    remove() {
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
    },
  }
}

const noTransport: Transport = {
  request() {
    throw new Error('no upstream is called here')
  },
  stats: () => ({ open: 0, idle: 0 }),
  close() {},
}
