/** Statements that are put together from pieces, as the templates that `sql` takes. Each text is made once. Runs nothing. */

import type { SqlValue } from 'headgate/plugin'

/** A piece of a statement: texts, and the values between them. */
export type Condition = readonly [texts: readonly string[], values: readonly SqlValue[]]

const templates = new Map<string, TemplateStringsArray>()
/** Texts that are kept: filters combine in many ways. */
const mostKept = 500

/** Texts as a template; between each two stands a value. */
export function template(texts: readonly string[]): TemplateStringsArray {
  const key = texts.join('\0')
  let made = templates.get(key)
  if (!made) {
    if (templates.size >= mostKept) templates.clear()
    made = Object.assign([...texts], { raw: texts }) as unknown as TemplateStringsArray
    templates.set(key, made)
  }
  return made
}

/** A statement of these conditions, as a template for `sql`, and its values. */
export function statement(
  head: string,
  conditions: readonly Condition[],
  tail: string,
  ...last: readonly SqlValue[]
): [TemplateStringsArray, ...SqlValue[]] {
  const texts = [head]
  const values: SqlValue[] = []
  for (const [i, [parts, own]] of conditions.entries()) {
    texts[texts.length - 1] += `${i === 0 ? ' WHERE ' : ' AND '}${parts[0]}`
    texts.push(...parts.slice(1))
    values.push(...own)
  }
  texts[texts.length - 1] += ` ${tail}`
  for (const _ of last) texts.push('')
  return [template(texts), ...values, ...last]
}
