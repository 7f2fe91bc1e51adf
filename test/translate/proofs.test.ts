/**
 * Conversations that move between upstreams: what each maker proved of its thoughts comes back to it bit for bit, and nobody else ever sees it (D01, D03, C18).
 *
 * For each client dialect and each pair of upstreams: a turn at the first, one at the second, and one at the first again, over real HTTP. The client does
 * what SDKs do: it sends back what it got. Where client and upstream speak alike nothing is translated, and the proofs of others are taken out.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { forAll } from '../support/for-all.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { type ReplayUpstream, startReplay } from '../support/replay-upstream.ts'
import { matrixConfig, type Spoken, spoken } from './dialects.ts'

setDefaultTimeout(60_000)

// biome-ignore lint/suspicious/noExplicitAny: wire JSON of four dialects
type Loose = any

let replay: ReplayUpstream
let gateway: LocalGateway
beforeAll(async () => {
  replay = await startReplay()
  const config = JSON.parse(matrixConfig(replay.url)) as Loose
  // a second account of each provider
  for (const s of spoken) {
    config.upstreams[`${s.upstream}2`] = config.upstreams[s.upstream]
    config.models[`${s.upstream}2-*`] = { targets: [{ upstream: `${s.upstream}2`, model: 'replay-*' }] }
  }
  gateway = await startLocalGateway(JSON.stringify(config))
})
afterAll(async () => {
  await gateway.stop()
  await replay.stop()
})

const json = { 'content-type': 'application/json' }
const thoughtOf = (by: string) => `Thinking as ${by} does.`
/** With what base64 and its kin hold. */
const proofOf = (by: string) => `Pr00f/${by}+==`
const hiddenOf = (by: string) => `Hidd3n/${by}+==`
const callOf = (by: string) => ({ name: `tool_${by}`, args: { by } })

/** A thought, its proof, and a call, as an upstream of each dialect says them. */
function replyOf(upstream: Spoken, by: string): object {
  const { name, args } = callOf(by)
  const text = JSON.stringify(args)
  switch (upstream.name) {
    case 'chat':
      return {
        id: 'c1',
        object: 'chat.completion',
        created: 1,
        model: 'm',
        choices: [
          {
            index: 0,
            message: {
              role: 'assistant',
              content: null,
              reasoning: thoughtOf(by),
              reasoning_details: [{ type: 'reasoning.text', text: thoughtOf(by), signature: proofOf(by), format: 'unknown', index: 0 }],
              tool_calls: [{ id: `call_${by}`, type: 'function', function: { name, arguments: text } }],
            },
            finish_reason: 'tool_calls',
          },
        ],
      }
    case 'responses':
      return {
        id: 'resp_1',
        object: 'response',
        created_at: 1,
        status: 'completed',
        model: 'm',
        output: [
          { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: thoughtOf(by) }], encrypted_content: proofOf(by) },
          { type: 'function_call', id: 'fc_1', call_id: `call_${by}`, name, arguments: text, status: 'completed' },
        ],
      }
    case 'messages':
      return {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'm',
        content: [
          { type: 'thinking', thinking: thoughtOf(by), signature: proofOf(by) },
          { type: 'redacted_thinking', data: hiddenOf(by) },
          { type: 'tool_use', id: `toolu_${by}`, name, input: args },
        ],
        stop_reason: 'tool_use',
        stop_sequence: null,
        usage: { input_tokens: 1, output_tokens: 1 },
      }
    default:
      return {
        candidates: [
          {
            content: {
              role: 'model',
              parts: [
                { text: thoughtOf(by), thought: true },
                { functionCall: { name, args }, thoughtSignature: proofOf(by) },
              ],
            },
            finishReason: 'STOP',
            index: 0,
          },
        ],
        responseId: 'r1',
        modelVersion: 'm',
      }
  }
}

