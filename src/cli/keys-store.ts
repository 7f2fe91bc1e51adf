/** The store of issued keys that a config names, opened for one command beside the gateway that runs. */

import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { formatDiagnostics } from '../config/diagnostics.ts'
import { type LoadResult, loadConfig } from '../config/load.ts'
import { maskText } from '../config/secrets.ts'
import { maskUrl } from '../config/store-url.ts'
import type { Logger } from '../plugin/host.ts'
import { openRecordsBeside } from '../store/open-records.ts'
import { UsageError } from './args.ts'
import { type CommandContext, CommandError, configPath, type KeyStore } from './command.ts'
import { type KeysPlace, keysPlaces } from './keys-place.ts'

export interface OpenKeys {
  readonly place: KeysPlace
  /** For people: the file, or the URL without its password. */
  readonly where: string
  /** Does one thing with the store. @throws CommandError that says what was not done, and why */
  use<T>(work: (store: KeyStore) => Promise<T>): Promise<T>
}

/** The keys that are meant by `--config` and `--plugin`. With `store: file` the rest of the config may be broken. */
export async function openKeys(context: CommandContext): Promise<OpenKeys> {
  const path = configPath(context)
  const load = loadConfig({ path, env: context.env })
  return keysAt(context, path, load, placeOf(context, path, load, await keysPlaces(load, path, context.composition.builtins)))
}

/** The keys at one of a config's places. */
export async function keysAt(context: CommandContext, path: string, load: LoadResult, place: KeysPlace): Promise<OpenKeys> {
  const tools = await context.composition.keys()
  if (place.store === 'file') {
    return {
      place,
      where: place.file,
      async use(work) {
        try {
          return await work(tools.fileKeyStore(place.file))
        } catch (error) {
          if (error instanceof CommandError) throw error
          const what = existsSync(place.file) ? 'can not be read or changed' : 'can not be written'
          throw new CommandError(`the keys file ${place.file} ${what}: ${messageOf(error)}`)
        }
      },
    }
  }
  const { config } = load
  if (!config) throw new CommandError(`the keys are in the records of the gateway, and ${path} is not usable\n${problemsOf(load)}`)
  const where = maskUrl(config.records)
  if (config.records === 'memory') throw new CommandError('the keys are in records that the gateway keeps in memory: use its admin API')
  return {
    place,
    where,
    async use(work) {
      const records = openRecordsBeside(config.records, { folder: dirname(path), log: silent })
      try {
        return await work(await tools.openKeyStore(records.scoped('auth'), place.id))
      } catch (error) {
        if (error instanceof CommandError) throw error
        throw new CommandError(`the keys in ${where} can not be read or changed: ${maskText(messageOf(error), load.secrets)}`)
      } finally {
        await records.close()
      }
    },
  }
}

function placeOf(context: CommandContext, path: string, load: LoadResult, places: readonly KeysPlace[]): KeysPlace {
  const wanted = context.args.options.plugin
  const place = wanted === undefined ? places[0] : places.find((p) => p.id === wanted)
  const ids = places.map((p) => p.id).join(', ')
  if (wanted === undefined && places.length > 1) throw new UsageError(`${path} has several auth plugins: name one with --plugin (${ids})`)
  if (place) return place
  if (places.length > 0) throw new CommandError(`${path} has no auth plugin ${JSON.stringify(wanted)}; there are: ${ids}`)
  const problems = problemsOf(load)
  throw new CommandError(`${path} has no usable \`auth\` plugin, so there are no keys${problems && `\n${problems}`}`)
}

function problemsOf(load: LoadResult): string {
  const problems = load.diagnostics.filter((d) => d.severity === 'error')
  return problems.length > 0 ? formatDiagnostics(problems, { secrets: load.secrets }) : ''
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** What goes wrong is the command's to say, once. */
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }
