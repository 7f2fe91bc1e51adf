/** A provider in the dialect of OpenAI's chat that says the same to everybody, when a test lets it. */

export type PlainProvider = ReturnType<typeof startPlainProvider>

/** A provider that answers after `before()` with ten tokens, whole or as a stream in which it pauses for `between()`. */
export function startPlainProvider() {
  const state = { calls: 0, before: async () => {}, between: async () => {} }
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    async fetch(request) {
      state.calls++
      const { stream } = (await request.json()) as { stream?: boolean }
      await state.before()
      const usage = { prompt_tokens: 5, completion_tokens: 10, total_tokens: 15 }
      const choice = (more: object) => [{ index: 0, finish_reason: null, ...more }]
      if (!stream) {
        const choices = choice({ message: { role: 'assistant', content: 'one two three' }, finish_reason: 'stop' })
        return Response.json({ id: 'c', object: 'chat.completion', created: 1, model: 'known', choices, usage })
      }
      const frame = (more: object) =>
        `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'known', ...more })}\n\n`
      const body = async function* () {
        yield frame({ choices: choice({ delta: { role: 'assistant', content: 'one two' } }) })
        await state.between()
        yield frame({ choices: choice({ delta: { content: ' three' } }) })
        yield frame({ choices: choice({ delta: {}, finish_reason: 'stop' }) })
        yield frame({ choices: [], usage })
        yield 'data: [DONE]\n\n'
      }
      return new Response(body() as unknown as ReadableStream, { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  return { state, url: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) }
}
