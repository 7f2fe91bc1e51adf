/**
 * What credentials are looked for in: environment, files and token endpoints.
 *
 * One interface, so that tests can stand in for a machine. Calls to token endpoints have limits of time and size, follow no redirect, and
 * hold no connection afterwards. Addresses that mean "this machine's host" never go through a proxy.
 */

import { readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { createHttpClient } from '../http/client.ts'
import { parseUrl } from '../http/origin.ts'
import { createTransport } from '../http/select.ts'
import type { Transport } from '../http/transport.ts'
import { CredentialError } from './source.ts'

export type Env = Readonly<Record<string, string | undefined>>

export interface Surroundings {
  readonly env: Env
  /** Milliseconds since the epoch. */
  now(): number
  /** The home directory. */
  readonly home: string
  /** A small text file. @throws CredentialError when it can't be read */
  readText(path: string): Promise<string>
  /** @throws CredentialError when no answer comes */
  ask(request: TokenRequest): Promise<TokenReply>
}

export interface TokenRequest {
  readonly url: string
  readonly method?: 'GET' | 'POST' | 'PUT'
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: string | Uint8Array
  /** Milliseconds for all of it; 10 s when absent. */
  readonly timeout?: number
  /** Never through a proxy: the metadata services of a machine. */
  readonly direct?: boolean
}

export interface TokenReply {
  readonly status: number
  readonly text: string
}

const maxReply = 256 * 1024
const maxFile = 1024 * 1024

/** This process's own. */
export function surroundings(env: Env = process.env, now: () => number = Date.now): Surroundings {
  return {
    env,
    now,
    home: env.HOME ?? homedir(),
    readText,
    ask: (request) => ask(request, request.direct ? createHttpClient() : createTransport({}, env)),
  }
}

async function readText(path: string): Promise<string> {
  try {
    const { size } = await stat(path)
    if (size > maxFile) throw new Error('it is too large')
    return await readFile(path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new CredentialError(`The credential file ${path} can't be read (${reason}).`)
  }
}

function ask({ url, method = 'GET', headers = [], body, timeout = 10_000 }: TokenRequest, transport: Transport): Promise<TokenReply> {
  const { promise, resolve, reject } = Promise.withResolvers<TokenReply>()
  const { origin, path } = parseUrl(url)
  const failed = (why: string) => reject(new CredentialError(`${origin.key} gave no credential: ${why}.`))
  const chunks: Uint8Array[] = []
  let size = 0
  let status = 0
  const request = transport.request({
    origin,
    path,
    method,
    headers,
    body: body === undefined ? [] : [typeof body === 'string' ? Buffer.from(body) : body],
    connectTimeout: timeout,
    handler: {
      head(given) {
        status = given
      },
      data(chunk) {
        size += chunk.length
        if (size > maxReply) throw new Error('it sent too much')
        chunks.push(chunk)
      },
      end: () => resolve({ status, text: Buffer.concat(chunks).toString() }),
      error: ({ message }) => failed(message),
    },
  })
  const timer = setTimeout(() => {
    request.abort()
    failed(`no answer in ${timeout} ms`)
  }, timeout)
  return promise.finally(() => {
    clearTimeout(timer)
    transport.close()
  })
}
