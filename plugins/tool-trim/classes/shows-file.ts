/** Whether a result is the text of a file: what a later edit has to match line by line. Pure. */

import type { ToolResultFacts } from '../trimmer.ts'

const printsFile = /^\s*(?:cd [^;&|]{1,200}(?:&&|;)\s*)?(?:cat|sed|head|tail|nl|less|bat|awk)\b/

/** What reads a file by its tool or its command, and commands that begin by printing one. */
export function showsFile({ kind, read, command }: ToolResultFacts): boolean {
  return read !== undefined || (kind === 'shell' && command !== undefined && printsFile.test(command))
}
