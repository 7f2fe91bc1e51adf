/** Whose conversation it is: the ledger of one caller says nothing to another, even where a session has the same name. */

import { expect, test } from 'bun:test'
import { definePlugin, Principal, Session, type Trimmer, Trimmers } from 'headgate/plugin'
import { chat, kitOf, resultsOf, run, sentMessages, source } from './conversation.fixture.ts'

const list = chat([{ calls: [run('make', `done\n${source(30, 's')}`)] }])
const more = [...list, { role: 'assistant', content: 'Done' }, { role: 'user', content: 'And?' }]

test.each([
  ['the same session name', 'ses_1'],
  ['session names of their own', 'ses_2'],
])('two callers with %s and the same words share no entry', async (_, theirs) => {
  // what was written down under one version shows in what is sent under the next
  let word = 'v1:'
  const made: Trimmer[] = [
    {
      name: 'version',
      class: 'byte',
      encode: ({ text }) => (text.startsWith('done\n') ? word + text.slice(400) : undefined),
      decode: (text) => (text.startsWith(word) ? `done\n${source(30, 's')}`.slice(0, 400) + text.slice(word.length) : undefined),
    },
  ]
  const provider = definePlugin({
    api: 1,
    name: 'provider',
    summary: 'Brings a class that changes',
    provides: [Trimmers],
    failure: 'closed',
    setup: () => ({ request: (x) => x.put(Trimmers, made) }),
  })
  const kit = await kitOf({ min_prompt: 0 }, { above: [provider], slots: [[Principal, undefined]] })
  const send = async (id: string, session: string, messages: object[]) => {
    const r = await kit.chat(
      { messages },
      {
        slots: [
          [Session, { id: session, turn: 1 }],
          [Principal, { id, account: id, kind: 'key', tags: [] }],
        ],
      },
    )
    expect(r.status).toBe(200)
    return r
  }
  const first = await send('key_a', 'ses_1', list)
  expect(resultsOf(first.sent[0]!.json)[0]).toStartWith('v1:')
  word = 'v2:'
  // memory is gone: only the ledger could tell
  expect(await kit.reload({ fresh: true })).toEqual([])
  const other = await send('key_b', theirs, list)
  expect(resultsOf(other.sent[0]!.json)[0]).toStartWith('v2:')
  const own = sentMessages(await send('key_a', 'ses_1', more))
  expect(own.slice(0, list.length)).toEqual(sentMessages(first))
})
