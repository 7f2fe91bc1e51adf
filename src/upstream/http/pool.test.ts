import { describe, expect, spyOn, test } from 'bun:test'
import { httpCall } from '../../../test/support/http-call.ts'
import { answer, rawServer, send } from '../../../test/support/raw-server.ts'
import { createHttpClient } from './client.ts'

describe('keep-alive', () => {
  test('one connection serves one after the other, many serve many', async () => {
    using server = rawServer(({ socket }) => send(socket, answer('x')))
    const client = createHttpClient()
    for (let count = 0; count < 20; count += 1) await httpCall(client, server.url).over
    expect([server.connections, server.requests]).toEqual([1, 20])
    await Promise.all(Array.from({ length: 10 }, () => httpCall(client, server.url).over))
    expect(client.stats()).toEqual({ open: 10, idle: 10 })
    client.close()
    expect(client.stats()).toEqual({ open: 0, idle: 0 })
    await server.allClosed()
  })

  test('not after close, a close-delimited body, bytes too many or a promise of under a second', async () => {
    const texts = [
      answer('x', 'connection: close\r\n'),
      `${answer('x')}HTTP/1.1 200 OK\r\n`,
      answer('x', 'keep-alive: timeout=1\r\n'),
      'HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx',
    ]
    for (const text of texts) {
      using server = rawServer(({ socket }) => send(socket, text))
      const client = createHttpClient()
      expect((await httpCall(client, server.url).over).text()).toBe('x')
      expect(client.stats()).toEqual({ open: 0, idle: 0 })
      await server.allClosed()
    }
  })

  test('an idle connection that closes or says something is gone', async () => {
    for (const misbehave of [(socket: { end(): void }) => socket.end(), (socket: Parameters<typeof send>[0]) => send(socket, 'surprise')]) {
      using server = rawServer(({ socket }) => {
        send(socket, answer('x'))
        setTimeout(() => misbehave(socket), 10)
      })
      const client = createHttpClient()
      await httpCall(client, server.url).over
      expect(client.stats().idle).toBe(1)
      await server.allClosed()
      while (client.stats().open > 0) await Bun.sleep(1)
      expect(client.stats().idle).toBe(0)
    }
  })

  test('a pooled connection that turns out dead: sent once more on a fresh one (A17)', async () => {
    for (const death of ['end', 'terminate'] as const) {
      using server = rawServer(({ socket, index, text }) => {
        if (index === 1) socket[death]()
        else send(socket, answer(text.slice(-4)))
      })
      const client = createHttpClient()
      await httpCall(client, server.url, { body: [Buffer.from('one.')] }).over
      const call = await httpCall(client, server.url, { body: [Buffer.from('two.')] }).over
      expect(call.calls).toEqual(['head', 'data', 'end'])
      expect(call.text()).toBe('two.')
      expect([server.connections, server.requests]).toEqual([2, 3])
      expect(client.stats()).toEqual({ open: 1, idle: 1 })
    }
  })

  test('no second sending on a fresh connection, after a byte of the answer, or twice (A17)', async () => {
    using fresh = rawServer(({ socket }) => socket.end())
    expect((await httpCall(createHttpClient(), fresh.url).over).error).toMatchObject({ kind: 'reset', sent: true, answered: false })
    expect(fresh.requests).toBe(1)

    using begun = rawServer(({ socket, index }) => {
      send(socket, index === 0 ? answer('x') : 'H')
      if (index > 0) setTimeout(() => socket.terminate(), 5)
    })
    const client = createHttpClient()
    await httpCall(client, begun.url).over
    expect((await httpCall(client, begun.url).over).error).toMatchObject({ kind: 'reset', answered: true })
    expect(begun.requests).toBe(2)

    using always = rawServer(({ socket, index }) => (index === 0 ? send(socket, answer('x')) : socket.end()))
    await httpCall(client, always.url).over
    expect((await httpCall(client, always.url).over).error).toMatchObject({ kind: 'reset', sent: true, answered: false })
    expect(always.requests).toBe(3)
  })

  test('no second sending when the server may have worked on it: it died later than a second (A17)', async () => {
    let now = 1000
    const clock = spyOn(performance, 'now').mockImplementation(() => now)
    try {
      using server = rawServer(({ socket, index }) => {
        if (index === 0) return send(socket, answer('x'))
        now += 1500
        socket.terminate()
      })
      const client = createHttpClient()
      await httpCall(client, server.url).over
      expect((await httpCall(client, server.url).over).error).toMatchObject({ kind: 'reset', sent: true, answered: false })
      expect(server.requests).toBe(2)
    } finally {
      clock.mockRestore()
    }
  })

  test('idle time is limited by us and by the server; counts are bounded', async () => {
    let now = 1000
    const clock = spyOn(performance, 'now').mockImplementation(() => now)
    try {
      using server = rawServer(({ socket }) => send(socket, answer('x', 'keep-alive: timeout=5\r\n')))
      const client = createHttpClient({ perOrigin: 2 })
      await httpCall(client, server.url).over
      now += 3999
      await httpCall(client, server.url).over
      expect(server.connections).toBe(1)
      now += 4001
      await httpCall(client, server.url).over
      expect(server.connections).toBe(2)
      await Promise.all(Array.from({ length: 5 }, () => httpCall(client, server.url).over))
      expect(client.stats()).toEqual({ open: 2, idle: 2 })
    } finally {
      clock.mockRestore()
    }
  })
})

test('the sweep closes what has been idle too long; the oldest origin makes room for a new one', async () => {
  using one = rawServer(({ socket }) => send(socket, answer('x')))
  using two = rawServer(({ socket }) => send(socket, answer('x')))
  const client = createHttpClient({ idleTimeout: 40, origins: 1 })
  await Promise.all([httpCall(client, one.url).over, httpCall(client, one.url).over])
  expect(client.stats().idle).toBe(2)
  await httpCall(client, two.url).over
  expect(client.stats()).toEqual({ open: 1, idle: 1 })
  await one.allClosed()
  await two.allClosed()
  expect(client.stats()).toEqual({ open: 0, idle: 0 })
})