/** A client that keeps its history as its SDK does. */
function talker(client: Spoken) {
  const history: Loose[] = []
  const schema = { type: 'object', properties: { by: { type: 'string' } } }
  const names = ['tool_a', 'tool_b']
  const open = (text: string) =>
    client.name === 'gemini' ? history.push({ role: 'user', parts: [{ text }] }) : history.push({ role: 'user', content: text })
  open('Go on.')
  return {
    body(model: string): string {
      switch (client.name) {
        case 'chat':
          return JSON.stringify({
            model,
            messages: history,
            tools: names.map((name) => ({ type: 'function', function: { name, parameters: schema } })),
          })
        case 'responses':
          return JSON.stringify({
            model,
            input: history,
            store: false,
            include: ['reasoning.encrypted_content'],
            tools: names.map((name) => ({ type: 'function', name, parameters: schema })),
          })
        case 'messages':
          return JSON.stringify({
            model,
            max_tokens: 9000,
            thinking: { type: 'enabled', budget_tokens: 2000 },
            messages: history,
            tools: names.map((name) => ({ name, input_schema: schema })),
          })
        default:
          return JSON.stringify({
            contents: history,
            tools: [{ functionDeclarations: names.map((name) => ({ name, parametersJsonSchema: schema })) }],
          })
      }
    },
    /** Takes a reply into the history, and answers its call. */
    take(reply: Loose, result: string): void {
      switch (client.name) {
        case 'chat': {
          const { message } = reply.choices[0]
          history.push(message, ...message.tool_calls.map((call: Loose) => ({ role: 'tool', tool_call_id: call.id, content: result })))
          return
        }
        case 'responses':
          history.push(...reply.output)
          for (const item of reply.output)
            if (item.type === 'function_call') history.push({ type: 'function_call_output', call_id: item.call_id, output: result })
          return
        case 'messages': {
          const calls = reply.content.filter((block: Loose) => block.type === 'tool_use')
          history.push({ role: 'assistant', content: reply.content })
          history.push({
            role: 'user',
            content: calls.map((call: Loose) => ({ type: 'tool_result', tool_use_id: call.id, content: result })),
          })
          return
        }
        default: {
          const { content } = reply.candidates[0]
          history.push(content)
          const parts = content.parts
            .filter((part: Loose) => part.functionCall)
            .map(({ functionCall: call }: Loose) => ({
              functionResponse: { ...(call.id && { id: call.id }), name: call.name, response: { output: result } },
            }))
          history.push({ role: 'user', parts })
        }
      }
    },
  }
}

/** All strings of a value. */
function leaves(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(leaves)
}

/** The value that a block of the maker's own must have kept. */
function ownBlocks(upstream: Spoken, by: string): Loose[] {
  const reply = replyOf(upstream, by) as Loose
  switch (upstream.name) {
    case 'chat':
      return [{ signature: proofOf(by) }]
    case 'responses':
      return [{ type: 'reasoning', encrypted_content: proofOf(by), summary: reply.output[0].summary }]
    case 'messages':
      return reply.content.slice(0, 2)
    default:
      return [{ thoughtSignature: proofOf(by) }]
  }
}

/** True when some object inside has these members. */
function holds(value: Loose, members: Loose): boolean {
  if (typeof value !== 'object' || value === null) return false
  const own = !Array.isArray(value) && Object.entries(members).every(([key, member]) => Bun.deepEquals(value[key], member))
  return own || Object.values(value).some((inner) => holds(inner, members))
}

const name = (s: Spoken, second: boolean) => s.upstream + (second ? '2' : '')
const trios = spoken.flatMap((client) =>
  spoken.flatMap((a) => [
    ...spoken.filter((b) => b !== a).map((b) => ({ client, a, b, second: false })),
    // another account of the same provider: known apart where the gateway tags proofs
    ...(client === a ? [] : [{ client, a, b: a, second: true }]),
  ]),
)
type Trio = (typeof trios)[number]
const nameOf = ({ client, a, b, second }: Trio) => `a ${client.name} client from ${a.name} to ${name(b, second)} and back`

