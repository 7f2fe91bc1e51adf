/**
 * `void`: of the head of a file in a diff, what its other lines say again: `index 1a2b..3c4d 100644` (hashes of blobs), and `--- a/x` and `+++ b/x` below
 * `diff --git a/x b/x` where all name the same file. Only for shells, never of a patch in a file; heads of new, deleted, renamed and binary files keep what says so.
 */

import type { Trimmer } from '../trimmer.ts'
import { showsFile } from './shows-file.ts'

const head =
  /^diff --git a\/([^\n]{1,400}) b\/\1\n(?:index [0-9a-f]{4,64}\.\.[0-9a-f]{4,64}(?: \d{6})?\n--- a\/\1\n\+\+\+ b\/\1\n)(?=@@ )/gm

export const diffHeads: Trimmer = {
  name: 'diff-heads',
  class: 'void',
  encode(result) {
    const { text, kind } = result
    if (kind !== 'shell' || showsFile(result) || !text.includes('diff --git ')) return undefined
    const out = text.replace(head, 'diff --git a/$1 b/$1\n')
    return out.length < text.length ? out : undefined
  },
  decode: (text) => text,
}
