/**
 * Keeping secrets out of everything that is printed.
 *
 * The loader collects the secret strings of a config; what is here replaces them by `***`. Masking errs towards hiding: an
 * excerpt of the file also hides what merely looks like a key.
 */

import type { PriceList } from '../plugin/price.ts'
import type { GatewayConfig } from './model.ts'
import { writtenPrices } from './price-schema.ts'
import { maskUrl } from './store-url.ts'

const mask = '***'

/** Shorter strings are not searched for in texts: hiding every `a` would hide nothing but the log. */
const shortest = 4

/** Names of variables, fields and headers that hold secrets. */
export function soundsSecret(name: string): boolean {
  return /(^|[_.-])(api[_-]?key|key|secret|token|password|passwd|authorization|cookie|credentials?)$/i.test(name)
}

/** A text without the secrets in it. */
export function maskText(text: string, secrets: Iterable<string>): string {
  // Longest first: one secret may hold another.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    if (secret.length >= shortest && text.includes(secret)) text = text.replaceAll(secret, mask)
  }
  return text
}

/** A line to be shown: without known secrets and, when it comes from a config file (`source`), without what looks like one. */
export function maskLine(line: string, secrets: ReadonlySet<string> | undefined, source = false): string {
  if (secrets) line = maskText(line, secrets)
  if (!source) return line
  return line
    .replace(
      /([A-Za-z0-9_-]+)("|')?(\s*:\s+)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,#{}]+)/g,
      (all, name: string, quote: string | undefined, colon: string, value: string) =>
        soundsSecret(name) && !isReference(value) ? `${name}${quote ?? ''}${colon}${mask}` : all,
    )
    .replace(/\b(?:sk|pk|gsk|xai|key|ghp|hf|AIza)[-_A-Za-z0-9]*[-_][A-Za-z0-9_-]{12,}/g, mask)
    .replace(/\/\/[^/\s:@]*:[^/\s@]+@/g, `//${mask}@`)
    .replace(/(\/\/[^\s?"']+\?)[^\s"',}]+/g, `$1${mask}`)
}

/** Whether a value only says where a secret is: `${env:NAME}` in quotes, or the `$` of one without. */
function isReference(value: string): boolean {
  return value.startsWith('$') || (/^["']\$\{(env|file):[^}]+\}["']$/.test(value) && !value.includes(':-'))
}

/** A deep copy of any value in which no string holds a secret, and that JSON can write: exact integers become texts. */
export function maskValue(value: unknown, secrets: ReadonlySet<string>): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'string') return maskText(value, secrets)
  if (Array.isArray(value)) return value.map((item) => maskValue(item, secrets))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, maskValue(item, secrets)]))
}

/** The config as it may be printed, prices as they are written in a file: keys, and every known secret wherever it stands, are `***`. */
export function redact(config: GatewayConfig, secrets: ReadonlySet<string>): unknown {
  const upstreams = config.upstreams.map((upstream) => ({
    ...upstream,
    ...(upstream.key === undefined ? {} : { key: mask }),
    headers: Object.fromEntries(Object.entries(upstream.headers).map(([name, value]) => [name, soundsSecret(name) ? mask : value])),
  }))
  const { priceList } = config
  const shown = {
    ...config,
    state: maskUrl(config.state),
    records: maskUrl(config.records),
    upstreams,
    models: config.models.map((model) => ({ ...withWrittenPrice(model), targets: model.targets.map(withWrittenPrice) })),
    ...(priceList && { priceList: { ...priceList, models: priceList.models.map(withWrittenPrice) } }),
  }
  return maskValue(shown, secrets)
}

function withWrittenPrice<T extends { readonly price?: PriceList }>(from: T): Omit<T, 'price'> & { price?: unknown } {
  const { price, ...rest } = from
  return price === undefined ? rest : { ...rest, price: writtenPrices(price) }
}
