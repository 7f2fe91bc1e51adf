/**
 * Loads the price list that gateway.yaml names: a file of its own, so that it can be replaced as a whole when providers change prices.
 *
 * Read and checked like gateway.yaml, with its own places. Never throws: a list that is missing or wrong is a mistake of the config,
 * for a gateway that bills must not start without its prices.
 */

import { check } from './check.ts'
import { checkListed } from './check-prices.ts'
import { type Diagnostic, hasErrors, pathText } from './diagnostics.ts'
import { readPlainYaml } from './plain-yaml.ts'
import { type ListedModel, type PriceListFile, priceListSchema, resolveListed } from './price-schema.ts'
import { type Places, readSource } from './source.ts'

/** The price list in force. */
export interface PriceListConfig {
  /** Absolute path. */
  readonly file: string
  readonly models: readonly ListedModel[]
}

export interface PriceListLoad {
  /** Meaningless after a mistake. */
  readonly models: readonly ListedModel[]
  readonly diagnostics: readonly Diagnostic[]
  /** Text of the file, for excerpts; empty when it can't be read. */
  readonly text: string
}

/**
 * Loads a price list. `shown` is its path in diagnostics; `unreadable` makes the mistake of a file that can't be read, at the place that
 * names it.
 */
export function loadPriceList(
  shown: string,
  read: () => string,
  env: Readonly<Record<string, string | undefined>>,
  unreadable: (message: string) => Diagnostic,
): PriceListLoad {
  let text: string
  try {
    text = read()
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    return { models: [], diagnostics: [unreadable(missing ? `${shown} does not exist` : `${shown} cannot be read`)], text: '' }
  }
  const plain = readPlainYaml(text)
  const quick = plain === undefined ? undefined : checkList(plain, nowhere(shown))
  if (quick && quick.diagnostics.length === 0) return { models: resolveListed(quick.file), diagnostics: [], text }
  const source = readSource(shown, text, {
    env,
    readFile: () => {
      throw new Error('a price list reads no other files')
    },
  })
  const diagnostics = [...source.diagnostics, ...source.absent.map((one) => one.diagnostic)]
  if (source.broken) return { models: [], diagnostics, text }
  const { file, diagnostics: found } = checkList(source.value ?? {}, source)
  diagnostics.push(...found)
  return { models: hasErrors(diagnostics) ? [] : resolveListed(file), diagnostics, text }
}

/** `file` is meaningless after a mistake. */
function checkList(value: unknown, places: Places): { readonly file: PriceListFile; readonly diagnostics: readonly Diagnostic[] } {
  const checked = check(priceListSchema, value, places)
  const diagnostics = [...checked.diagnostics]
  checkListed((value as { models?: unknown }).models, (path, message, fix, place = 'value') => {
    const at = place === 'key' ? places.locateKey(path) : places.locate(path)
    diagnostics.push({ severity: 'error', file: places.file, ...at, path: pathText(path), message, fix })
  })
  return { file: checked.value as PriceListFile, diagnostics }
}

/** For a value whose places matter only if it is wrong: then it is read again with them. */
function nowhere(file: string): Places {
  const start = { line: 1, column: 1 }
  return { file, locate: () => start, locateKey: () => start, scalar: () => undefined }
}
