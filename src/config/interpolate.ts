// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
/**
 * `${env:NAME}`, `${env:NAME:-default}` and `${file:path}` inside text; `$${` stands for a plain `${`.
 *
 * Interpolation acts on single values after the YAML has been parsed, so nothing that comes from outside can change the shape of
 * the file. Because `{` has a meaning of its own inside YAML's `{ … }` form, `shield` hides the special characters of each
 * `${…}` from the parser, one for one, so that positions stay true. This file reads no files itself: the caller lends it a reader.
 */

import { soundsSecret } from './secrets.ts'

export interface Lookups {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Text of a file; throws when it can't be read. Relative paths are relative to gateway.yaml. */
  readFile(path: string): string
}

export type Interpolated =
  /** `outside`: something was replaced. `secrets`: replaced texts that must not be printed. */
  | { readonly kind: 'text'; readonly text: string; readonly outside: boolean; readonly secrets: readonly string[] }
  /** A variable or file that does not exist. */
  | { readonly kind: 'absent'; readonly message: string; readonly fix: string }
  /** Not written as it should be. */
  | { readonly kind: 'wrong'; readonly message: string; readonly fix: string }

const pattern = /(\$?)\$\{([^}\r\n]*)(\}?)/g

/** Replaces every `${…}` of a text. A variable that is empty counts as absent, as `:-` does in a shell. */
export function interpolate(text: string, lookups: Lookups): Interpolated {
  if (!text.includes('${')) return { kind: 'text', text, outside: false, secrets: [] }
  const secrets: string[] = []
  let outside = false
  let failure: Interpolated | undefined
  const replaced = text.replace(pattern, (all, dollar: string, inner: string, close: string) => {
    if (dollar !== '') return all.slice(1)
    if (failure) return ''
    const found = lookUp(inner, close, lookups)
    if (found.kind !== 'text') failure = found
    else {
      outside = true
      secrets.push(...found.secrets)
      return found.text
    }
    return ''
  })
  return failure ?? { kind: 'text', text: replaced, outside, secrets }
}

function lookUp(inner: string, close: string, lookups: Lookups): Interpolated {
  if (close === '') return { kind: 'wrong', message: '`${` without `}`', fix: 'close it, or write $${ for a plain ${' }
  const m = /^(env|file):(.*)$/.exec(inner)
  if (!m) {
    const meant = /^[A-Za-z_][A-Za-z0-9_]*$/.test(inner)
      ? `write \${env:${inner}}`
      : 'use ${env:NAME}, ${env:NAME:-default} or ${file:path}'
    return { kind: 'wrong', message: `\${${inner}} is not understood`, fix: `${meant}, or $\${ for a plain \${` }
  }
  return m[1] === 'env' ? fromEnv(m[2]!, lookups) : fromFile(m[2]!, lookups)
}

function fromEnv(expression: string, lookups: Lookups): Interpolated {
  const at = expression.indexOf(':-')
  const name = at < 0 ? expression : expression.slice(0, at)
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    return { kind: 'wrong', message: `${JSON.stringify(name)} can't be the name of a variable`, fix: 'use letters, digits and _' }
  }
  const value = Object.hasOwn(lookups.env, name) ? lookups.env[name] : undefined
  if (value !== undefined && value !== '') return { kind: 'text', text: value, outside: true, secrets: soundsSecret(name) ? [value] : [] }
  if (at >= 0) return { kind: 'text', text: expression.slice(at + 2), outside: true, secrets: [] }
  return {
    kind: 'absent',
    message: `the variable ${name} is ${value === '' ? 'empty' : 'not set'}`,
    fix: `set ${name}, or give a default: \${env:${name}:-…}`,
  }
}

function fromFile(path: string, lookups: Lookups): Interpolated {
  if (path === '') return { kind: 'wrong', message: 'no file is named', fix: 'write ${file:/run/secrets/name}' }
  try {
    const text = lookups.readFile(path).replace(/\r?\n$/, '')
    if (text === '') return { kind: 'absent', message: `the file ${path} is empty`, fix: 'write the value into it' }
    return { kind: 'text', text, outside: true, secrets: [text] }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    const why = code === 'ENOENT' ? 'does not exist' : code === 'EACCES' ? 'may not be read by this user' : 'cannot be read'
    return { kind: 'absent', message: `the file ${path} ${why}`, fix: 'create it or correct the path' }
  }
}

/** What the parser must not see inside `${…}`, and the private characters that stand for it meanwhile. */
const special = '{}[],:#&*!|>%@`'
const firstStandIn = 0xe000
const standIns = /[\ue000-\ue00e]/

/** Hides the special characters inside each `${…}`; same length. Texts that use the private characters themselves are left alone. */
export function shield(text: string): string {
  if (standIns.test(text) || !text.includes('${')) return text
  return text.replace(/\$\{[^}\r\n]*\}/g, (found) => `$${found.slice(1).replace(/[{}[\],:#&*!|>%@`]/g, standIn)}`)
}
function standIn(char: string): string {
  return String.fromCharCode(firstStandIn + special.indexOf(char))
}

/** Undoes {@link shield} for a text out of the parser. */
export function unshield(text: string): string {
  if (!standIns.test(text)) return text
  return text.replace(/[\ue000-\ue00e]/g, (char) => special[char.charCodeAt(0) - firstStandIn]!)
}
