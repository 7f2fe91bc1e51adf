/**
 * The demo's legacy Completions: a prompt in, text out; no tools, no roles.
 *
 * Owns the wire shapes of this dialect inside the demo and nothing else; errors are those of Chat.
 */

import { type Answer, estimateTokens, type Question, words } from './answer.ts'
import { chat } from './chat.ts'
import { type DemoDialect, type Frame, invalid, type Mistake, newId } from './dialect.ts'
import { count, type Fields, fields } from './fields.ts'

export const completions: DemoDialect = {
  paths: ['/v1/completions'],
  read,
  whole: (answer) => ({ ...head(), choices: [choice(answer.text, answer.stop)], usage: usage(answer) }),
  frames,
  error: chat.error,
}

function read(body: Fields): Question | Mistake {
  const given = body.prompt
  const prompt = Array.isArray(given) && given.length === 1 ? given[0] : given
  if (typeof prompt !== 'string') return invalid('`prompt` must be one text.', 'prompt')
  if (body.n !== undefined && body.n !== null && body.n !== 1) return invalid('The demo model gives one choice: leave `n` out.', 'n')
  const limit = count(body.max_tokens)
  return {
    stream: body.stream === true,
    said: prompt,
    tools: [],
    choice: 'none',
    ...(limit === undefined ? {} : { limit }),
    inputTokens: estimateTokens(prompt),
  }
}

const head = () => ({ id: newId('cmpl-'), object: 'text_completion', created: Math.floor(Date.now() / 1000), model: 'demo' })

function choice(text: string, stop: Answer['stop'] | undefined): Fields {
  const reason = stop === undefined ? null : stop === 'length' ? 'length' : 'stop'
  return { text, index: 0, logprobs: null, finish_reason: reason }
}

function usage({ inputTokens, outputTokens }: Answer): Fields {
  return { prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: inputTokens + outputTokens }
}

function* frames(answer: Answer, body: Fields): Generator<Frame> {
  const withUsage = fields(body.stream_options).include_usage === true
  const same = head()
  const chunk = (pause: Frame['pause'], choices: readonly Fields[], used: Fields | null = null): Frame => ({
    pause,
    text: `data: ${JSON.stringify({ ...same, choices, ...(withUsage ? { usage: used } : {}) })}\n\n`,
  })
  for (const [i, piece] of words(answer.text).entries()) yield chunk(i === 0 ? 'first' : 'word', [choice(piece, undefined)])
  yield chunk('none', [choice('', answer.stop)])
  if (withUsage) yield chunk('none', [], usage(answer))
  yield { text: 'data: [DONE]\n\n', pause: 'none' }
}
