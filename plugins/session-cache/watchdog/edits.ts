/** Which plugin edited which piece of a client's prompt, from what the record says of edits. Pure. */

import type { Edit, PromptUnit } from 'headgate/plugin'

const most = 200
const toolNames = ['tools', 'functions']
const systemNames = ['system', 'instructions', 'systemInstruction', 'system_instruction']
const listNames = ['messages', 'input', 'contents']

/** Index of the piece and id of the plugin, the last one that edited it. */
export type EditedUnit = readonly [unit: number, plugin: string]

export function editsOf(units: readonly PromptUnit[], edits: readonly Edit[] | undefined): readonly EditedUnit[] {
  const made = new Map<number, string>()
  for (const { plugin, what, where } of edits ?? []) {
    if (what === 'model' || made.size >= most) continue
    const unit = unitOf(units, where)
    if (unit >= 0) made.set(unit, plugin)
  }
  return [...made]
}

/** `where` is a JSON pointer, or a span of bytes. */
function unitOf(units: readonly PromptUnit[], where: string): number {
  const span = /^bytes (\d+)-/.exec(where)
  if (span) return units.findIndex(({ start, end }) => start <= Number(span[1]) && Number(span[1]) < end)
  const [, name = '', index] = /^\/([^/]+)(?:\/(\d+))?/.exec(where) ?? []
  if (toolNames.includes(name)) return units.findIndex(({ kind }) => kind === 'tools')
  if (systemNames.includes(name)) return units.findIndex(({ kind }) => kind === 'system')
  if (listNames.includes(name)) return units.findIndex(({ kind, message }) => kind === 'message' && message === Number(index ?? 0))
  return -1
}
