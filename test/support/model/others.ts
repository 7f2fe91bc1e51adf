/** The scripted model's other endpoints: completions that echo the prompt, embeddings made of each input's letters, counts of tokens. */

import { items, tokens, word } from './script.ts'

const usage = { prompt_tokens: tokens.input, completion_tokens: tokens.output, total_tokens: tokens.input + tokens.output }

/** The vector of a text. */
export function vectorOf(text: string): number[] {
  return Array.from({ length: 8 }, (_, i) => (text.charCodeAt(i % text.length) - 64) / 64)
}

/** The reply to a request for embeddings; floats unless base64 is asked for, as OpenAI does. */
export function embeddingsReply(body: Record<string, unknown>): object {
  const inputs = Array.isArray(body.input) ? body.input.map(String) : [String(body.input)]
  const data = inputs.map((text, index) => {
    const vector = vectorOf(text)
    const embedding = body.encoding_format === 'base64' ? Buffer.from(new Float32Array(vector).buffer).toString('base64') : vector
    return { object: 'embedding', index, embedding }
  })
  return { object: 'list', model: word(body.model), data, usage: { prompt_tokens: 8, total_tokens: 8 } }
}

/** The reply to a request for a legacy completion. */
export function completionReply(body: Record<string, unknown>): Response {
  const text = `You said: ${word(body.prompt)}`
  const about = { id: 'cmpl-1', object: 'text_completion', created: 1_790_000_000, model: word(body.model) }
  const choice = (said: string, finish: string | null) => ({ index: 0, text: said, logprobs: null, finish_reason: finish })
  if (body.stream !== true) return Response.json({ ...about, choices: [choice(text, 'stop')], usage })
  const chunks = [...text.split(/(?<= )/).map((said) => choice(said, null)), choice('', 'stop')]
  const wantsUsage = items([body.stream_options])[0]?.include_usage === true
  const frames = chunks.map((c) => ({ ...about, choices: [c] })).concat(wantsUsage ? [{ ...about, choices: [], usage } as never] : [])
  const sse = `${frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`).join('')}data: [DONE]\n\n`
  return new Response(sse, { headers: { 'content-type': 'text/event-stream' } })
}

/** The reply to a request for a count, of Anthropic or Gemini; undefined for any other path. */
export function countReply(path: string, body: Record<string, unknown>): object | undefined {
  const tokens = Math.ceil(JSON.stringify(body).length / 4)
  if (path.endsWith('/messages/count_tokens')) return { input_tokens: tokens }
  return path.endsWith(':countTokens') ? { totalTokens: tokens } : undefined
}
