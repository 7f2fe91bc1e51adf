import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { type BadUpstream, type Misbehaviour, refusedUrl, startBadUpstream } from './bad-upstream.ts'
import { sampleText } from './sample-replies.ts'
import { within } from './within.ts'

let bad: BadUpstream
beforeAll(async () => {
  bad = await startBadUpstream()
})
afterAll(() => bad.stop())

/** What a client sees: status, and the body or the error code of reading it. */
async function see(how: Misbehaviour, stream = true, path = '/v1/chat/completions'): Promise<{ status: number; text: string }> {
  bad.next(how)
  try {
    const response = await send(stream, path)
    return { status: response.status, text: await response.text().catch((e: { code?: string }) => `! ${e.code}`) }
  } catch (e) {
    return { status: 0, text: `! ${(e as { code?: string }).code}` }
  }
}
function send(stream: boolean, path: string, signal?: AbortSignal): Promise<Response> {
  return fetch(bad.url + path, { method: 'POST', body: JSON.stringify({ model: 'm', stream }), ...(signal ? { signal } : {}) })
}

describe('correct replies are correct', () => {
  test('for both SDKs, whole and streamed', async () => {
    const openai = new OpenAI({ apiKey: 'k', baseURL: `${bad.url}/v1`, maxRetries: 0 })
    const anthropic = new Anthropic({ apiKey: 'k', baseURL: bad.url, maxRetries: 0 })
    const chat = { model: 'm', messages: [{ role: 'user' as const, content: 'x' }] }
    expect((await openai.chat.completions.create(chat)).choices[0]!.message.content).toBe(sampleText)
    const streamed = await openai.chat.completions.stream(chat).finalChatCompletion()
    expect(streamed.choices[0]!.message.content).toBe(sampleText)
    for (const message of [
      await anthropic.messages.create({ ...chat, max_tokens: 9 }),
      await anthropic.messages.stream({ ...chat, max_tokens: 9 }).finalMessage(),
    ]) {
      expect(message.content[0]).toMatchObject({ type: 'text', text: sampleText })
      expect(message.usage).toMatchObject({ input_tokens: 11, output_tokens: 3 })
    }
  })
})

describe('what a client sees', () => {
  test.each<[Misbehaviour, string]>([
    [{ do: 'close-before-head' }, '! ECONNRESET'],
    [{ do: 'close-before-head', by: 'reset' }, '! ECONNRESET'],
    [{ do: 'half-head' }, '! ECONNRESET'],
  ])('%j: no reply', async (how, text) => {
    expect(await see(how)).toEqual({ status: 0, text })
  })

  test.each<[Misbehaviour, number, string]>([
    [{ do: 'status', status: 529 }, 529, 'Overloaded'],
    [{ do: 'status', status: 418, body: 'teapot' }, 418, 'teapot'],
    [{ do: 'html' }, 502, '<html>'],
    [{ do: 'error-in-200' }, 200, '{"error"'],
    [{ do: 'error-in-200', body: 'null' }, 200, 'null'],
    [{ do: 'first-frame-error' }, 200, 'data: {"error"'],
    [{ do: 'error-after-content' }, 200, 'friend'],
    [{ do: 'cut-before-content', by: 'complete' }, 200, '"role"'],
    [{ do: 'cut-before-content', by: 'eof' }, 200, '! ECONNRESET'],
    [{ do: 'cut-after-content', by: 'complete', halfFrame: true }, 200, 'friend'],
    [{ do: 'cut-after-content', by: 'reset' }, 200, '! ECONNRESET'],
    [{ do: 'length-lie' }, 200, '! ECONNRESET'],
    [{ do: 'wrong-form' }, 200, '"chat.completion"'],
    [{ do: 'gzip' }, 200, '[DONE]'],
  ])('%j', async (how, status, text) => {
    const seen = await see(how)
    expect(seen.status).toBe(status)
    expect(seen.text).toContain(text)
    expect(seen.text.includes('[DONE]')).toBe(how.do === 'gzip')
  })

  test('empty replies are empty; errors in Anthropic streams have their event line', async () => {
    expect(await see({ do: 'empty' })).toEqual({ status: 200, text: '' })
    expect(await see({ do: 'empty', stream: true })).toEqual({ status: 200, text: '' })
    const { text } = await see({ do: 'first-frame-error' }, true, '/v1/messages')
    expect(text).toStartWith('event: error\ndata: {"type":"error"')
  })

  test('a refused port is refused', async () => {
    const url = await refusedUrl()
    expect(await fetch(url).catch((e: { code?: string }) => e.code)).toBe('ECONNREFUSED')
  })
})

describe('calls', () => {
  test.each<[Misbehaviour]>([[{ do: 'hang-before-head' }], [{ do: 'hang-after-head' }], [{ do: 'hang-mid-stream' }]])(
    '%j waits, then goes on properly when released',
    async (how) => {
      bad.next(how)
      const n = bad.calls.length
      const response = send(true, '/v1/chat/completions')
      const call = await within(2000, 'the call', bad.call(n))
      await within(2000, 'held', call.held)
      call.release()
      expect(await (await response).text()).toEndWith('[DONE]\n\n')
      expect(await within(2000, 'closed', call.closed)).toBe('finished')
    },
  )

  test.each<[Misbehaviour]>([[{ do: 'hang-before-head' }], [{ do: 'hang-mid-stream' }], [{ do: 'flood' }]])(
    'G09: %j sees the client leave',
    async (how) => {
      bad.next(how)
      const n = bad.calls.length
      const leave = new AbortController()
      const reading = send(true, '/v1/chat/completions', leave.signal).then((r) => r.text())
      reading.catch(() => {})
      const call = await within(2000, 'the call', bad.call(n))
      if (how.do === 'flood') while (call.sent() < 100_000) await Bun.sleep(1)
      else await call.held
      leave.abort()
      expect(await within(2000, 'closed', call.closed)).toBe('peer')
      await reading.catch(() => {})
      await within(
        2000,
        'no call runs',
        until(() => bad.running() === 0),
      )
    },
  )

  test('a behaviour can be bound to a model', async () => {
    bad.forModel('m', { do: 'status', status: 500 })
    expect((await send(false, '/v1/chat/completions')).status).toBe(500)
  })
})

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1)
}
