/**
 * The demo's OpenAI Embeddings: texts in, vectors out, as numbers or as base64 of little-endian 32-bit floats.
 *
 * Owns the wire shapes of this dialect inside the demo and nothing else; errors are those of Chat.
 */

import { estimateTokens } from './answer.ts'
import { chat } from './chat.ts'
import { type DemoDialect, invalid, type Mistake } from './dialect.ts'
import { count, type Fields } from './fields.ts'
import { largestSize, vectorOf } from './vectors.ts'

/** Texts that one request may bring. */
const most = 2048

export const embeddings: DemoDialect = {
  paths: ['/v1/embeddings'],
  direct: (_, body) => embedded(body),
  error: chat.error,
}

function embedded(body: Fields): Fields | Mistake {
  const texts = Array.isArray(body.input) ? body.input : [body.input]
  if (texts.length === 0 || texts.length > most) return invalid(`\`input\` must hold 1 to ${most} texts.`, 'input')
  if (!texts.every((text) => typeof text === 'string' && text !== '')) {
    return invalid('`input` must be a text or a list of texts, none of them empty: the demo model reads no tokens.', 'input')
  }
  const size = body.dimensions === undefined || body.dimensions === null ? undefined : count(body.dimensions)
  const asked = body.dimensions !== undefined && body.dimensions !== null
  if (asked && (size === undefined || size > largestSize)) return invalid(`\`dimensions\` must be 1 to ${largestSize}.`, 'dimensions')
  const tokens = texts.reduce((sum: number, text: string) => sum + estimateTokens(text), 0)
  const base64 = body.encoding_format === 'base64'
  return {
    object: 'list',
    model: 'demo',
    data: texts.map((text: string, index) => {
      const vector = vectorOf(text, size)
      return { object: 'embedding', index, embedding: base64 ? Buffer.from(Float32Array.from(vector).buffer).toString('base64') : vector }
    }),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  }
}
