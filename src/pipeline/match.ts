/**
 * `when`: a record of conditions, matched by the host. AND across fields, OR inside a list, globs with `*`.
 *
 * Conditions on the model or on `stream` need the body; an instance that has one is first asked when the body is there. The model is the
 * one that the client asked for, so that a condition means the same at every place of the list.
 */

import { globMatcher } from '../plugin/glob.ts'
import type { ExchangeCore } from './core.ts'

/** `when` as written, each field a list. */
export interface When {
  readonly path?: readonly string[]
  readonly operation?: readonly string[]
  readonly method?: readonly string[]
  readonly model?: readonly string[]
  readonly tier?: readonly string[]
  readonly tag?: readonly string[]
  readonly header?: Readonly<Record<string, readonly string[]>>
  readonly stream?: boolean
  readonly inner?: boolean
}

export interface Condition {
  readonly needsBody: boolean
  matches(x: ExchangeCore): boolean
  /** As `headgate explain` prints it. */
  readonly text: string
}

/** Compiles a `when`. */
export function compileCondition(when: When): Condition {
  const tests: ((x: ExchangeCore) => boolean)[] = []
  const words: string[] = []
  const add = (name: string, globs: readonly string[] | undefined, value: (x: ExchangeCore) => string | readonly string[] | undefined) => {
    if (!globs) return
    const match = globMatcher(globs)
    words.push(`${name}: ${globs.join(' | ')}`)
    tests.push((x) => {
      const v = value(x)
      if (v === undefined) return false
      return typeof v === 'string' ? match(v) : v.some(match)
    })
  }
  add('path', when.path, (x) => x.path)
  add('operation', when.operation, (x) => x.operation)
  add('method', when.method, (x) => x.method)
  add('tier', when.tier, (x) => x.principal?.tier)
  add('tag', when.tag, (x) => x.principal?.tags)
  for (const [name, globs] of Object.entries(when.header ?? {})) add(`header ${name}`, globs, (x) => x.headers.get(name) ?? undefined)
  add('model', when.model, (x) => x.modelAsked)
  if (when.stream !== undefined) {
    const wanted = when.stream
    words.push(`stream: ${wanted}`)
    tests.push((x) => x.body?.stream === wanted)
  }
  if (when.inner !== undefined) {
    const wanted = when.inner
    words.push(`inner: ${wanted}`)
    tests.push((x) => (x.inner !== undefined) === wanted)
  }
  return {
    needsBody: when.model !== undefined || when.stream !== undefined,
    matches: (x) => tests.every((t) => t(x)),
    text: words.join(', '),
  }
}
