/**
 * Lines that an edit has to match: those of its old text that stood in the prompt before it. After trimming they must still stand there.
 *
 * A stand-in for harm that needs no model: an agent that can no longer read a line can't write it into an edit.
 */

import type { RecordedMessage } from './trajectories.ts'

const oldTexts = /^(old_?string|old_?text|old_?str)$/i

/** A line as it would be written into an edit: without its number and without the mark of a diff. */
function bareForms(line: string): string[] {
  const bare = line.replace(/^\t|^ *\d+(?:→|\t|: ?|\| ?|\. ?|-)/, '')
  return bare === line ? [line] : [line, bare]
}

/** @param sent the text of each message after trimming, in the order of `messages` */
export function lostLines(messages: readonly RecordedMessage[], sent: readonly string[]): string[] {
  const untrimmed = new Set<string>()
  const trimmed = new Set<string>()
  const lost: string[] = []
  messages.forEach((message, i) => {
    const text = typeof message.content === 'string' ? message.content : (message.content ?? []).map((block) => block.text ?? '').join('\n')
    if (message.role === 'tool') {
      add(untrimmed, text)
      add(trimmed, sent[i]!)
      return
    }
    for (const call of message.tool_calls ?? []) {
      const input = argumentsOf(call.function.arguments)
      for (const line of editLines(input)) if (line.trim() !== '' && untrimmed.has(line) && !trimmed.has(line)) lost.push(line)
      for (const value of stringsOf(input)) {
        add(untrimmed, value)
        add(trimmed, value)
      }
    }
    add(untrimmed, text)
    add(trimmed, text)
  })
  return lost
}

function add(lines: Set<string>, text: string): void {
  for (const line of text.split('\n')) for (const form of bareForms(line)) lines.add(form)
}

function argumentsOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return { input: text }
  }
}

/** Lines that must be in the file: old texts, and context and removed lines of patches. */
function* editLines(input: unknown): Generator<string> {
  if (Array.isArray(input)) for (const item of input) yield* editLines(item)
  else if (typeof input === 'object' && input !== null) {
    for (const [name, value] of Object.entries(input)) {
      if (typeof value !== 'string') yield* editLines(value)
      else if (oldTexts.test(name)) yield* value.split('\n')
      else if (value.includes('*** Begin Patch')) yield* patchLines(value)
    }
  }
}

function* patchLines(patch: string): Generator<string> {
  for (const line of patch.split('\n')) if (/^[- ]/.test(line) && !line.startsWith('---')) yield line.slice(1)
}

function* stringsOf(input: unknown): Generator<string> {
  if (typeof input === 'string') yield input
  else if (typeof input === 'object' && input !== null) for (const value of Object.values(input)) yield* stringsOf(value)
}
