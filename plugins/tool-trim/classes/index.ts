/** The built-in classes of trimming, in the order in which those of one kind run. */

import type { Trimmer } from '../trimmer.ts'
import { beginnings } from './beginnings.ts'
import { diffHeads } from './diff-heads.ts'
import { equalLines } from './equal-lines.ts'
import { codexHead, repeatedReminders } from './harness.ts'
import { lineNumbers } from './line-numbers.ts'
import { base64Runs, headAndTail, htmlText } from './lossy-bulk.ts'
import { libraryFrames, logTemplates, passingTests } from './lossy-lines.ts'
import { matchHeadings } from './match-headings.ts'
import { plainJson } from './plain-json.ts'
import { references } from './references.ts'
import { sparseNumbers } from './sparse-numbers.ts'
import { terminal } from './terminal.ts'

export { composeTrim } from './compose.ts'
export { growingHistory, type HistoryBounds, seenOfCall, usualBounds } from './history.ts'
export { parseReference } from './reference-text.ts'

export const builtInTrimmers: readonly Trimmer[] = [
  codexHead,
  repeatedReminders,
  terminal,
  diffHeads,
  htmlText,
  base64Runs,
  passingTests,
  logTemplates,
  libraryFrames,
  headAndTail,
  plainJson,
  references,
  equalLines,
  lineNumbers,
  matchHeadings,
  beginnings,
  sparseNumbers,
]
