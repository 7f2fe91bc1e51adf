import { describe, expect, test } from 'bun:test'
import { parseUrl } from './http/origin.ts'
import type { HttpHandler, HttpRequestOptions, Transport } from './http/transport.ts'
import { type PartHeaders, splitTransport } from './split-transport.ts'

interface Sent {
  readonly body: string
  readonly headers: unknown
  readonly handler: HttpHandler
  aborted: boolean
}

/** A request in `n` parts over a transport that answers when the test says so. */
function split(n: number, headersOf?: PartHeaders) {
  const sent: Sent[] = []
  const transport: Transport = {
    request({ body, handler, headers }: HttpRequestOptions) {
      const one: Sent = { body: Buffer.concat(body).toString(), headers, handler, aborted: false }
      sent.push(one)
      return {
        pause() {},
        resume() {},
        abort() {
          one.aborted = true
        },
      }
    },
    stats: () => ({ open: 0, idle: 0 }),
    close() {},
  }
  const told: string[] = []
  const handler: HttpHandler = {
    head: (status) => told.push(`head ${status}`),
    data: (chunk) => told.push(Buffer.from(chunk).toString()),
    end: (delimited) => told.push(`end ${delimited}`),
    error: ({ kind, message }) => told.push(`error ${kind} ${message}`),
  }
  const bodies = Array.from({ length: n }, (_, i) => Buffer.from(`b${i}`))
  const { origin, path } = parseUrl('http://127.0.0.1:9/x')
  const headers = new Headers()
  const request = splitTransport(transport, bodies, headersOf).request({
    origin,
    path,
    method: 'POST',
    headers,
    body: [],
    connectTimeout: 0,
    handler,
  })
  const answer = (i: number, text = `r${i}`, status = 200) => {
    const { handler } = sent[i]!
    handler.head(status, new Headers())
    handler.data(Buffer.from(text))
    handler.end(true)
  }
  return { sent, told, request, answer }
}
const turn = () => new Promise<void>((resolve) => queueMicrotask(resolve))

describe('a request in several calls', () => {
  test('replies are told in the order of the bodies, when all are there', async () => {
    const { answer, sent, told } = split(3)
    expect(sent).toHaveLength(0) // not before the request has returned
    await turn()
    expect(sent.map(({ body }) => body)).toEqual(['b0', 'b1', 'b2'])
    for (const i of [2, 0]) answer(i)
    expect(told).toEqual([])
    answer(1)
    expect([told[0], told.slice(1, -1).join(''), told.at(-1)]).toEqual(['head 200', '[r0,r1,r2]', 'end true'])
  })

  test('a few run at a time', async () => {
    const { answer, sent, told } = split(20)
    await turn()
    for (let i = 0; i < 20; i++) {
      expect(sent).toHaveLength(Math.min(20, 8 + i))
      answer(i)
    }
    expect(told.at(-1)).toBe('end true')
  })

  test('the first failure is the answer, and ends the others', async () => {
    const { answer, sent, told } = split(9)
    await turn()
    answer(0)
    answer(3, 'no', 429)
    expect(told).toEqual(['head 429', 'no', 'end true'])
    expect(sent.map(({ aborted }) => aborted)).toEqual([false, true, true, false, true, true, true, true, true])
    answer(5)
    sent[6]!.handler.error({ kind: 'reset', message: 'late', sent: true, answered: false })
    expect(told).toHaveLength(3)
  })

  test('a connection that fails fails the request, once', async () => {
    const { sent, told } = split(2)
    await turn()
    for (const { handler } of sent) handler.error({ kind: 'reset', message: 'gone', sent: true, answered: false })
    expect(told).toEqual(['error reset gone'])
    expect(sent[1]!.aborted).toBe(true)
  })

  test('an aborted request ends all calls, and nothing is told', async () => {
    const { answer, request, sent, told } = split(9)
    await turn()
    request.abort()
    expect(sent.every(({ aborted }) => aborted)).toBe(true)
    answer(0)
    expect([told.length, sent.length]).toEqual([0, 8])
    const early = split(2)
    early.request.abort()
    await turn()
    expect(early.sent).toHaveLength(0)
  })

  test('each call has headers of its own; one that can not be made fails the request', async () => {
    const signed = split(2, (body) => Promise.resolve(new Headers({ authorization: Buffer.from(body).toString() })))
    await turn()
    await Bun.sleep(0)
    expect(signed.sent.map(({ headers }) => (headers as Headers).get('authorization'))).toEqual(['b0', 'b1'])
    const broken = split(2, () => Promise.reject(new Error('no key')))
    await Bun.sleep(0)
    expect([broken.told, broken.sent.length]).toEqual([['error closed no key'], 0])
  })
})
