/** Whom one limit of several is for: the operator's conditions, compiled once. All fields must match, each by one of its globs. */

import { globMatcher, type PrincipalValue } from 'headgate/plugin'
import type { Asking } from './subject.ts'

/** As the operator writes it. */
export interface When {
  readonly tier?: readonly string[]
  readonly tag?: readonly string[]
  readonly model?: readonly string[]
  readonly operation?: readonly string[]
}

export type Matches = (x: Asking, principal: PrincipalValue | undefined) => boolean

/** The test that a condition stands for; undefined when it is for everybody. The model is the one that the request names when the plugin is asked. */
export function matcherOf(when: When | undefined): Matches | undefined {
  if (when === undefined) return undefined
  const tests: Matches[] = []
  if (when.operation) {
    const match = globMatcher(when.operation)
    tests.push((x) => match(x.operation))
  }
  if (when.tier) {
    const match = globMatcher(when.tier)
    tests.push((_x, principal) => principal?.tier !== undefined && match(principal.tier))
  }
  if (when.tag) {
    const match = globMatcher(when.tag)
    tests.push((_x, principal) => principal?.tags.some(match) === true)
  }
  if (when.model) {
    const match = globMatcher(when.model)
    tests.push((x) => match(x.request.model))
  }
  if (tests.length < 2) return tests[0]
  return (x, principal) => tests.every((test) => test(x, principal))
}

/** The condition as text, the same for conditions that mean the same; empty for everybody. */
export function whenText(when: When | undefined): string {
  return (['tier', 'tag', 'model', 'operation'] as const)
    .flatMap((field) => (when?.[field] ? [`${field}=${[...new Set(when[field])].sort().join('|')}`] : []))
    .join(' ')
}
