import { afterEach, describe, expect, test } from 'bun:test'
import { type RawServer, rawServer } from '../../../test/support/raw-server.ts'
import { arrived, handOverAll, type Receiver } from './arrivals.ts'
import { Connection, type ConnectionUser } from './connection.ts'
import { parseUrl } from './origin.ts'

/** Writes down what it is handed. */
class Noted implements Receiver<string> {
  constructor(
    private readonly name: string,
    private readonly log: string[],
    private readonly onBytes: (text: string) => void = () => {},
  ) {}
  handOver(reader: string, chunk: Buffer): void {
    this.log.push(`${this.name} ${reader} ${chunk}`)
    this.onBytes(String(chunk))
  }
  broke(): void {
    this.log.push(`${this.name} broke`)
  }
}

const turnOver = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('arrivals', () => {
  test('are handed over together, in order, at the end of the turn', async () => {
    const log: string[] = []
    const a = new Noted('a', log)
    const b = new Noted('b', log)
    arrived(a, 'one', Buffer.from('1'))
    arrived(b, 'two', Buffer.from('2'))
    arrived(a, 'one', Buffer.from('3'))
    await Promise.resolve()
    expect(log).toEqual([])
    await turnOver()
    expect(log).toEqual(['a one 1', 'b two 2', 'a one 3'])
  })

  test('one that throws is told so; the others get theirs', async () => {
    const log: string[] = []
    const a = new Noted('a', log, () => {
      throw new Error('no')
    })
    const b = new Noted('b', log)
    arrived(a, 'one', Buffer.from('1'))
    arrived(b, 'two', Buffer.from('2'))
    await turnOver()
    expect(log).toEqual(['a one 1', 'a broke', 'b two 2'])
  })

  test('can be asked for at once, and come once; what comes meanwhile comes in the next turn', async () => {
    const log: string[] = []
    const b = new Noted('b', log)
    const a = new Noted('a', log, (text) => arrived(b, 'two', Buffer.from(`after ${text}`)))
    arrived(a, 'one', Buffer.from('1'))
    handOverAll()
    expect(log).toEqual(['a one 1'])
    await turnOver()
    expect(log).toEqual(['a one 1', 'b two after 1'])
    await turnOver()
    expect(log).toHaveLength(2)
  })
})

describe('a connection', () => {
  const servers: RawServer[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server[Symbol.dispose]()
  })
  /** A connection to a server that says nothing, and what is told of it. */
  const connected = async (onBytes: (connection: Connection) => void = () => {}) => {
    const server = rawServer(() => {})
    servers.push(server)
    const log: string[] = []
    const user = (name: string, opened: (connection: Connection) => void = () => {}): ConnectionUser => ({
      opened,
      refused: (_, message) => log.push(`${name} refused: ${message}`),
      bytes: (chunk) => {
        log.push(`${name} ${chunk}`)
        onBytes(connection)
      },
      drained: () => {},
      closed: () => log.push(`${name} closed`),
    })
    const { origin } = parseUrl(server.url)
    const connection = await new Promise<Connection>((resolve) => {
      new Connection(origin, user('first', resolve), { timeout: 5000, gone: () => log.push('gone') })
    })
    return { connection, log, server, user }
  }

  test('keeps what was read for one user from the next', async () => {
    const { connection, log, server, user } = await connected()
    connection.received(Buffer.from('answer'))
    connection.idle()
    connection.wake(user('second'))
    handOverAll()
    expect(log).toEqual(['gone', 'second closed'])
    await server.allClosed()
  })

  test('that nobody uses is closed by the first byte, before anybody can take it', async () => {
    const { connection, log, server } = await connected()
    connection.idle()
    connection.received(Buffer.from('HTTP/1.1 408 Request Timeout'))
    expect(log).toEqual(['gone'])
    expect(connection.usable).toBe(false)
    await server.allClosed()
  })

  test('tells its last bytes before its end', async () => {
    const { connection, log } = await connected()
    connection.received(Buffer.from('last words'))
    connection.lost(undefined)
    expect(log).toEqual(['first last words', 'gone', 'first closed'])
    connection.abort()
  })

  test('that is given up at its last bytes tells no end', async () => {
    const { connection, log, server } = await connected((given) => given.abort())
    connection.received(Buffer.from('last words'))
    connection.received(Buffer.from('and more'))
    connection.lost(undefined)
    expect(log).toEqual(['first last words', 'gone'])
    await turnOver()
    expect(log).toHaveLength(2)
    await server.allClosed()
  })
})
