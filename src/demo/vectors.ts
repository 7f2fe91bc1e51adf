/**
 * Vectors for texts: the same text always has the same one, of length 1. They say nothing of meaning.
 */

/** Numbers in a vector, unless the client wants another number. */
const usualSize = 256
/** What may be asked for. */
export const largestSize = 4096

/** The vector of a text. */
export function vectorOf(text: string, size = usualSize): number[] {
  // xorshift over a hash of the text: plain 32-bit arithmetic, the same on every machine
  let state = Number(Bun.hash.xxHash32(text)) | 1
  const raw = Array.from({ length: size }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state / 2 ** 31
  })
  const length = Math.hypot(...raw)
  return raw.map((value) => Math.fround(value / length))
}
