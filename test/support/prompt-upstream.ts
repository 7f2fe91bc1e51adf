/** A provider of all dialects that keeps what it was sent, and answers each with the same words: for tests of what becomes of prompts. */

export interface PromptUpstream {
  readonly url: string
  /** Bodies as they arrived, in order. */
  readonly bodies: string[]
  stop(): Promise<void>
}

const text = 'Done.'

/** Upstreams of a config that all lie here, by dialect: `chat`, `responses`, `messages`, `gemini`. */
export function promptUpstreams(url: string): Readonly<Record<string, object>> {
  return {
    chat: { dialect: 'openai', base_url: `${url}/v1`, key: 'k', apis: ['chat'] },
    responses: { dialect: 'openai', base_url: `${url}/v1`, key: 'k', apis: ['responses'] },
    messages: { dialect: 'anthropic', base_url: url, key: 'k' },
    gemini: { dialect: 'gemini', base_url: `${url}/v1beta`, key: 'k' },
  }
}

export function promptUpstream(): PromptUpstream {
  const bodies: string[] = []
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      bodies.push(await request.text())
      return Response.json(answerTo(new URL(request.url).pathname))
    },
  })
  return { url: server.url.origin, bodies, stop: () => server.stop(true) }
}

function answerTo(path: string): object {
  if (path.endsWith('/count_tokens')) return { input_tokens: 1234 }
  if (path.endsWith('/messages')) {
    const usage = { input_tokens: 100, cache_read_input_tokens: 1000, cache_creation_input_tokens: 50, output_tokens: 2 }
    return {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'm',
      content: [{ type: 'text', text }],
      stop_reason: 'end_turn',
      usage,
    }
  }
  if (path.endsWith('/responses')) {
    const content = [{ type: 'output_text', text, annotations: [] }]
    const usage = { input_tokens: 1150, input_tokens_details: { cached_tokens: 1000 }, output_tokens: 2, total_tokens: 1152 }
    const output = [{ type: 'message', id: 'msg_1', status: 'completed', role: 'assistant', content }]
    return { id: 'resp_1', object: 'response', created_at: 1, status: 'completed', model: 'm', output, usage }
  }
  if (path.includes(':generateContent')) {
    const usageMetadata = { promptTokenCount: 1150, cachedContentTokenCount: 1000, candidatesTokenCount: 2, totalTokenCount: 1152 }
    return {
      candidates: [{ index: 0, content: { role: 'model', parts: [{ text }] }, finishReason: 'STOP' }],
      usageMetadata,
      modelVersion: 'm',
    }
  }
  const usage = { prompt_tokens: 1150, completion_tokens: 2, total_tokens: 1152, prompt_tokens_details: { cached_tokens: 1000 } }
  const choices = [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }]
  return { id: 'c_1', object: 'chat.completion', created: 1, model: 'm', choices, usage }
}
