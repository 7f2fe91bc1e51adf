/**
 * The scripted model as one HTTP server that speaks all four dialects, like four providers.
 *
 * Keeps every request, and what was wrong with it: a proof that did not come back, a shape that the real provider refuses.
 */

import { readChat, streamChat, writeChat } from './chat.ts'
import { faultOfGemini, readGemini, streamGemini, writeGemini } from './gemini.ts'
import { faultOfMessages, readMessages, streamMessages, writeMessages } from './messages.ts'
import { completionReply, countReply, embeddingsReply } from './others.ts'
import { readResponses, streamResponses, writeResponses } from './responses.ts'
import { type Arguments, type Asked, answer, proof, type Said } from './script.ts'

export interface ModelRequest {
  readonly path: string
  readonly search: string
  readonly headers: Headers
  readonly body: Record<string, unknown>
  readonly asked: Asked
}

export interface ScriptedModel {
  readonly url: string
  readonly requests: ModelRequest[]
  /** What a provider would have complained of. Empty when all went well. */
  readonly problems: string[]
  /** Arguments that the next calls are to have, by tool. */
  args: Arguments
  /** Calls per turn. */
  parallel: number
  /** Arguments of one more call, where the script would answer; undefined = answer. By what was asked alone. */
  follow: ((asked: Asked) => Arguments | undefined) | undefined
  /** Awaited between two frames of a stream; lets a test hold it. */
  between: (() => Promise<void>) | undefined
  /** Answers instead of the script, while it is set: for errors. */
  instead: ((request: Request, body: Record<string, unknown>) => Response | undefined) | undefined
  /** False: the client is one that does not keep proofs, so that nothing is said of those that do not come back. */
  proofs: boolean
  /** Streams that their reader left before the end. */
  readonly left: number
  clear(): void
  stop(): Promise<void>
}

interface Speech {
  readonly asked: Asked
  readonly fault?: string | undefined
  /** The proof must come back with the calls. */
  readonly proves: boolean
  write(said: Said, id: string): object
  stream(said: Said, id: string): Generator<string>
  error(message: string): object
}

export function startModel(): ScriptedModel {
  let made = 0
  const fresh = () => ({
    args: {} as Arguments,
    parallel: 1,
    follow: undefined as ScriptedModel['follow'],
    between: undefined as ScriptedModel['between'],
    instead: undefined as ScriptedModel['instead'],
    proofs: true,
    left: 0,
  })
  const state = fresh()
  const requests: ModelRequest[] = []
  const problems: string[] = []

  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url)
      const body = (await request.json().catch(() => ({}))) as Record<string, unknown>
      const instead = state.instead?.(request, body)
      if (instead) return instead
      if (pathname.endsWith('/embeddings')) return Response.json(embeddingsReply(body))
      if (pathname.endsWith('/v1/completions')) return completionReply(body)
      const counted = countReply(pathname, body)
      if (counted) return Response.json(counted)
      const speech = speechOf(pathname, body)
      if (!speech)
        return Response.json({ error: { message: `nothing at ${pathname}`, type: 'not_found', code: 'no_endpoint' } }, { status: 404 })
      const { asked } = speech
      requests.push({ path: pathname, search, headers: request.headers, body, asked })
      if (asked.calls.length > 0 && speech.proves && state.proofs && !asked.proofs.includes(proof))
        problems.push(`${pathname}: the proof did not come back, but ${JSON.stringify(asked.proofs)}`)
      if (speech.fault !== undefined) {
        problems.push(`${pathname}: ${speech.fault}`)
        return Response.json(speech.error(speech.fault), { status: 400 })
      }
      const more = asked.results.length > 0 ? state.follow?.(asked) : undefined
      const said = more ? answer({ ...asked, results: [] }, more) : answer(asked, state.args, state.parallel)
      const id = `s${++made}`
      if (!asked.stream) return Response.json(speech.write(said, id))
      const frames = speech.stream(said, id)
      const stream = new ReadableStream<Uint8Array>({
        async pull(controller) {
          await state.between?.()
          const next = frames.next()
          if (next.done) controller.close()
          else controller.enqueue(new TextEncoder().encode(next.value))
        },
        cancel() {
          state.left++
        },
      })
      return new Response(stream, { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  return Object.assign(state, {
    url: `http://127.0.0.1:${server.port}`,
    requests,
    problems,
    clear() {
      requests.length = 0
      problems.length = 0
      Object.assign(state, fresh())
    },
    stop: () => server.stop(true),
  })
}

function speechOf(path: string, body: Record<string, unknown>): Speech | undefined {
  if (path.endsWith('/chat/completions')) {
    const asked = readChat(body)
    return {
      asked,
      proves: false,
      fault: Array.isArray(body.tools) && body.tools.length === 0 ? "'tools' must not be empty" : undefined,
      write: (said, id) => writeChat(asked.model, said, id),
      stream: (said, id) => streamChat(asked.model, said, id, body),
      error: (message) => ({ error: { message, type: 'invalid_request_error', param: null, code: null } }),
    }
  }
  if (path.endsWith('/responses')) {
    const asked = readResponses(body)
    return {
      asked,
      proves: true,
      write: (said, id) => writeResponses(asked.model, said, id, body),
      stream: (said, id) => streamResponses(asked.model, said, id, body),
      error: (message) => ({ error: { message, type: 'invalid_request_error', param: null, code: null } }),
    }
  }
  if (path.endsWith('/v1/messages')) {
    const asked = readMessages(body)
    return {
      asked,
      proves: true,
      fault: faultOfMessages(body),
      write: (said, id) => writeMessages(asked.model, said, id),
      stream: (said, id) => streamMessages(asked.model, said, id),
      error: (message) => ({ type: 'error', error: { type: 'invalid_request_error', message } }),
    }
  }
  const gemini = /\/models\/([^:]+):(generateContent|streamGenerateContent)$/.exec(path)
  if (!gemini) return undefined
  const asked = readGemini(body, gemini[1]!, gemini[2] === 'streamGenerateContent')
  return {
    asked,
    proves: true,
    fault: faultOfGemini(body),
    write: (said, id) => writeGemini(asked.model, said, id),
    stream: (said, id) => streamGemini(asked.model, said, id),
    error: (message) => ({ error: { code: 400, message, status: 'INVALID_ARGUMENT' } }),
  }
}
