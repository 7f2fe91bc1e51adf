/**
 * One HTTP call whose answer is handed on as it comes: for what is asked of an upstream besides answers of models.
 *
 * Knows nothing of what the bytes mean. Its timers end with it, and a client that leaves ends it.
 */

import { afterReading } from '../plugin/after-reading.ts'
import type { UpstreamTimeouts } from './definition.ts'
import { wanted } from './headers.ts'
import type { HttpError, HttpRequest, HttpRequestOptions, Transport } from './http/transport.ts'

/** The call failed before its answer began. */
export class PlainCallFailed extends Error {
  override readonly name = 'PlainCallFailed'
  constructor(
    readonly late: boolean,
    message: string,
  ) {
    super(message)
  }
}

type Call = Pick<HttpRequestOptions, 'origin' | 'path' | 'method' | 'headers'>

/**
 * Makes a call without a body. The answer's headers are those that the gateway wants of an upstream.
 * @throws PlainCallFailed (rejects with it)
 */
export function relayPlain(transport: Transport, call: Call, timeouts: UpstreamTimeouts, signal: AbortSignal): Promise<Response> {
  return new Promise((resolve, reject) => {
    let body: ReadableStreamDefaultController<Uint8Array> | undefined
    let request: HttpRequest
    let timer: ReturnType<typeof setTimeout> | undefined
    const wait = (ms: number) => {
      clearTimeout(timer)
      timer = ms > 0 ? setTimeout(late, ms) : undefined
    }
    const late = () => {
      const armed = timer
      afterReading(() => {
        if (timer === armed) stop(new PlainCallFailed(true, 'The model provider did not answer in time.'))
      })
    }
    const over = () => {
      clearTimeout(timer)
      timer = undefined
      signal.removeEventListener('abort', leave)
    }
    const fail = (error: Error) => {
      over()
      if (body) body.error(error)
      else reject(error)
    }
    const stop = (error: Error) => {
      request.abort()
      fail(error)
    }
    const leave = () => stop(new PlainCallFailed(false, 'The client has gone.'))
    request = transport.request({
      ...call,
      body: [],
      connectTimeout: timeouts.connect,
      wants: wanted,
      handler: {
        head(status, headers) {
          wait(timeouts.idle)
          const stream = new ReadableStream<Uint8Array>({
            start(controller) {
              body = controller
            },
            pull: () => request.resume(),
            cancel() {
              over()
              request.abort()
            },
          })
          resolve(new Response(status === 204 ? null : stream, { status, headers }))
        },
        data(chunk) {
          wait(timeouts.idle)
          body?.enqueue(chunk)
          if ((body?.desiredSize ?? 1) <= 0) request.pause()
        },
        end() {
          over()
          body?.close()
        },
        error: ({ message }: HttpError) => fail(new PlainCallFailed(false, message)),
      },
    })
    wait(timeouts.firstByte)
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
  })
}
