/**
 * A transport for calls to a host whose replies are not those of the dialect: each reply passes through the host's adapter.
 *
 * The call above it sees a reply of the dialect and nothing of the host. Owns no connection; pausing and aborting go straight through.
 */

import type { HttpError, HttpHandler, HttpRequestOptions, Transport } from '../http/transport.ts'
import type { ReplyAdapter, Transcoder } from './host.ts'

/** @param adapter that of one call: the transport is for that call only */
export function adaptedTransport(transport: Transport, adapter: ReplyAdapter): Transport {
  return {
    ...transport,
    request(options: HttpRequestOptions) {
      const { wants } = options
      return transport.request({
        ...options,
        ...(wants && { wants: (name: string) => wants(name) || adapter.reads.includes(name) }),
        handler: adaptedHandler(options.handler, adapter),
      })
    },
  }
}

function adaptedHandler(handler: HttpHandler, adapter: ReplyAdapter): HttpHandler {
  let transcoder: Transcoder | undefined
  /** Why the bytes could not be read; the transport fails the request with it. */
  let broken: string | undefined
  /** @throws what the transcoder throws */
  const pass = (make: () => Uint8Array): void => {
    let bytes: Uint8Array
    try {
      bytes = make()
    } catch (error) {
      broken = error instanceof Error ? error.message : String(error)
      throw error
    }
    if (bytes.length > 0) handler.data(bytes)
  }
  return {
    head(status, headers) {
      const adapted = adapter.head(status, headers)
      transcoder = adapted.transcoder
      handler.head(adapted.status, headers)
    },
    data(chunk) {
      if (transcoder === undefined) handler.data(chunk)
      else pass(() => transcoder!.push(chunk))
    },
    end(delimited) {
      try {
        if (transcoder !== undefined) pass(() => transcoder!.end())
      } catch (error) {
        if (broken === undefined) throw error
        handler.error({ kind: 'protocol', message: broken, sent: true, answered: true }) // the transport has nobody left to tell
        return
      }
      handler.end(delimited)
    },
    error(error: HttpError) {
      handler.error(broken === undefined ? error : { ...error, kind: 'protocol', message: broken })
    },
  }
}
