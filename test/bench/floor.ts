/**
 * The floor: the plainest honest proxy that Bun allows. Reads the body, sends it on, hands the reply's body through.
 *
 * No auth, no limits, no look at any byte. Arguments: port of the mock upstream, own port. Paths pass as they are.
 */

const upstream = `http://127.0.0.1:${process.argv[2]}`

Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[3] ?? 0),
  idleTimeout: 0,
  async fetch(request) {
    const body = await request.arrayBuffer()
    const path = request.url.slice(request.url.indexOf('/', 8))
    const headers = { 'content-type': 'application/json', authorization: request.headers.get('authorization') ?? '' }
    const up = await fetch(upstream + path, { method: request.method, headers, body, signal: request.signal })
    return new Response(up.body, { status: up.status, headers: up.headers })
  },
})
