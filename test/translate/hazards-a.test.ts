/** Hazards of bytes and transport (A) between dialects, over real HTTP. Those of one dialect alone are proven where they arise. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { leastRequest, spoken } from './dialects.ts'
import { chatStream, geminiStream, names, othersThan, pairs, plainReply, type Stage, speaker, startStage } from './stage.ts'

setDefaultTimeout(60_000)

let stage: Stage
beforeAll(async () => {
  stage = await startStage()
})
afterAll(() => stage.stop())

describe('what arrives in odd forms', () => {
  test('A01 every byte alone, with characters of several bytes', async () => {
    const stream = geminiStream([[{ text: '漢字🙂' }], [{ text: ' é\u0301 ünï' }]])
    for (const client of othersThan('gemini')) {
      const { told } = await stage.ask(client, 'gemini', stream, { delivery: { cuts: 'bytes' } })
      expect({ text: told.text, wrong: told.wrong, complete: told.complete }).toEqual({
        text: '漢字🙂 é\u0301 ünï',
        wrong: [],
        complete: true,
      })
    }
  })

  test('A02 CR LF between all lines of every dialect, and CR alone', async () => {
    for (const { client, upstream } of pairs) {
      for (const newline of ['crlf', 'cr'] as const) {
        const { told } = await stage.ask(client, upstream, plainReply[upstream].stream.replaceAll('\r\n', '\n'), {
          delivery: { newline, cuts: { seed: 5 } },
        })
        expect({ text: told.text, complete: told.complete }).toEqual({ text: 'Hi there', complete: true })
      }
    }
  })

  test('A03 A04 A06 no space after data:, spaces behind it, comments, ids, and a BOM', async () => {
    for (const { client, upstream } of pairs) {
      const odd = `: OPENROUTER PROCESSING\n\n${plainReply[upstream].stream.replaceAll('\r\n', '\n').replaceAll('data: ', 'id: 7\nretry: 10\ndata:').replaceAll('\n\n', '   \n\n: x\n\n')}`
      const { told } = await stage.ask(client, upstream, odd, { delivery: { bom: true } })
      expect({ client: client.name, upstream, text: told.text, complete: told.complete }).toEqual({
        client: client.name,
        upstream,
        text: 'Hi there',
        complete: true,
      })
    }
  })

  test('A05 one line of ten megabytes', async () => {
    const long = 'x'.repeat(10 * 1024 * 1024)
    for (const client of othersThan('chat')) {
      const { told } = await stage.ask(client, 'chat', chatStream([{ role: 'assistant', content: long }]))
      expect(told.text.length).toBe(long.length)
      expect(told.complete).toBe(true)
    }
  })

  test('A16 a request of twenty megabytes arrives, one beyond the limit is a 413 in the shape of each client', async () => {
    const picture = `data:image/png;base64,iVBORw0KGgo${'A'.repeat(20 * 1024 * 1024)}`
    const chat = spoken.find((s) => s.name === 'chat')!
    const content = [{ type: 'image_url', image_url: { url: picture } }]
    const { status, sent } = await stage.ask(chat, 'messages', plainReply.messages.whole, {
      add: { messages: [{ role: 'user', content }] },
    })
    expect(status).toBe(200)
    expect(`data:image/png;base64,${sent[0].messages[0].content[0].source.data}` === picture).toBe(true)
    for (const client of spoken) {
      const tooLong = { 'x-padding': 'x'.repeat(33 * 1024 * 1024) }
      const refused = await stage.ask(client, 'chat', plainReply.chat.whole, { add: tooLong })
      expect(refused.status).toBe(413)
      expect(refused.told.error).toContain('32 MB')
    }
  })

  test('A07 compressed answers, whole, streamed and errors, leave decoded and unmarked', async () => {
    for (const { client, upstream } of pairs) {
      for (const reply of [plainReply[upstream].stream, plainReply[upstream].whole]) {
        const { told, headers } = await stage.ask(client, upstream, reply, { delivery: { gzip: true } })
        expect(told.text).toBe('Hi there')
        expect(headers.get('content-encoding')).toBeNull()
      }
      const error = { error: { message: 'No such thing.', type: 'x', code: null } }
      const { status, told, headers } = await stage.ask(client, upstream, error, { status: 404, delivery: { gzip: true } })
      expect(status).toBe(404)
      expect(told.error).toContain('No such thing.')
      expect(headers.get('content-encoding')).toBeNull()
    }
  })

  test('A15 a whole reply for a stream, a stream for a whole reply, and either under the wrong type', async () => {
    for (const { client, upstream } of pairs) {
      const { stream, whole } = plainReply[upstream]
      const asked = [
        await stage.ask(client, upstream, whole, { stream: true }),
        await stage.ask(client, upstream, stream, { stream: false }),
        await stage.ask(client, upstream, whole, { stream: true, type: 'text/event-stream' }),
        await stage.ask(client, upstream, stream, { type: 'application/json' }),
        await stage.ask(client, upstream, whole, { type: 'text/plain' }),
      ]
      for (const [i, { told, status }] of asked.entries())
        expect({ i, status, text: told.text, complete: told.complete, wrong: told.wrong }).toEqual({
          i,
          status: 200,
          text: 'Hi there',
          complete: true,
          wrong: [],
        })
    }
  })

  test('A15 a stream that comes as one array, from an upstream that knows no other', async () => {
    const chunks = [...plainReply.gemini.stream.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!) as object)
    for (const client of spoken) {
      for (const stream of [true, false]) {
        const { told, status } = await stage.ask(client, 'gemini', chunks, { stream })
        expect({ status, text: told.text, complete: told.complete, wrong: told.wrong }).toEqual({
          status: 200,
          text: 'Hi there',
          complete: true,
          wrong: [],
        })
      }
      // cut off, or without the stop: no success
      expect((await stage.ask(client, 'gemini', chunks.slice(0, 1), { stream: true })).status).toBe(502)
    }
  })

  test('A18 an error status for a streaming request is an error, whole, however it is typed', async () => {
    const error = { error: { message: `A reason${' with many words'.repeat(50)}.`, type: 'invalid_request_error', code: null } }
    for (const client of spoken) {
      for (const upstream of names) {
        for (const type of ['application/json', 'text/event-stream']) {
          const { status, headers, body } = await stage.ask(client, upstream, error, { stream: true, status: 400, type })
          expect(status).toBe(400)
          expect(client.whole(body).error).toContain(error.error.message)
          if (client.dialect.name !== speaker(upstream).dialect.name) expect(headers.get('content-type')).toStartWith('application/json')
        }
      }
    }
  })
})

describe('silence', () => {
  test('A10 an upstream that never answers is a 504, one that stalls an error in the stream', async () => {
    const impatient = await startStage((config) => {
      for (const upstream of Object.values(config.upstreams) as { timeouts?: object }[])
        upstream.timeouts = { first_byte: '150ms', idle: '150ms' }
    })
    const never = Promise.withResolvers<void>()
    try {
      await Promise.all(
        pairs.map(async ({ client, upstream }) => {
          const silent = await impatient.ask(client, upstream, plainReply[upstream].stream, {
            delivery: { cuts: [0], before: (piece) => (piece === 0 ? never.promise : undefined) },
          })
          expect(`${client.name} ${upstream} ${silent.status}`).toBe(`${client.name} ${upstream} 504`)
          expect(silent.told.error).toBeString()
        }),
      )
      await Promise.all(
        pairs.map(async ({ client, upstream }) => {
          const text = plainReply[upstream].stream
          const half = text.indexOf('there')
          const stalled = await impatient.ask(client, upstream, text, {
            delivery: { cuts: [half], before: (piece) => (piece === 1 ? never.promise : undefined) },
          })
          expect(stalled.status).toBe(200)
          expect(stalled.body).toContain('Hi ')
          expect(stalled.told.complete).toBe(false)
          expect(stalled.told.error).toBeString()
          expect(stalled.told.wrong).toEqual([])
        }),
      )
    } finally {
      never.resolve()
      await impatient.stop()
    }
  })

  test('A09 I03 the first words leave when they come, and silence behind them keeps the connection', async () => {
    for (const { client, upstream } of pairs) {
      const text = plainReply[upstream].stream
      const gate = Promise.withResolvers<void>()
      const id = stage.replay.addReply(
        { status: 200, headers: { 'content-type': 'text/event-stream' }, body: Buffer.from(text), stream: true },
        { cuts: [text.indexOf('there') - 1, text.indexOf('there')], before: (piece) => (piece === 1 ? gate.promise : undefined) },
      )
      // the frame that holds the second word is cut: what is whole before it must not wait for it
      const model = `${upstream}-${id}`
      const response = await fetch(stage.gateway.url + client.path(model, true), {
        method: 'POST',
        headers: client.headers,
        body: leastRequest(client, model, true),
      })
      const reader = response.body!.getReader()
      const decoder = new TextDecoder()
      let got = ''
      while (!got.includes('Hi ')) {
        const { value, done } = await reader.read()
        if (done) throw new Error(`the stream ended early: ${got}`)
        got += decoder.decode(value, { stream: true })
      }
      expect(got).not.toContain('there')
      gate.resolve()
      for (let next = await reader.read(); !next.done; next = await reader.read()) got += decoder.decode(next.value, { stream: true })
      expect(client.streamed(got).text).toBe('Hi there')
    }
  })
})
