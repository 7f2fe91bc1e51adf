/**
 * Loads the price list that gateway.yaml names: a file of its own, so that it can be replaced as a whole when providers change prices.
 *
 * Read and checked like gateway.yaml, with its own places. Never throws: a list that is missing or wrong is a mistake of the config,
 * for a gateway that bills must not start without its prices.
 */

import { check } from './check.ts'
import { checkListed } from './check-prices.ts'
import { type Diagnostic, hasErrors, pathText } from './diagnostics.ts'
import { type ListedModel, type PriceListFile, priceListSchema, resolveListed } from './price-schema.ts'
import { readSource } from './source.ts'

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
  const source = readSource(shown, text, {
    env,
    readFile: () => {
      throw new Error('a price list reads no other files')
    },
  })
  const diagnostics = [...source.diagnostics, ...source.absent.map((one) => one.diagnostic)]
  if (source.broken) return { models: [], diagnostics, text }
  const value = source.value ?? {}
  const checked = check(priceListSchema, value, source)
  diagnostics.push(...checked.diagnostics)
  checkListed((value as { models?: unknown }).models, (path, message, fix, place = 'value') => {
    const at = place === 'key' ? source.locateKey(path) : source.locate(path)
    diagnostics.push({ severity: 'error', file: shown, ...at, path: pathText(path), message, fix })
  })
  const models = hasErrors(diagnostics) ? [] : resolveListed(checked.value as PriceListFile)
  return { models, diagnostics, text }
}
