/**
 * Responses that a provider keeps: they are found again where they were made, and only by whom they were made for (PROTOCOL §1.9). All callers share
 * the gateway's key there, so that nobody else would tell them apart. And what Codex tries before it posts: a WebSocket (H15).
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import OpenAI from 'openai'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'

const who = `import { definePlugin, Principal } from 'headgate/plugin'
export default definePlugin({
  api: 1, name: 'who', summary: 'Believes a header', failure: 'closed', provides: [Principal],
  setup: () => ({
    admit(x) {
      const id = x.headers.get('authorization')?.slice(7) ?? ''
      if (id === '') return x.refuse('missing_api_key')
      x.put(Principal, { id, kind: 'key', account: 'shared', tags: [] })
    },
  }),
})`

interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: Headers
  readonly body: Record<string, unknown> | undefined
}

/** A provider that keeps what it answered. */
function provider(name: string) {
  const asked: Asked[] = []
  const kept = new Map<string, object>()
  let made = 0
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const { pathname, search } = new URL(request.url)
      const body = request.method === 'POST' ? ((await request.json().catch(() => undefined)) as Record<string, unknown>) : undefined
      asked.push({ method: request.method, path: pathname + search, headers: request.headers, body })
      if (request.headers.get('authorization') === 'Bearer bad')
        return Response.json({ error: { message: 'bad key', type: 'x' } }, { status: 401 })
      if (pathname === '/v1/responses/input_tokens') return Response.json({ object: 'response.input_tokens', input_tokens: 11 })
      if (pathname === '/v1/responses/compact') {
        const output = [{ id: 'cmp_1', type: 'compaction', encrypted_content: 'opaque' }]
        return Response.json({
          id: `resp_${name}_c`,
          object: 'response.compaction',
          created_at: 1,
          output,
          usage: { input_tokens: 7, output_tokens: 3 },
        })
      }
      if (pathname === '/v1/responses') {
        const id = `resp_${name}_${++made}`
        const text = { type: 'output_text', text: `from ${name}`, annotations: [] }
        const output = [{ id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content: [text] }]
        const usage = { input_tokens: 1, output_tokens: 2, total_tokens: 3 }
        const response = { id, object: 'response', created_at: 1, model: body?.model, status: 'completed', output, usage }
        kept.set(id, response)
        if (body?.stream !== true) return Response.json(response)
        const frame = (type: string, rest: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`
        const begun = { ...response, status: 'in_progress', output: [], usage: null }
        const delta = { item_id: 'msg_1', output_index: 0, content_index: 0, delta: `from ${name}`, sequence_number: 1 }
        const frames =
          frame('response.created', { response: begun, sequence_number: 0 }) +
          frame('response.output_text.delta', delta) +
          frame('response.completed', { response, sequence_number: 2 })
        return new Response(frames, { headers: { 'content-type': 'text/event-stream' } })
      }
      const [, , , id = '', tail] = pathname.split('/')
      const found = kept.get(id)
      if (!found)
        return Response.json(
          { error: { message: `Response with id '${id}' not found.`, type: 'invalid_request_error', param: 'id', code: null } },
          { status: 404 },
        )
      if (tail === 'input_items') return Response.json({ object: 'list', data: [{ id: 'item' }], has_more: false })
      if (request.method === 'DELETE') {
        kept.delete(id)
        return Response.json({ id, object: 'response.deleted', deleted: true })
      }
      if (tail === 'cancel') return Response.json({ ...found, status: 'cancelled' })
      return Response.json(found, { headers: { 'x-request-id': 'up_1', 'set-cookie': 'secret=1' } })
    },
  })
  return { asked, kept, url: `http://127.0.0.1:${server.port}/v1`, stop: () => server.stop(true) }
}

describe('responses that are kept', () => {
  const east = provider('east')
  const west = provider('west')
  let gateway: LocalGateway
  const target = (upstream: string) => ({ targets: [{ upstream, model: 'gpt-up' }] })

  beforeAll(async () => {
    const upstream = (base_url: string, key = 'up') => ({ dialect: 'openai', base_url, key, apis: ['responses', 'count_tokens'] })
    gateway = await startLocalGateway(
      JSON.stringify({
        version: 1,
        mounts: [{ path: '/v1', api: 'openai' }],
        upstreams: {
          east: upstream(east.url),
          west: upstream(west.url),
          chat: { dialect: 'openai', base_url: east.url, apis: ['chat'] },
          badly: upstream(east.url, 'bad'),
        },
        models: {
          east: target('east'),
          west: target('west'),
          both: {
            targets: [
              { upstream: 'west', model: 'gpt-west' },
              { upstream: 'east', model: 'gpt-east' },
            ],
          },
          chat: target('chat'),
        },
        plugins: [{ use: './who.ts' }, { use: 'probe' }, { use: 'router' }],
      }),
      { 'who.ts': who },
    )
  })
  afterAll(async () => {
    await gateway.stop()
    east.stop()
    west.stop()
  })

  const of = (apiKey: string) => new OpenAI({ apiKey, baseURL: `${gateway.url}/v1`, maxRetries: 0 })
  const alice = () => of('alice')
  const failureOf = (promise: Promise<unknown>) =>
    promise.then(
      () => undefined,
      (error: unknown) => error as InstanceType<typeof OpenAI.APIError>,
    )

  test('are seen, listed, cancelled and deleted at the upstream that made them, with its key', async () => {
    const client = alice()
    for (const [model, at] of [
      ['east', east],
      ['west', west],
    ] as const) {
      const { id } = await client.responses.create({ model, input: 'Hi' })
      at.asked.length = 0
      const { data, response } = await client.responses.retrieve(id, { include: ['reasoning.encrypted_content'] }).withResponse()
      expect(data.output_text).toBe(`from ${model}`)
      expect(response.headers.get('set-cookie')).toBeNull()
      expect(response.headers.get('x-upstream-request-id')).toBe('up_1')
      expect((await client.responses.inputItems.list(id)).data).toEqual([{ id: 'item' } as never])
      expect((await client.responses.cancel(id)).status).toBe('cancelled')
      await client.responses.delete(id)
      expect(at.asked.map(({ method, path }) => `${method} ${decodeURIComponent(path)}`)).toEqual([
        `GET /v1/responses/${id}?include[]=reasoning.encrypted_content`,
        `GET /v1/responses/${id}/input_items`,
        `POST /v1/responses/${id}/cancel`,
        `DELETE /v1/responses/${id}`,
      ])
      expect(at.asked.every(({ headers }) => headers.get('authorization') === 'Bearer up')).toBe(true)
      expect(await failureOf(client.responses.retrieve(id))).toMatchObject({ status: 404 })
      expect(at.asked).toHaveLength(4) // it was forgotten here, too
    }
  })

  test('are nothing to another caller, whatever is asked of them', async () => {
    const { id } = await alice().responses.create({ model: 'east', input: 'Hi' })
    east.asked.length = 0
    const eve = of('eve')
    for (const failure of [
      await failureOf(eve.responses.retrieve(id)),
      await failureOf(eve.responses.cancel(id)),
      await failureOf(eve.responses.delete(id)),
      await failureOf(Promise.resolve(eve.responses.inputItems.list(id))),
      await failureOf(eve.responses.retrieve('resp_never')),
    ]) {
      expect(failure).toMatchObject({ status: 404, error: { type: 'invalid_request_error', param: null } })
      expect(failure!.message).toContain('not found')
    }
    for (const body of [
      { model: 'east', input: 'Go on', previous_response_id: id },
      { model: 'east', input: 'Go on', previous_response_id: 'resp_never' },
    ]) {
      expect(await failureOf(eve.responses.create(body))).toMatchObject({
        status: 400,
        code: 'previous_response_not_found',
        param: 'previous_response_id',
        type: 'invalid_request_error',
      })
    }
    expect(east.asked).toEqual([])
    expect((await fetch(`${gateway.url}/v1/responses/${id}`)).status).toBe(401)
    expect(east.asked).toEqual([])
  })

  test('an id that is spelled in escapes is found out', async () => {
    const { id } = await alice().responses.create({ model: 'east', input: 'Hi' })
    east.asked.length = 0
    for (const name of ['previous\\u005fresponse_id', '\\u0070revious_response_id', 'previous_response_i\\u0064']) {
      const headers = { authorization: 'Bearer eve', 'content-type': 'application/json' }
      const body = `{"model":"east","input":"x","${name}":"${id}"}`
      const answer = await fetch(`${gateway.url}/v1/responses`, { method: 'POST', headers, body })
      expect(answer.status).toBe(400)
    }
    expect(east.asked).toEqual([])
  })

  test.each([false, true])('are gone on from where they were made, whichever target comes first (stream: %p)', async (stream) => {
    const client = alice()
    const ask = async (body: { model: string; previous_response_id?: string }) => {
      if (!stream) return client.responses.create({ ...body, input: 'Hi' })
      let id = ''
      let text = ''
      for await (const event of await client.responses.create({ ...body, input: 'Hi', stream })) {
        if (event.type === 'response.created') id = event.response.id
        if (event.type === 'response.output_text.delta') text += event.delta
      }
      return { id, output_text: text }
    }
    const first = await ask({ model: 'east' })
    const second = await ask({ model: 'both', previous_response_id: first.id })
    expect(second.output_text).toBe('from east')
    expect(east.asked.at(-1)!.body).toMatchObject({ model: 'gpt-east', previous_response_id: first.id })
    const third = await ask({ model: 'both' })
    expect(third.output_text).toBe('from west')
    expect((await ask({ model: 'both', previous_response_id: third.id })).output_text).toBe('from west')
    const other = await failureOf(ask({ model: 'west', previous_response_id: first.id }))
    expect(other).toMatchObject({ status: 400, code: 'previous_response_not_found' })
  })

  test('what is asked not to be kept is not remembered', async () => {
    const { id } = await alice().responses.create({ model: 'east', input: 'Hi', store: false })
    expect(await failureOf(alice().responses.retrieve(id))).toMatchObject({ status: 404 })
  })

  test("the upstream's own refusals come through; one of the gateway's key does not look like the caller's (G05)", async () => {
    const client = alice()
    const { id } = await client.responses.create({ model: 'east', input: 'Hi' })
    east.kept.clear()
    expect(await failureOf(client.responses.retrieve(id))).toMatchObject({ status: 404, param: 'id' })
    await gateway.gateway.services.state.scoped('.responses').set('resp_bad', ['badly', 'alice'])
    expect((await failureOf(client.responses.retrieve('resp_bad')))?.status).toBe(502)
  })

  test('compaction is routed by its model, native only', async () => {
    const client = alice()
    const made = await client.post<{ output: object[]; usage: object }>('/responses/compact', { body: { model: 'east', input: 'a' } })
    expect(made.output).toEqual([{ id: 'cmp_1', type: 'compaction', encrypted_content: 'opaque' }])
    expect(east.asked.at(-1)).toMatchObject({ path: '/v1/responses/compact', body: { model: 'gpt-up', input: 'a' } })
    expect(await failureOf(client.post('/responses/compact', { body: { model: 'chat', input: 'a' } }))).toMatchObject({ status: 400 })
    const other = { model: 'east', previous_response_id: 'resp_never' }
    expect(await failureOf(client.post('/responses/compact', { body: other }))).toMatchObject({ code: 'previous_response_not_found' })
  })

  test('tokens are counted by the upstream, or estimated and marked so', async () => {
    const count = (model: string) =>
      fetch(`${gateway.url}/v1/responses/input_tokens`, {
        method: 'POST',
        headers: { authorization: 'Bearer alice', 'content-type': 'application/json' },
        body: JSON.stringify({ model, input: 'How many tokens are these?' }),
      })
    const exact = await count('east')
    expect(await exact.json()).toEqual({ object: 'response.input_tokens', input_tokens: 11 })
    expect(exact.headers.get('x-gateway-estimated')).toBeNull()
    const estimated = await count('chat')
    expect(estimated.headers.get('x-gateway-estimated')).toBe('true')
    const said = (await estimated.json()) as { object: string; input_tokens: number }
    expect(said.object).toBe('response.input_tokens')
    expect(said.input_tokens).toBeGreaterThan(4)
  })

  test('H15: a WebSocket is told 426 at once, and HTTP works', async () => {
    const begun = performance.now()
    const { status, text } = await upgrade(gateway.url, '/v1/responses')
    expect(status).toBe(426)
    expect(performance.now() - begun).toBeLessThan(1000)
    expect(text.toLowerCase()).not.toContain('\r\nupgrade:')
    expect(JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)).error).toMatchObject({
      type: 'invalid_request_error',
      param: null,
    })
    const closed = await new Promise<string>((resolve) => {
      const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v1/responses`)
      socket.onopen = () => resolve('open')
      socket.onerror = () => resolve('refused')
    })
    expect(closed).toBe('refused')
    expect((await alice().responses.create({ model: 'east', input: 'Hi' })).output_text).toBe('from east')
  })
})

/** Asks for a WebSocket as Codex does; the answer as it came. */
async function upgrade(url: string, path: string): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(url)
  const over = Promise.withResolvers<string>()
  let text = ''
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data(_, chunk) {
        text += chunk.toString()
        if (text.includes('}}')) over.resolve(text)
      },
      close: () => over.resolve(text),
      error: (_, error) => over.reject(error),
    },
  })
  const lines = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer alice\r\n${lines.join('\r\n')}\r\n\r\n`)
  const answer = await over.promise
  socket.end()
  return { status: Number(answer.split(' ')[1]), text: answer }
}
