/**
 * Signatures in a Gemini request that another dialect's upstream made: where they are, so that they can be taken out before Google reads them.
 *
 * A thought goes with its signature, and with the pieces of it that stand before; a text or call only loses the signature.
 */

import type { Json } from '../../plugin/request.ts'
import { isTagged } from '../proof.ts'
import { objectOf, textOf } from '../shape.ts'
import { nameOf } from './names.ts'
import { indexPointer, itemsOf } from './repeated.ts'
import { missingSignature } from './write-parts.ts'

interface Removed {
  readonly parts: number
  readonly pointers: string[]
  gone: number
}

/** Pointers, last first; of the whole content where it would be left empty. */
export function foreignParts(body: Json): string[] {
  const given = objectOf(body)?.contents
  const contents: Removed[] = []
  /** Thoughts without a signature that may belong to the next one, which may stand in the next content: SDKs keep chunks apart. */
  let open: [content: Removed, pointer: string][] = []
  for (const [m, value] of itemsOf(given).entries()) {
    const content = objectOf(value)
    const parts = itemsOf(content?.parts)
    const removed: Removed = { parts: parts.length, pointers: [], gone: 0 }
    contents.push(removed)
    if (content?.role !== 'model') open = []
    for (const [p, item] of parts.entries()) {
      const part = objectOf(item)
      const name = nameOf(part, 'thoughtSignature')
      const signature = name === undefined ? '' : textOf(part?.[name])
      const at = `/contents${indexPointer(given, m)}/parts${indexPointer(content?.parts, p)}`
      if (part?.thought !== true) {
        open = []
        if (isTagged(signature)) removed.pointers.push(`${at}/${name}`)
        continue
      }
      open.push([removed, at])
      if (signature === '') continue
      if (isTagged(signature)) {
        for (const [holder, pointer] of open) {
          holder.pointers.push(pointer)
          holder.gone++
        }
      }
      open = []
    }
  }
  const pointers = contents.flatMap(({ parts, pointers: found, gone }, m) =>
    gone > 0 && gone === parts ? [`/contents${indexPointer(given, m)}`] : found,
  )
  return pointers.reverse()
}

/** Gemini 3 refuses calls without a signature: one whose own signature is another provider's gets the documented stand-in. */
export function signatureInstead(body: Json, pointer: string): string | undefined {
  const [, m = 0, p = 0, name] = /^\/contents(?:\/(\d+))?\/parts(?:\/(\d+))?\/(\w+)$/.exec(pointer) ?? []
  if (name === undefined) return undefined
  const part = objectOf(itemsOf(objectOf(itemsOf(objectOf(body)?.contents)[Number(m)])?.parts)[Number(p)])
  return part && nameOf(part, 'functionCall') !== undefined ? missingSignature : undefined
}
