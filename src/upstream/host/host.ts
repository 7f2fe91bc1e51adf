/**
 * The interface of a host: a service that serves somebody else's dialect under its own paths, credentials and framing.
 *
 *   body of the dialect ─prepare─▶ path, body, headers ─(attempt hooks)─▶ authorize ─▶ sent ─▶ reply ─adapt─▶ reply of the dialect
 *
 * Azure, Vertex and Bedrock stand behind it. A host edits JSON bodies by splices only, so that every byte it does not mean stays (F01, F02),
 * and never sees a client's credential (H01). Nothing here does I/O; `authorize` may wait for a token.
 */

import type { Operation } from '../../plugin/exchange.ts'
import type { Origin } from '../http/origin.ts'

/** One call as the dialect has it. */
export interface HostCall {
  /** What is asked of the upstream; `count_tokens` matters, the rest is told by the dialect. */
  readonly operation: Operation
  /** Name of the dialect that `body` is in: `anthropic-messages`, `openai-chat`, `openai-responses`, `gemini`, `bedrock-converse` … */
  readonly dialect: string
  /** The upstream's name of the model, not encoded. */
  readonly model: string
  readonly stream: boolean
  /** The headers that would be sent. Not changed here. */
  readonly headers: Headers
  readonly body: Uint8Array
}

/** A call as the host wants it. */
export interface PreparedCall {
  /** Path and query below the base URL, encoded as it goes on the wire. */
  readonly path: string
  readonly body: Uint8Array
  readonly headers?: HeaderEdit
  /** What the host does not know and was therefore left out, for disclosure: flags and JSON pointers. */
  readonly dropped?: readonly string[]
}

/** Changes of headers; names are lower-case. Removals come first. */
export interface HeaderEdit {
  readonly remove?: readonly string[]
  readonly set?: readonly (readonly [name: string, value: string])[]
}

/** A call as it will be sent, after the `attempt` hooks. */
export interface HostRequest {
  readonly method: string
  readonly origin: Origin
  /** The whole path and query on the request line, base path included. */
  readonly path: string
  readonly headers: Headers
  /** The final bytes. */
  readonly body: Uint8Array
  /** Milliseconds since the epoch. */
  readonly now: number
}

export interface UpstreamHost {
  readonly name: 'azure' | 'vertex' | 'bedrock'
  /** @throws HostError when the host can't do what is asked */
  prepare(call: HostCall): PreparedCall
  /**
   * Credential and signature of the final request.
   * @throws CredentialError (or rejects with it) when there is no credential to be had
   */
  authorize(request: HostRequest): HeaderEdit | Promise<HeaderEdit>
  /** How replies of this call become replies of the dialect; undefined when they are as they should be. */
  adapter?(call: HostCall): ReplyAdapter | undefined
}

/** Makes a host's reply one of the dialect. One per call. */
export interface ReplyAdapter {
  /** Names of headers that `head` reads besides those that the gateway wants anyway. */
  readonly reads: readonly string[]
  /** Sees the head first; may change the headers. */
  head(status: number, headers: Headers): AdaptedHead
}

export interface AdaptedHead {
  /** The status that the reply has for us. */
  readonly status: number
  /** Rewrites the body; undefined: it passes as it is. */
  readonly transcoder?: Transcoder | undefined
}

/** Bytes of a host to bytes of the dialect, in order. */
export interface Transcoder {
  /** @throws Error when the bytes are not what the host says they are; the call then fails with its message */
  push(chunk: Uint8Array): Uint8Array
  /** What is left when the body is complete. */
  end(): Uint8Array
}

/** The host can't do what is asked: told to the client as a 400. */
export class HostError extends Error {
  override readonly name = 'HostError'
}

/** The headers with the edit made; the given ones stay as they are. */
export function editHeaders(headers: Headers, { remove = [], set = [] }: HeaderEdit): Headers {
  const edited = new Headers(headers)
  for (const name of remove) edited.delete(name)
  for (const [name, value] of set) edited.set(name, value)
  return edited
}
