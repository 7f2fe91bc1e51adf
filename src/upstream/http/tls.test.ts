import { expect, test } from 'bun:test'
import { createServer } from 'node:tls'
import { httpCall } from '../../../test/support/http-call.ts'
import { answer, rawServer, send } from '../../../test/support/raw-server.ts'
import { createHttpClient } from './client.ts'

const folder = `${import.meta.dir}/../../../test/support/tls`
const cert = await Bun.file(`${folder}/cert.pem`).text()
const key = await Bun.file(`${folder}/key.pem`).text()
const tls = { cert, key }

test('a trusted certificate: answers, keeps alive, large bodies both ways', async () => {
  const body = Buffer.alloc(8_000_000, 'tls body;')
  using server = Bun.serve({ port: 0, tls, fetch: async (request) => new Response(await request.bytes()) })
  const client = createHttpClient({ ca: cert })
  for (let count = 0; count < 3; count += 1) {
    const call = await httpCall(client, `https://localhost:${server.port}/`, { body: [body] }).over
    expect(call.error).toBeUndefined()
    expect(Buffer.concat(call.chunks).equals(body)).toBe(true)
  }
  expect(client.stats()).toEqual({ open: 1, idle: 1 })
  client.close()
})

test('an untrusted certificate, or one for another host: kind tls, nothing sent, never answered', async () => {
  using server = rawServer(({ socket }) => send(socket, answer('x')), { tls })
  const untrusted = await httpCall(createHttpClient(), `https://localhost:${server.port}/`).over
  expect(untrusted.error).toMatchObject({ kind: 'tls', sent: false, answered: false })
  expect(untrusted.error?.message).toContain('DEPTH_ZERO_SELF_SIGNED_CERT')
  const otherHost = await httpCall(createHttpClient({ ca: cert }), server.url).over // 127.0.0.1 is not in the certificate
  expect(otherHost.error).toMatchObject({ kind: 'tls', sent: false, answered: false })
  expect(server.requests).toBe(0)
  await server.allClosed()
})

test('a server that speaks plain HTTP: kind tls, at once', async () => {
  using server = rawServer(() => {}, { onBytes: (socket) => send(socket, answer('x')) })
  const call = await httpCall(createHttpClient(), `https://localhost:${server.port}/`).over
  expect(call.error).toMatchObject({ kind: 'tls', sent: false })
})

test('a server that hangs up in the handshake: kind tls', async () => {
  using server = rawServer(() => {}, { onBytes: (socket) => socket.end() })
  const call = await httpCall(createHttpClient(), `https://localhost:${server.port}/`).over
  expect(call.error).toMatchObject({ kind: 'tls', sent: false })
})

test('a broken ca is an error of the request, not of the process', async () => {
  const client = createHttpClient({ ca: 'no certificate' })
  const call = await httpCall(client, 'https://localhost:1/').over
  expect(call.error).toMatchObject({ sent: false, answered: false })
  expect(client.stats().open).toBe(0)
})

test('offers http/1.1 alone (ALPN) and names the host (SNI)', async () => {
  const seen = Promise.withResolvers<[unknown, unknown]>()
  const server = createServer({ ...tls, ALPNProtocols: ['h2', 'http/1.1'] }, (socket) => {
    seen.resolve([socket.alpnProtocol, (socket as { servername?: unknown }).servername])
    socket.on('error', () => {})
    socket.end(answer('x'))
  })
  await new Promise<void>((resolve) => server.listen(0, resolve))
  const { port } = server.address() as { port: number }
  const call = await httpCall(createHttpClient({ ca: cert }), `https://localhost:${port}/`).over
  expect(call.text()).toBe('x')
  expect(await seen.promise).toEqual(['http/1.1', 'localhost'])
  server.close()
})

test('backpressure holds through TLS', async () => {
  using server = Bun.serve({ port: 0, tls, fetch: () => new Response(new Uint8Array(30_000_000)) })
  const call = httpCall(createHttpClient({ ca: cert }), `https://localhost:${server.port}/`, {
    discard: true,
    on: (event, self) => event === 'head' && self.request.pause(),
  })
  await call.headed
  await Bun.sleep(50)
  const held = call.bytes
  await Bun.sleep(100)
  expect(call.bytes).toBe(held)
  expect(held).toBeLessThan(2_000_000)
  call.request.resume()
  await call.over
  expect(call.bytes).toBe(30_000_000)
})

test('NODE_EXTRA_CA_CERTS is honoured', async () => {
  using server = rawServer(({ socket }) => send(socket, answer('x')), { tls })
  const script = `
    import { createHttpClient } from '${import.meta.dir}/client.ts'
    import { httpCall } from '${import.meta.dir}/../../../test/support/http-call.ts'
    const call = await httpCall(createHttpClient(), 'https://localhost:${server.port}/').over
    console.log(call.error?.kind ?? call.text())`
  const run = async (env: Record<string, string>): Promise<string> => {
    const child = Bun.spawn([process.execPath, '-e', script], { env: { ...process.env, ...env }, stdout: 'pipe', stderr: 'inherit' })
    return (await child.stdout.text()).trim()
  }
  expect(await run({})).toBe('tls')
  expect(await run({ NODE_EXTRA_CA_CERTS: `${folder}/cert.pem` })).toBe('x')
})
