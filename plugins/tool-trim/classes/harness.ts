/**
 * `void`: what harnesses write around a result that says nothing to a model.
 *
 * - Codex: `Chunk ID: …`, `Original token count: …` and `Wall time: …` below ten seconds, in the head before `Output:`. How the process ended stays.
 * - `<system-reminder>` blocks at the end of a result that stand word for word in an earlier result that the model still sees. Only long ones, and never
 *   all of a result: a short one may speak of this very result (`the file is empty`). One in the midst of a text is what a file says.
 */

import type { SeenText, ToolResultText, TrimHistory, Trimmer } from '../trimmer.ts'
import { showsFile } from './shows-file.ts'

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
/** Characters of a reminder that is worth taking out. */
const leastReminder = 160

export const repeatedReminders: Trimmer = {
  name: 'repeated-reminders',
  class: 'void',
  encode(result: ToolResultText, history: TrimHistory) {
    if (result.kind === 'shell' && showsFile(result)) return undefined
    const { text } = result
    let gone = false
    const last = pastText(text, text.length)
    let end = last
    let kept = ''
    // from the end on, as long as one stands directly before the other, each at the beginning of a line
    while (text.endsWith(closes, end)) {
      const at = text.lastIndexOf(opens, end)
      if (at < 0 || (at > 0 && text.charCodeAt(at - 1) !== 10)) break
      const block = text.slice(at, end)
      end = pastText(text, at)
      if (block.length >= leastReminder && history.seen.some((seen) => remindersOf(seen)?.has(block))) gone = true
      else kept = text.slice(end, at) + block + kept
    }
    if (!gone || (end === 0 && kept === '')) return undefined
    return text.slice(0, end) + kept + text.slice(last)
  },
  decode: (text) => text,
}

/** Where the white space before `to` begins. */
function pastText(text: string, to: number): number {
  let end = to
  while (end > 0 && text.charCodeAt(end - 1) <= 32) end--
  return end
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
