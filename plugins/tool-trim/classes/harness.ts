/**
 * `void`: what harnesses write around a result that says nothing to a model.
 *
 * - Codex: `Chunk ID: …`, `Original token count: …` and `Wall time: …` below ten seconds, in the head before `Output:`. How the process ended stays.
 * - `<system-reminder>` blocks that stand word for word in an earlier result that the model still sees.
 */

import type { SeenText, ToolResultText, TrimHistory, Trimmer } from '../trimmer.ts'

/** The head of a Codex result ends within so many characters. */
const longestHead = 400
const chunk = /^Chunk ID: [0-9a-f]{1,16}\n/
const headLines = /^(?:Wall time: \d(?:\.\d+)? seconds|Original token count: \d+)\n/gm

export const codexHead: Trimmer = {
  name: 'codex-head',
  class: 'void',
  encode({ text }) {
    const id = chunk.exec(text)
    if (!id) return undefined
    const end = text.slice(0, longestHead).indexOf('\nOutput:\n')
    if (end < 0) return undefined
    return text.slice(id[0].length, end + 1).replace(headLines, '') + text.slice(end + 1)
  },
  decode: (text) => text,
}

const opens = '<system-reminder>'
const closes = '</system-reminder>'

export const repeatedReminders: Trimmer = {
  name: 'repeated-reminders',
  class: 'void',
  encode({ text }: ToolResultText, history: TrimHistory) {
    let at = text.indexOf(opens)
    if (at < 0) return undefined
    let out = ''
    let done = 0
    while (at >= 0) {
      const end = text.indexOf(closes, at)
      if (end < 0) break
      const block = text.slice(at, end + closes.length)
      if (history.seen.some((seen) => remindersOf(seen)?.has(block))) {
        out += text.slice(done, at).trimEnd()
        done = end + closes.length
      }
      at = text.indexOf(opens, end)
    }
    return done === 0 ? undefined : out + text.slice(done)
  },
  decode: (text) => text,
}

const reminders = new WeakMap<SeenText, ReadonlySet<string> | null>()

/** Reminders of an earlier result that stand there themselves; null for none. */
function remindersOf(seen: SeenText): ReadonlySet<string> | null {
  let found = reminders.get(seen)
  if (found !== undefined) return found
  const blocks = new Set<string>()
  if (seen.from === 'result' && !seen.shown) {
    for (let at = seen.text.indexOf(opens); at >= 0; ) {
      const end = seen.text.indexOf(closes, at)
      if (end < 0) break
      blocks.add(seen.text.slice(at, end + closes.length))
      at = seen.text.indexOf(opens, end)
    }
  }
  found = blocks.size > 0 ? blocks : null
  reminders.set(seen, found)
  return found
}
