/** Reads bodies of submissions and uploads, no further than they may go. */

/** The bytes; undefined when there are more than `limit`. */
export async function boundedBody(
  body: ReadableStream<Uint8Array> | null,
  limit: number,
  declared: string | null,
): Promise<Uint8Array | undefined> {
  if (Number(declared) > limit) {
    await body?.cancel()
    return undefined
  }
  if (!body) return new Uint8Array(0)
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.length
    if (size > limit) {
      await reader.cancel()
      return undefined
    }
    chunks.push(value)
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)
}

/** The lines of a text that comes in pieces of bytes, without their breaks; empty ones too. A line may be as long as the text. */
export async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8')
  let begun: string[] = []
  for await (const piece of pieces) {
    const [first = '', ...more] = decoder.decode(piece, { stream: true }).split('\n')
    begun.push(first)
    if (more.length === 0) continue
    const last = more.pop()!
    yield withoutReturn(begun.join(''))
    for (const line of more) yield withoutReturn(line)
    begun = [last]
  }
  const rest = begun.join('') + decoder.decode()
  if (rest !== '') yield withoutReturn(rest)
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}
