/** What the connection says of a server that does not do what is needed. The real ones are in test/servers. */

import { expect, test } from 'bun:test'
import { StoreUnavailable } from '../../plugin/host.ts'
import { openRedisState } from './state.ts'

/** A server that answers each command in RESP, and is ended by `stop`. */
function fakeRedis(answer: (command: string) => string) {
  return Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data(socket, bytes) {
        // each command begins with `*<count>` and its name is the first of its texts
        for (const [, name] of bytes.toString().matchAll(/\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/g)) socket.write(answer(name!.toLowerCase()))
      },
    },
  })
}

test('a Redis that is too old is called so', async () => {
  const info = 'redis_version:6.0.16\r\nloading:0\r\n'
  const server = fakeRedis((command) => {
    if (command === 'info') return `$${info.length}\r\n${info}\r\n`
    if (command.startsWith('eval')) return '-ERR Error running script (call to f_1): @user_script:50: ERR syntax error\r\n'
    return '+OK\r\n'
  })
  const quiet = { debug() {}, info() {}, warn() {}, error() {} }
  const store = await openRedisState({ url: `redis://127.0.0.1:${server.port}`, log: quiet })
  const taken = (async () => await store.scoped('a').take('k', 1, 1, 1000))()
  await expect(taken).rejects.toThrow(StoreUnavailable)
  await expect(taken).rejects.toThrow('Redis 6.2 or later is needed')
  await store.close()
  server.stop(true)
})
