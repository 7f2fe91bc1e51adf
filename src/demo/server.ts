/**
 * The demo upstream: a real HTTP server in this process that answers like a model provider, in every dialect it knows.
 *
 * Owns routing, errors in the caller's dialect and the set of open streams. It is an upstream like any other: the gateway
 * reaches it over a socket and gets no short cut. It checks no key, keeps nothing and calls nobody.
 */

import { answer } from './answer.ts'
import { chat } from './chat.ts'
import { completions } from './completions.ts'
import { type DemoDialect, invalid, isMistake, type Mistake } from './dialect.ts'
import { embeddings } from './embeddings.ts'
import { type Fields, isFields } from './fields.ts'
import { gemini } from './gemini.ts'
import { messages } from './messages.ts'
import { modelEntry, modelList } from './models.ts'
import { type Pace, type PacedStream, pacedStream } from './paced-stream.ts'
import { responses } from './responses.ts'

export interface DemoOptions {
  /** Port on 127.0.0.1; 0 or absent picks a free one. */
  readonly port?: number
  /** How fast it speaks; 0 = as fast as the client reads. */
  readonly pace?: Pace | 0
}

export interface Demo {
  /** `http://127.0.0.1:<port>`, without a path: add `/v1` for OpenAI-speaking clients. */
  readonly url: string
  /** Streams being sent right now. */
  openStreams(): number
  /** Cuts open streams, closes the listener. */
  stop(): Promise<void>
}

/** The one model that it serves. */
export const demoModel = 'demo'

const dialects: readonly DemoDialect[] = [chat, responses, completions, embeddings, messages, gemini]
const humanPace: Pace = { firstTokenMs: 150, tokenMs: 15 }
const noPace: Pace = { firstTokenMs: 0, tokenMs: 0 }

/**
 * Starts the demo upstream.
 * @throws Error (EADDRINUSE) when the port is taken.
 */
export function startDemo(options: DemoOptions = {}): Demo {
  const pace = options.pace === 0 ? noPace : (options.pace ?? humanPace)
  const byPath = new Map(dialects.flatMap((dialect) => dialect.paths.map((path) => [path, dialect] as const)))
  const open = new Set<PacedStream>()

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: options.port ?? 0,
    idleTimeout: 60,
    async fetch(request, self) {
      const path = new URL(request.url).pathname
      const dialect = byPath.get(path) ?? dialects.find((d) => d.named?.(path))
      if (dialect === undefined) return otherPath(request, path)
      if (request.method !== 'POST') return refuse(dialect, wrongMethod(path, 'POST'), { allow: 'POST' })
      const sent = await readBody(request)
      if (!isFields(sent)) return refuse(dialect, invalid('The body is not a JSON object.'))
      const body = { ...sent, ...dialect.named?.(path) }
      const wrong = wrongModel(body)
      if (wrong !== undefined) return refuse(dialect, wrong)
      const direct = dialect.direct?.(path, body)
      if (direct !== undefined) return isMistake(direct) ? refuse(dialect, direct) : Response.json(direct)
      const question = dialect.read!(body)
      if (isMistake(question)) return refuse(dialect, question)
      const counted = dialect.count?.(path, question)
      if (counted !== undefined) return Response.json(counted)
      const said = answer(question)
      if (!question.stream) return Response.json(dialect.whole!(said, body))
      self.timeout(request, 0)
      const stream = pacedStream(dialect.frames!(said, body), pace, () => open.delete(stream))
      open.add(stream)
      return new Response(stream.body, { headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' } })
    },
  })

  return {
    url: `http://127.0.0.1:${server.port}`,
    openStreams: () => open.size,
    async stop() {
      for (const stream of [...open]) stream.stop()
      await server.stop(true)
    },
  }
}

/** The body as JSON; undefined when it is none. */
async function readBody(request: Request): Promise<unknown> {
  try {
    return await request.json()
  } catch {
    return undefined
  }
}

function wrongModel(body: Fields): Mistake | undefined {
  const model = body.model
  if (typeof model !== 'string') return invalid('`model` must be a string.', 'model')
  if (model === demoModel) return undefined
  return { status: 404, kind: 'not_found', message: `The model ${JSON.stringify(model)} does not exist here; the only one is "demo".` }
}

function wrongMethod(path: string, allowed: string): Mistake {
  return { status: 405, kind: 'method', message: `${path} answers ${allowed} only.` }
}

function otherPath(request: Request, path: string): Response {
  const anthropic = request.headers.has('anthropic-version')
  const dialect = anthropic || path.startsWith('/v1/messages') ? messages : path.startsWith('/v1beta') ? gemini : chat
  const listed = path === '/v1/models' || path === `/v1/models/${demoModel}`
  if (!listed) return refuse(dialect, { status: 404, kind: 'not_found', message: `There is nothing at ${path}.` })
  if (request.method !== 'GET') return refuse(dialect, wrongMethod(path, 'GET'), { allow: 'GET' })
  return Response.json(path === '/v1/models' ? modelList(anthropic) : modelEntry(anthropic))
}

function refuse(dialect: DemoDialect, mistake: Mistake, headers: Record<string, string> = {}): Response {
  return Response.json(dialect.error(mistake), { status: mistake.status, headers })
}
