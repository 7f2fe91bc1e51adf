/** Results and histories for tests of classes. */

import { expect } from 'bun:test'
import type { SeenText, ToolResultText, TrimHistory, Trimmer } from '../trimmer.ts'
import { growingHistory } from './history.ts'

export const none: TrimHistory = { seen: [] }

export function result(text: string, about: Partial<ToolResultText> = {}): ToolResultText {
  return { tool: 'Bash', kind: 'shell', ordinal: 1, ...about, text }
}

export function seen(text: string, about: Partial<SeenText> = {}): SeenText {
  return { tool: 'Read', kind: 'file', ordinal: 1, from: 'result', ...about, text }
}

export function historyOf(...texts: readonly SeenText[]): TrimHistory {
  const history = growingHistory()
  for (const text of texts) history.add(text)
  return history
}

/** What a trimmer makes of a text; its inverse has to give the text back. */
export function encoded(trimmer: Trimmer, of: ToolResultText | string, history: TrimHistory = none): string | undefined {
  const one = typeof of === 'string' ? result(of) : of
  const text = trimmer.encode(one, history)
  if (text !== undefined && trimmer.class !== 'void' && trimmer.class !== 'lossy-entry') {
    const back = trimmer.decode(text, one, history)
    if (trimmer.equal) expect(trimmer.equal(one.text, back!)).toBe(true)
    else expect(back).toBe(one.text)
  }
  return text
}

/** A file as a tool prints it. */
export function numbered(
  lines: readonly string[],
  from = 1,
  write = (n: number, line: string) => `${String(n).padStart(6)}→${line}`,
): string {
  return lines.map((line, i) => write(from + i, line)).join('\n')
}

/** So many lines of code, none like another. */
export function code(count: number, name = 'value'): string[] {
  return Array.from({ length: count }, (_, i) => `  const ${name}${i} = compute(${i}, '${name} of the ${i}th line')`)
}
