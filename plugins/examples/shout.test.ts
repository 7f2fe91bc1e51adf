import { expect, test } from 'bun:test'
import type { Exchange, Host, StreamEvent } from 'headgate/plugin'
import shout from './shout.ts'

/** What the plugin makes of one event: the event that leaves. */
async function passed(event: StreamEvent, language?: string) {
  const hooks = await shout.setup({} as Host, language === undefined ? {} : { language })
  return hooks.event?.({} as Exchange, event) ?? event
}

test('text leaves in capitals, in its own choice', async () => {
  expect(await passed({ type: 'text', text: 'straße, 3 ñ', choice: 2 })).toEqual({ type: 'text', text: 'STRASSE, 3 Ñ', choice: 2 })
})

test('a text cut anywhere gives the same as the whole text', async () => {
  const text = 'Hello wörld, ﬁne 👍🏽 𐐨'
  for (let cut = 0; cut <= text.length; cut++) {
    if (/^[\udc00-\udfff]/.test(text.slice(cut))) continue // no codec cuts inside a character
    const halves = await Promise.all([text.slice(0, cut), text.slice(cut)].map((half) => passed({ type: 'text', text: half, choice: 0 })))
    expect(halves.map((half) => ('text' in half ? half.text : '')).join('')).toBe('HELLO WÖRLD, FINE 👍🏽 𐐀')
  }
})

test('nothing else is touched: the same object leaves', async () => {
  const others: StreamEvent[] = [
    { type: 'start', id: 'a' },
    { type: 'reasoning', text: 'hm', choice: 0, signature: 'abc' },
    { type: 'tool_call', index: 0, choice: 0, id: 'call_1', name: 'f', arguments: '{"a":"b"}' },
    { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
    { type: 'native', data: '{"x":"y"}' },
    { type: 'end' },
  ]
  for (const event of others) expect(await passed(event)).toBe(event)
})

test('capitals of the configured language; a wrong tag stops the start', async () => {
  expect(await passed({ type: 'text', text: 'i', choice: 0 }, 'tr')).toMatchObject({ text: 'İ' })
  await expect(passed({ type: 'text', text: 'i', choice: 0 }, 'no such tag')).rejects.toThrow(RangeError)
})
