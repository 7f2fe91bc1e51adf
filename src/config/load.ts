/**
 * Loads gateway.yaml: text → values with places → checked → resolved. All mistakes at once, nothing thrown.
 *
 * Knows the order of the steps and nothing else. The `with` of each plugin is left as it is: only who has loaded the plugin
 * knows its schema (`checkPluginConfig`).
 */

import { readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve as resolvePath } from 'node:path'
import { check } from './check.ts'
import { crossCheck } from './cross-check.ts'
import { type Diagnostic, hasErrors, type Path, type Position, sortDiagnostics } from './diagnostics.ts'
import { apis, type FileConfig, fileSchema, fileSchemaOf, type GatewayConfig, type PluginEntry } from './model.ts'
import type { Place } from './plugin-config.ts'
import { loadPriceList, type PriceListConfig } from './price-list.ts'
import { type FilePlugin, resolve, resolvePlugin } from './resolve.ts'
import { soundsSecret } from './secrets.ts'
import { readSource, type Source } from './source.ts'

export interface LoadOptions {
  /** Path of the file; used in diagnostics as it is. */
  readonly path: string
  /** Text of the file; read from `path` when absent. */
  readonly text?: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a file whole; throws when it can't. From the disk when absent. */
  readonly readFile?: (path: string) => string
  /** Dialects of plugins, which may be named besides ours. */
  readonly dialects?: readonly string[]
}

export interface LoadResult {
  /** Absent when there is a mistake. */
  readonly config?: GatewayConfig
  /** Sorted by place. Warnings and advice do not stop the gateway. */
  readonly diagnostics: readonly Diagnostic[]
  /** What was left out, for the start message. */
  readonly notes: readonly string[]
  /** What is well formed of the plugin list, also when there are mistakes: each `with` can still be checked. */
  readonly plugins: readonly PluginEntry[]
  /** Strings that must never be printed. */
  readonly secrets: ReadonlySet<string>
  /** Texts of the files, for excerpts, by the names that diagnostics give them. */
  readonly texts: ReadonlyMap<string, string>
  /** Absolute paths of the files besides the config that were read, or should have been. */
  readonly files: readonly string[]
  locate(path: Path): Position
  /** A place for `checkPluginConfig`, for example of `['plugins', 2, 'with']`. */
  place(path: Path): Place
}

/** Loads a config. Never throws: an unreadable file is a diagnostic too. */
export function loadConfig(options: LoadOptions): LoadResult {
  const readFile = options.readFile ?? readSmallFile
  let text = options.text
  const diagnostics: Diagnostic[] = []
  if (text === undefined) {
    try {
      text = readFile(options.path)
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
      const message = missing ? 'the file does not exist' : 'the file cannot be read'
      const fix = 'create it, or name another with --config or HEADGATE_CONFIG'
      diagnostics.push({ severity: 'error', file: options.path, line: 1, column: 1, path: '', message, fix })
      text = ''
    }
  }
  const folder = dirname(resolvePath(options.path))
  const source = readSource(options.path, text, { env: options.env, readFile: (path) => readFile(resolvePath(folder, path)) })
  const secrets = new Set(source.secrets)
  const notes: string[] = []
  const texts = new Map([[options.path, text]])
  const files: string[] = []
  const finish = (config: GatewayConfig | undefined, plugins: readonly PluginEntry[]): LoadResult => ({
    ...(config && !hasErrors(diagnostics) ? { config } : {}),
    diagnostics: sortDiagnostics(diagnostics),
    notes,
    plugins,
    secrets,
    texts,
    files,
    locate: source.locate,
    place: (path) => ({ file: source.file, path, locate: source.locate, locateKey: source.locateKey, scalar: source.scalar }),
  })
  if (hasErrors(diagnostics)) return finish(undefined, [])

  diagnostics.push(...source.diagnostics)
  if (source.broken) return finish(undefined, [])
  if (source.value === null || source.value === undefined) {
    if (!hasErrors(diagnostics)) diagnostics.push(empty(options.path))
    return finish(undefined, [])
  }
  const { dialects = [] } = options
  const schema = dialects.length === 0 ? fileSchema : fileSchemaOf([...apis, ...dialects])
  const checked = check(schema, source.value, source)
  const crossed = crossCheck(source.value, source)
  diagnostics.push(...checked.diagnostics, ...crossed)
  for (const secret of checked.secrets) secrets.add(secret)

  const file = checked.out as FileConfig | undefined
  const left = absentUpstreams(source, file, diagnostics)
  collectHeaderSecrets(source, file, secrets)
  const plugins = wellFormed(file, [...checked.diagnostics, ...crossed])
  const priceList = typeof file?.price_list === 'string' ? readPrices(file.price_list) : undefined
  return finish(file && !hasErrors(diagnostics) ? resolve(file, left, notes, priceList) : undefined, plugins)

  /** The price list that the file names. */
  function readPrices(name: string): PriceListConfig {
    const path = resolvePath(folder, name)
    const shown = isAbsolute(name) ? name : join(dirname(options.path), name)
    const unreadable = (message: string): Diagnostic => {
      const fix = 'put the price list there, or remove `price_list`: prices that nobody states are unknown'
      return { severity: 'error', file: options.path, ...source.locate(['price_list']), path: 'price_list', message, fix }
    }
    const list = loadPriceList(shown, () => readFile(path), options.env, unreadable)
    diagnostics.push(...list.diagnostics)
    files.push(path)
    texts.set(shown, list.text)
    return { file: path, models: list.models }
  }
}

