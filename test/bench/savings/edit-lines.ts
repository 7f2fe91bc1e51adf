/**
 * What an edit needs of the prompt: the lines that it must match, as the model was shown them.
 *
 * The only harm of trimming that can be measured without calling a model: a line that a later edit matched stood in the prompt as the client sent it, and no longer
 * does as the provider was shown it.
 */

import type { RecordedMessage, Trajectory } from './trajectories.ts'

/** Lines shorter than this say nothing: brackets, `else`. */
const shortest = 8

/**
 * The lines to be matched by the edits of the reply to the first `n` messages.
 * @param sent results in order as the provider was shown them; other texts are never changed
 */
export function editLines(
  trajectory: Trajectory,
  n: number,
  sent: readonly { readonly text?: string }[],
): { readonly stood: number; readonly kept: number } {
  const reply = trajectory.messages[n]
  if (reply?.role !== 'assistant') return { stood: 0, kept: 0 }
  const lines = matchedLines(reply)
  if (lines.length === 0) return { stood: 0, kept: 0 }
  let before = ''
  let after = ''
  let result = 0
  for (const message of trajectory.messages.slice(0, n)) {
    if (message.role === 'tool') {
      const shown = sent[result++]?.text
      if (typeof message.content !== 'string') continue
      before += `${message.content}\n`
      after += `${shown ?? message.content}\n`
    } else {
      const text = otherText(message)
      before += text
      after += text
    }
  }
  let stood = 0
  let kept = 0
  for (const line of lines) {
    if (!before.includes(line)) continue
    stood++
    if (after.includes(line)) kept++
  }
  return { stood, kept }
}

/** Calls of the assistant are shown as JSON: lines in them stand there escaped. Their decoded strings count as text. */
function otherText(message: RecordedMessage): string {
  const texts = [
    typeof message.content === 'string' ? message.content : (message.content ?? []).map((block) => block.text ?? '').join('\n'),
  ]
  for (const call of message.tool_calls ?? []) texts.push(...stringsOf(parsed(call.function.arguments)))
  return `${texts.join('\n')}\n`
}

function matchedLines(reply: RecordedMessage): string[] {
  const lines: string[] = []
  for (const call of reply.tool_calls ?? []) {
    const input = parsed(call.function.arguments)
    if (typeof input !== 'object' || input === null) {
      if (typeof input === 'string') lines.push(...patchLines(input))
      continue
    }
    collect(input as Record<string, unknown>, lines)
  }
  return lines.filter((line) => line.trim().length >= shortest)
}

function collect(input: Record<string, unknown>, lines: string[]): void {
  for (const [key, value] of Object.entries(input)) {
    if (typeof value === 'string') {
      if (/^(old_?str(ing)?|oldText|old_text|search)$/i.test(key)) lines.push(...value.split('\n'))
      else if (value.includes('*** Begin Patch')) lines.push(...patchLines(value))
    } else if (Array.isArray(value)) {
      for (const item of value) if (typeof item === 'object' && item !== null) collect(item as Record<string, unknown>, lines)
    }
  }
}

/** Lines of a patch that must be there: context and removed ones. */
function patchLines(patch: string): string[] {
  return patch
    .split('\n')
    .filter((line) => (line.startsWith(' ') || line.startsWith('-')) && !line.startsWith('---'))
    .map((line) => line.slice(1))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function stringsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(stringsOf)
  if (typeof value === 'object' && value !== null) return Object.values(value).flatMap(stringsOf)
  return []
}
