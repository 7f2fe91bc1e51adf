/** A real HTTP server in the place of token and metadata endpoints, and surroundings that lead to it. */

import { type Env, type Surroundings, surroundings } from './surroundings.ts'

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: Headers
  readonly text: string
  readonly form: URLSearchParams
}

export interface TokenServer {
  readonly url: string
  /** `127.0.0.1:<port>` */
  readonly host: string
  /** Requests in order of arrival. */
  readonly asked: Asked[]
  stop(): Promise<void>
}

/** Starts one. The answer of `answer` is sent; an object as JSON with status 200. */
export function startTokenServer(answer: (asked: Asked) => Response | object | Promise<Response | object>): TokenServer {
  const asked: Asked[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const text = await request.text()
      const { pathname, search } = new URL(request.url)
      const one: Asked = {
        method: request.method,
        path: pathname + search,
        headers: request.headers,
        text,
        form: new URLSearchParams(text),
      }
      asked.push(one)
      const reply = await answer(one)
      return reply instanceof Response ? reply : Response.json(reply)
    },
  })
  return { url: `http://127.0.0.1:${server.port}`, host: `127.0.0.1:${server.port}`, asked, stop: () => server.stop(true) }
}

/** Surroundings without this machine's environment and home; files by path. */
export function bareSurroundings(env: Env, files: Readonly<Record<string, string>> = {}, now: () => number = Date.now): Surroundings {
  const real = surroundings({ HOME: '/nowhere', ...env }, now)
  return {
    ...real,
    readText: (path) => (files[path] === undefined ? real.readText(path) : Promise.resolve(files[path])),
  }
}