/** Whether a dialect is named that is none of ours, so that a plugin of the list may have to say what it is. */
export function namesOtherDialect({ diagnostics }: LoadResult): boolean {
  return diagnostics.some(({ severity, path }) => severity === 'error' && /^(upstreams\b.*\.dialect|mounts\[\d+\]\.api)$/.test(path))
}

/** Optional upstreams that miss a variable or file, and why; what is missing elsewhere becomes a mistake. */
function absentUpstreams(source: Source, file: FileConfig | undefined, diagnostics: Diagnostic[]): Map<string, string> {
  const left = new Map<string, string>()
  for (const { path, diagnostic } of source.absent) {
    const [section, name] = path
    if (section === 'upstreams' && typeof name === 'string' && file?.upstreams?.[name]?.optional === true) {
      if (!left.has(name)) left.set(name, diagnostic.message)
    } else diagnostics.push(section === 'upstreams' ? { ...diagnostic, fix: `${diagnostic.fix}; or write optional: true` } : diagnostic)
  }
  return left
}

/** Upstream headers that carry a key are secret, and so is what came from outside the file. */
function collectHeaderSecrets(source: Source, file: FileConfig | undefined, secrets: Set<string>): void {
  for (const [name, upstream] of Object.entries(file?.upstreams ?? {})) {
    for (const [header, value] of Object.entries(upstream?.headers ?? {})) {
      if (typeof value !== 'string') continue
      if (soundsSecret(header) || source.scalar(['upstreams', name, 'headers', header])?.outside) secrets.add(value)
    }
  }
}

/** The entries whose `use` can be looked at further; of one with mistakes, the keys that are right. */
function wellFormed(file: FileConfig | undefined, diagnostics: readonly Diagnostic[]): PluginEntry[] {
  if (!Array.isArray(file?.plugins)) return []
  const wrong = (path: string) => diagnostics.some((d) => d.path === path || d.path.startsWith(`${path}.`) || d.path.startsWith(`${path}[`))
  return file.plugins.flatMap((entry, i) => {
    const path = `plugins[${i}]`
    if (typeof entry?.use !== 'string' || wrong(`${path}.use`)) return []
    const right = Object.entries(entry).filter(([key]) => !wrong(`${path}.${key}`))
    return [resolvePlugin(Object.fromEntries(right) as unknown as FilePlugin, i)]
  })
}

function empty(file: string): Diagnostic {
  const fix = 'start with `version: 1`; config/gateway.yaml of the project is a complete example'
  return { severity: 'error', file, line: 1, column: 1, path: '', message: 'the file is empty', fix }
}

const maxFile = 1024 * 1024

/** A regular file of at most 1 MB. */
function readSmallFile(path: string): string {
  const stat = statSync(path)
  if (!stat.isFile() || stat.size > maxFile) throw new Error(`${path} is not a small file`)
  return readFileSync(path, 'utf8')
}
