// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
/**
 * Mistakes that one field alone cannot show: names that point nowhere, doubles, contradictions.
 *
 * Works on the values as read, whatever their shape, so that a mistake elsewhere hides nothing here. What the schema already
 * reports is not reported again.
 */

import { globMatcher } from '../plugin/glob.ts'
import { operations } from '../plugin/operations.ts'
import { checkHost } from './check-host.ts'
import { checkPrices } from './check-prices.ts'
import { type Diagnostic, type Path, pathText, type Severity } from './diagnostics.ts'
import { checkErrorBody } from './error-spelling.ts'
import { readListen } from './kinds.ts'
import { pluginId } from './plugin-id.ts'
import type { Places } from './source.ts'
import { nearest } from './suggest.ts'

/** A text of the file in words; what came from outside the file is not shown. */
type Show = (path: Path, text: string) => string

type Report = (path: Path, message: string, fix: string, place?: 'value' | 'key', severity?: Severity) => void

/** All cross checks over the file's value. */
export function crossCheck(value: unknown, places: Places): Diagnostic[] {
  const diagnostics: Diagnostic[] = []
  const report: Report = (path, message, fix, place = 'value', severity = 'error') => {
    const at = place === 'key' ? places.locateKey(path) : places.locate(path)
    diagnostics.push({ severity, file: places.file, ...at, path: pathText(path), message, fix })
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return diagnostics
  const file = map(value)
  const show: Show = (path, text) => (places.scalar(path)?.outside ? 'the text from ${…}' : `\`${text}\``)
  checkListeners(map(file.server), report)
  checkMounts(file.mounts, show, report)
  const { body } = map(file.errors)
  if (body !== undefined) checkErrorBody(body, (at, message, fix) => report(['errors', 'body', ...at], message, fix))
  checkUpstreams(map(file.upstreams), report)
  checkModels(map(file.models), Object.keys(map(file.upstreams)), show, report)
  checkPlugins(file.plugins, places, show, report)
  return diagnostics
}

function checkListeners(server: Record<string, unknown>, report: Report): void {
  if (typeof server.listen !== 'string' || typeof server.admin !== 'string') return
  const listen = readListen(server.listen)
  const admin = readListen(server.admin)
  if (!('value' in listen) || !('value' in admin) || listen.value.port === 0) return
  if (listen.value.port === admin.value.port && listen.value.host === admin.value.host) {
    report(['server', 'admin'], 'is the same address as `listen`', 'give the admin listener a port of its own, or write off')
  }
}

function checkMounts(mounts: unknown, show: Show, report: Report): void {
  const seen = new Map<string, number>()
  list(mounts).forEach((mount, i) => {
    const { path, api } = map(mount)
    if (typeof path !== 'string' || typeof api !== 'string') return
    const key = `${api} ${normalMount(path)}`
    const before = seen.get(key)
    if (before === undefined) seen.set(key, i)
    else
      report(
        ['mounts', i],
        `this API is mounted at ${show(['mounts', i, 'path'], path)} already (mounts[${before}])`,
        'remove one of the two',
      )
  })
}

/** A mount path without trailing slash; `/` stays. */
export function normalMount(path: string): string {
  return path.replace(/\/+$/, '') || '/'
}

function checkUpstreams(upstreams: Record<string, unknown>, report: Report): void {
  for (const [name, value] of Object.entries(upstreams)) {
    const path = ['upstreams', name]
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
      report(path, `${JSON.stringify(name)} can't be the name of an upstream`, 'use letters, digits, ., _ and -', 'key')
    }
    const upstream = map(value)
    const hasKey = [upstream.key, upstream.keys].some((key) => key !== undefined && key !== null)
    checkKeys(upstream, path, report)
    checkHost(upstream, path, report)
    if (typeof upstream.auth === 'string' && upstream.auth !== 'none' && !hasKey) {
      report([...path, 'auth'], '`auth` says how to send a key, but there is no key', 'add `key`, or write auth: none')
    }
    if (upstream.auth === 'none' && hasKey) {
      report([...path, 'auth'], '`auth: none` never sends the key', 'remove `key` or `auth`', 'value', 'warning')
    }
    for (const [header, text] of Object.entries(map(upstream.headers))) {
      const at = [...path, 'headers', header]
      if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(header)) {
        report(at, `${JSON.stringify(header)} can't be the name of a header`, 'use letters, digits and -', 'key')
      } else if (ofTheConnection.has(header.toLowerCase())) {
        report(at, `the gateway writes ${header} itself, for each call`, 'remove it', 'key')
      } else if (hasKey && header.toLowerCase() === keyHeader(upstream)) {
        report(at, `${header} carries the key already`, 'remove it, or `key`', 'key')
      } else if (typeof text === 'string' && !isHeaderValue(text)) {
        report(at, 'the text holds characters that a header cannot carry', 'use one line of plain characters')
      }
    }
    if (typeof upstream.key === 'string' && !isHeaderValue(upstream.key)) {
      report([...path, 'key'], 'the key holds a line break or a character that a header cannot carry', 'write the key alone, on one line')
    }
  }
}