describe('a conversation that moves between upstreams', () => {
  async function turn(
    client: Spoken,
    talk: ReturnType<typeof talker>,
    upstream: Spoken,
    second: boolean,
    by: string,
    reply = replyOf(upstream, by),
  ) {
    const id = replay.addReply({ status: 200, headers: json, body: Buffer.from(JSON.stringify(reply)), stream: false })
    const model = `${name(upstream, second)}-${id}`
    const response = await fetch(gateway.url + client.path(model, false), {
      method: 'POST',
      headers: client.headers,
      body: talk.body(model),
    })
    const text = await response.text()
    expect(`${response.status} ${response.status === 200 ? '' : text}`).toBe('200 ')
    const [request] = replay.requestsFor(id)
    return { reply: JSON.parse(text) as Loose, sent: JSON.parse(Buffer.from(request!.body).toString()) as Loose }
  }

  test('proofs come back to their maker, and to nobody else', async () => {
    await forAll(trios, nameOf, async ({ client, a, b, second }) => {
      const talk = talker(client)
      const first = await turn(client, talk, a, false, 'a')
      talk.take(first.reply, 'Result of a')

      const other = await turn(client, talk, b, second, 'b')
      const seen = leaves(other.sent).join('\n')
      for (const secret of [proofOf('a'), hiddenOf('a'), 'hg1.', 'aGcxL']) expect(seen).not.toContain(secret)
      if (client !== b) expect(seen).not.toContain(thoughtOf('a')) // thoughts are not put into anybody's mouth
      expect(seen).toContain('Result of a')
      expect(seen).toContain('tool_a')
      talk.take(other.reply, 'Result of b')

      const back = await turn(client, talk, a, false, 'a')
      const again = leaves(back.sent).join('\n')
      for (const secret of [proofOf('b'), hiddenOf('b'), 'hg1.', 'aGcxL']) expect(again).not.toContain(secret)
      if (client !== a) expect(again).not.toContain(thoughtOf('b'))
      for (const block of ownBlocks(a, 'a'))
        if (!holds(back.sent, block)) throw new Error(`${JSON.stringify(block)} is not in ${JSON.stringify(back.sent)}`)
      expect(again).toContain('Result of a')
      expect(again).toContain('Result of b')
      expect(again.indexOf('Result of a')).toBeLessThan(again.indexOf('Result of b'))
    })
  })

  test('a thought of Chat without a proof is not sent to a native upstream, which would look for what proves it (D03)', async () => {
    const chat = spoken.find((s) => s.name === 'chat')!
    const plain = replyOf(chat, 'a') as Loose
    delete plain.choices[0].message.reasoning_details
    for (const client of spoken.filter((s) => s.name === 'responses' || s.name === 'messages')) {
      const talk = talker(client)
      const first = await turn(client, talk, chat, false, 'a', plain)
      expect(JSON.stringify(first.reply)).toContain(thoughtOf('a'))
      talk.take(first.reply, 'Result of a')
      const { sent } = await turn(client, talk, client, false, 'b')
      const seen = leaves(sent).join('\n')
      for (const word of [thoughtOf('a'), 'rs_', 'hg1.']) expect(seen).not.toContain(word)
      expect(seen).toContain('tool_a')
      expect(seen).toContain('Result of a')
    }
  })

  test('a proof that nobody tagged goes to nobody but a native upstream (C19)', async () => {
    await forAll(
      spoken.flatMap((client) => spoken.filter((s) => s !== client).map((upstream) => ({ client, upstream }))),
      ({ client, upstream }) => `${client.name} to ${upstream.name}`,
      async ({ client, upstream }) => {
        const talk = talker(client)
        talk.take(replyOf(client, 'a'), 'Result of a')
        const { sent } = await turn(client, talk, upstream, false, 'b')
        const seen = leaves(sent).join('\n')
        for (const secret of [proofOf('a'), hiddenOf('a'), thoughtOf('a')]) expect(seen).not.toContain(secret)
        expect(seen).toContain('Result of a')
      },
    )
  })
})

describe('encrypted reasoning of another deployment', () => {
  const unreadable = {
    error: {
      message: 'The encrypted content gAAA could not be verified. Reason: Encrypted content could not be decrypted or parsed.',
      type: 'invalid_request_error',
      param: null,
      code: 'invalid_encrypted_content',
    },
  }
  const responses = spoken.find((s) => s.name === 'responses')!
  const input = [
    { role: 'user', content: 'Go on.' },
    { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'Hm.' }], encrypted_content: 'gAAA' },
    { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'look', arguments: '{"a":1.50}' },
    { type: 'function_call_output', call_id: 'call_1', output: 'R' },
  ]

  /** A server that can't read it, or that refuses whatever it gets. */
  async function ask(body: object, stubborn = false) {
    const got: Loose[] = []
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      async fetch(request) {
        const text = await request.text()
        got.push(JSON.parse(text))
        if (stubborn || text.includes('gAAA')) return Response.json(unreadable, { status: 400 })
        return Response.json(replyOf(responses, 'a'))
      },
    })
    const config = JSON.parse(matrixConfig(`http://127.0.0.1:${server.port}`)) as Loose
    const own = await startLocalGateway(JSON.stringify(config))
    try {
      const response = await fetch(`${own.url}/v1/responses`, {
        method: 'POST',
        headers: responses.headers,
        body: JSON.stringify({ model: 'responses-x', store: false, ...body }),
      })
      const outcome = await own.outcome(response.headers.get('x-request-id')!)
      return { status: response.status, dropped: response.headers.get('x-gateway-dropped'), body: await response.text(), got, outcome }
    } finally {
      await own.stop()
      await server.stop(true)
    }
  }

  test('is left out when it can not be read, and the call made once more (D03)', async () => {
    const { status, dropped, got, outcome } = await ask({ input })
    expect(status).toBe(200)
    expect(dropped).toBe('input[1].encrypted_content')
    expect(outcome.attempts).toHaveLength(2)
    expect(got[0].input).toEqual(input)
    const { id: _, ...call } = input[2] as Loose
    expect(got[1].input).toEqual([input[0], call, input[3]])
    expect(got[1].store).toBe(false)
  })

  test('once only, and not for what holds none', async () => {
    const again = await ask({ input }, true)
    expect(again.status).toBe(400)
    expect(again.got).toHaveLength(2)
    const plain = await ask({ input: 'Hello' }, true)
    expect(plain.status).toBe(400)
    expect(JSON.parse(plain.body)).toEqual(unreadable)
    expect(plain.got).toHaveLength(1)
  })
})
