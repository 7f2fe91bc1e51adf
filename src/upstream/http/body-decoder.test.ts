import { describe, expect, test } from 'bun:test'
import { brotliCompressSync, constants, createGzip, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { httpCall } from '../../../test/support/http-call.ts'
import { rawServer, send } from '../../../test/support/raw-server.ts'
import { createHttpClient } from './client.ts'

const text = 'data: {"delta":"encoded although nobody asked"}\n\n'.repeat(500)

function encoded(coding: string, body: Uint8Array, type = 'text/event-stream'): Buffer {
  const head = `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-encoding: ${coding}\r\ncontent-length: ${body.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), body])
}

describe('an encoded answer is decoded, and its headers say so (A07)', () => {
  const codings: [coding: string, body: Uint8Array][] = [
    ['gzip', gzipSync(text)],
    ['GZIP', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['br', brotliCompressSync(text)],
    ['zstd', zstdCompressSync(text)],
  ]
  for (const [coding, body] of codings) {
    test(`${coding} of ${body.length} bytes`, async () => {
      using server = rawServer(({ socket }) => send(socket, encoded(coding, body)))
      const client = createHttpClient()
      const call = await httpCall(client, server.url).over
      expect(call.error).toBeUndefined()
      expect(call.text()).toBe(text)
      expect([...call.headers]).toEqual([['content-type', 'text/event-stream']])
      expect([call.delimited, client.stats().idle]).toEqual([true, 1])
    })

    if (coding === 'zstd') continue // Bun's zstd decoder does not report a cut
    test(`${coding} of ${body.length} bytes, cut short but delimited: an error (B01)`, async () => {
      using server = rawServer(({ socket }) => send(socket, encoded(coding, body.subarray(0, body.length - 12))))
      const call = await httpCall(createHttpClient(), server.url).over
      expect(call.error).toMatchObject({ kind: 'protocol', answered: true })
      expect(call.calls.filter((name) => name === 'error' || name === 'end')).toEqual(['error'])
    })
  }

  test('identity is no coding', async () => {
    using server = rawServer(({ socket }) => send(socket, encoded('identity', Buffer.from('plain'))))
    expect((await httpCall(createHttpClient(), server.url).over).text()).toBe('plain')
  })

  test('an empty body needs no decoding', async () => {
    using server = rawServer(({ socket }) =>
      send(socket, 'HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'),
    )
    expect((await httpCall(createHttpClient(), server.url).over).calls).toEqual(['head', 'end'])
  })

  test('an unknown or doubled coding, and garbage: an error', async () => {
    for (const coding of ['compress', 'gzip, br', 'toString']) {
      using server = rawServer(({ socket }) => send(socket, encoded(coding, gzipSync(text))))
      const call = await httpCall(createHttpClient(), server.url).over
      expect(call.calls).toEqual(['error'])
      expect(call.error?.kind).toBe('protocol')
    }
    using server = rawServer(({ socket }) => send(socket, encoded('gzip', Buffer.from('not gzip at all'))))
    expect((await httpCall(createHttpClient(), server.url).over).error?.kind).toBe('protocol')
  })

  test('a compressed stream is not held back: each flushed frame comes when it was sent', async () => {
    const zip = createGzip({ flush: constants.Z_SYNC_FLUSH })
    using server = rawServer(({ socket }) => {
      send(socket, 'HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n')
      zip.on('data', (bytes: Buffer) =>
        send(socket, Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])),
      )
      zip.on('end', () => send(socket, '0\r\n\r\n'))
      zip.write('one;')
    })
    const next: string[] = ['two;', 'three;']
    const call = httpCall(createHttpClient(), server.url, {
      on(event, self) {
        if (event !== 'data' || !/;$/.test(self.text())) return
        const frame = next.shift()
        if (frame === undefined) zip.end()
        else zip.write(frame)
      },
    })
    await call.over
    expect([call.text(), call.calls]).toEqual(['one;two;three;', ['head', 'data', 'data', 'data', 'end']])
  })
})

test('a bomb is decoded only as fast as it is taken', async () => {
  const size = 200_000_000
  const bomb = gzipSync(Buffer.alloc(size))
  using server = rawServer(({ socket }) => send(socket, encoded('gzip', bomb)))
  const call = httpCall(createHttpClient(), server.url, {
    discard: true,
    on: (event, self) => event === 'data' && self.bytes < 1_000_000 && self.request.pause(),
  })
  await call.headed
  await Bun.sleep(50)
  const held = call.bytes
  expect(held).toBeLessThan(2_000_000)
  await Bun.sleep(50)
  expect(call.bytes).toBe(held)
  call.request.abort()
})