/** Several keys: not beside one, none twice, each on one line. */
function checkKeys({ key, keys }: Record<string, unknown>, path: Path, report: Report): void {
  if (keys === undefined || keys === null) return
  if (key !== undefined && key !== null) report([...path, 'keys'], '`keys` stands beside `key`', 'put all of them into `keys`', 'key')
  const all = list(keys)
  all.forEach((one, i) => {
    if (typeof one !== 'string') return
    if (!isHeaderValue(one)) {
      report(
        [...path, 'keys', i],
        'the key holds a line break or a character that a header cannot carry',
        'write the key alone, on one line',
      )
    }
    if (one !== '' && all.indexOf(one) < i) report([...path, 'keys', i], 'the same key a second time', 'remove one of the two')
  })
}

/** A second one of these would let a call be read in two ways. */
const ofTheConnection: ReadonlySet<string> = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** The header that an upstream's key is sent in. */
function keyHeader(upstream: { readonly auth?: unknown; readonly dialect?: unknown; readonly host?: unknown }): string | undefined {
  const auth = upstream.auth ?? usualAuth(upstream)
  return auth === 'none' ? undefined : auth === 'bearer' ? 'authorization' : String(auth)
}

/** How a key is sent unless the file says so. */
export function usualAuth({ dialect, host }: { readonly dialect?: unknown; readonly host?: unknown }) {
  if (host === 'azure') return 'api-key'
  if (host === 'vertex' || host === 'bedrock') return 'bearer'
  return dialect === 'gemini' ? 'x-goog-api-key' : dialect === 'anthropic' ? 'x-api-key' : 'bearer'
}

function isHeaderValue(text: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(text)
}

function checkModels(models: Record<string, unknown>, upstreams: readonly string[], show: Show, report: Report): void {
  for (const [id, value] of Object.entries(models)) {
    const path = ['models', id]
    const stars = count(id, '*')
    if (id === '') report(path, 'a model without an id', 'give it an id', 'key')
    if (stars > 1) report(path, `\`${id}\` holds ${stars} stars`, 'use one *: it stands for anything, slashes included', 'key')
    checkPrices(map(value).price, [...path, 'price'], report)
    const { since, sunset } = map(map(value).deprecation)
    if (typeof since === 'string' && typeof sunset === 'string' && sunset < since)
      report([...path, 'deprecation', 'sunset'], 'is before `since`: nothing ends before it is deprecated', 'write a later date')
    list(map(value).targets).forEach((target, i) => {
      const { upstream, model } = map(target)
      const at = [...path, 'targets', i]
      if (typeof upstream === 'string' && upstream !== '' && !upstreams.includes(upstream)) {
        const guess = nearest(upstream, upstreams)
        const all = upstreams.length === 0 ? 'add it to `upstreams`' : `known: ${upstreams.join(', ')}`
        report(
          [...at, 'upstream'],
          `no upstream is called ${show([...at, 'upstream'], upstream)}`,
          guess === undefined ? all : `did you mean \`${guess}\`?`,
        )
      }
      checkPrices(map(target).price, [...at, 'price'], report)
      if (typeof model !== 'string') return
      const holes = count(model, '*')
      if (holes > 0 && stars === 0) {
        report([...at, 'model'], '* has nothing to stand for: the id above holds none', "write the provider's own model name")
      } else if (holes > 1) {
        report(
          [...at, 'model'],
          `${show([...at, 'model'], model)} holds ${holes} stars`,
          'use one *: it stands for what the * of the id matched',
        )
      }
    })
  }
}

function checkPlugins(plugins: unknown, places: Places, show: Show, report: Report): void {
  const entries = list(plugins)
  if (entries.length === 0 && (plugins === undefined || plugins === null || Array.isArray(plugins))) {
    report(['plugins'], 'no plugins: nothing will choose an upstream', 'add at least `- use: router`', 'key', 'warning')
  }
  const seen = new Map<string, number>()
  entries.forEach((entry, i) => {
    const { use, id, when } = map(entry)
    const path = ['plugins', i]
    if (typeof use === 'string' && use !== '') {
      if (/^[a-z][a-z0-9+.-]*:\/\//i.test(use)) {
        report([...path, 'use'], 'a plugin is never loaded from a URL', 'save it as a file and write ./its-name.ts')
      }
      const name = typeof id === 'string' && id !== '' ? id : pluginId(use)
      const before = seen.get(name)
      if (before === undefined) seen.set(name, i)
      else {
        const line = places.locate(['plugins', before]).line
        const from = [...path, typeof id === 'string' ? 'id' : 'use']
        const fix =
          typeof id === 'string'
            ? 'give one of them another `id`'
            : `add an \`id\`, for example id: ${places.scalar(from)?.outside ? 'second' : `${name}-2`}`
        report(typeof id === 'string' ? from : path, `a plugin with the id ${show(from, name)} stands in line ${line} already`, fix)
      }
    }
    checkOperations(map(when).operation, [...path, 'when', 'operation'], show, report)
  })
}

function checkOperations(value: unknown, path: Path, show: Show, report: Report): void {
  const one = (word: unknown, at: Path): void => {
    if (typeof word !== 'string' || word === '' || operations.some(globMatcher([word]))) return
    const guess = nearest(word, operations)
    const all = `use one of: ${operations.join(', ')}`
    report(at, `no operation is called ${show(at, word)}`, guess === undefined ? all : `did you mean ${guess}?`)
  }
  if (Array.isArray(value)) for (const [i, word] of value.entries()) one(word, [...path, i])
  else one(value, path)
}

function count(text: string, char: string): number {
  return text.split(char).length - 1
}

function map(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
