/**
 * Signatures in a Gemini request that another dialect's upstream made: where they are, so that they can be taken out before Google reads them.
 *
 * A thought goes with its signature, and with the pieces of it that stand before; a text or call only loses the signature.
 */

import type { Json } from '../../plugin/request.ts'
import { isTagged } from '../proof.ts'
import { listOf, objectOf, textOf } from '../shape.ts'
import { nameOf } from './names.ts'

/** Pointers, last first; of the whole content where it would be left empty. */
export function foreignParts(body: Json): string[] {
  const pointers: string[] = []
  for (const [m, value] of listOf(objectOf(body)?.contents).entries()) {
    const parts = listOf(objectOf(value)?.parts)
    const found: string[] = []
    let gone = 0
    /** Thoughts without a signature that may belong to the next one. */
    let open: string[] = []
    for (const [p, item] of parts.entries()) {
      const part = objectOf(item)
      const name = nameOf(part, 'thoughtSignature')
      const signature = name === undefined ? '' : textOf(part?.[name])
      const at = `/contents/${m}/parts/${p}`
      if (part?.thought !== true) {
        open = []
        if (isTagged(signature)) found.push(`${at}/${name}`)
      } else if (signature === '') open.push(at)
      else {
        if (isTagged(signature)) {
          found.push(...open, at)
          gone += open.length + 1
        }
        open = []
      }
    }
    if (gone > 0 && gone === parts.length) pointers.push(`/contents/${m}`)
    else pointers.push(...found)
  }
  return pointers.reverse()
}
