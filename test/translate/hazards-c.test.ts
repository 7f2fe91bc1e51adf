/** Hazards of calls that a model makes (C) between dialects, over real HTTP: what clients are told. What upstreams are sent: `hazards-c-sent.test.ts`. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import {
  block,
  chatStream,
  chatWhole,
  geminiStream,
  geminiWhole,
  messageEnd,
  messageStart,
  messagesStream,
  messagesWhole,
  type Name,
  othersThan,
  plainReply,
  type Stage,
  speaker,
  startStage,
} from './stage.ts'
import { history, sentResults, toolsOf } from './tools-of.ts'

setDefaultTimeout(60_000)

let stage: Stage
beforeAll(async () => {
  stage = await startStage()
})
afterAll(() => stage.stop())

const calls = (told: { calls: readonly { name: string; args: unknown }[] }) => told.calls.map(({ name, args }) => ({ name, args }))
const part = (index: number, fn: object, more: object = {}) => ({ tool_calls: [{ index, ...more, function: fn }] })

describe('calls of the model', () => {
  test('C01 arguments of Gemini arrive whole, streamed and not', async () => {
    const args = { path: '/tmp/ä b', list: [1, { x: null }], n: 1.5 }
    const parts = [{ functionCall: { name: 'look', args } }]
    for (const client of othersThan('gemini')) {
      for (const reply of [geminiStream([parts]), geminiWhole(parts)]) {
        const { told } = await stage.ask(client, 'gemini', reply, { add: toolsOf(client, ['look']) })
        expect(calls(told)).toEqual([{ name: 'look', args }])
        expect(told.wrong).toEqual([])
        expect(told.calls[0]!.id).not.toBe('')
      }
    }
  })

  test('C02 calls of Chat that share an id, or have none, stay apart and get ids of their own', async () => {
    const two = [
      { name: 'look', args: { z: 'a' } },
      { name: 'look', args: { z: 'b' } },
    ]
    const ids = { empty: ['', ''], absent: [undefined, undefined], null: [null, null], equal: ['c_1', 'c_1'], second: ['c_1', ''] }
    for (const [name, [first, second]] of Object.entries(ids)) {
      const made = [
        { id: first, type: 'function', function: { name: 'look', arguments: '{"z":"a"}' } },
        { id: second, type: 'function', function: { name: 'look', arguments: '{"z":"b"}' } },
      ]
      const message = { role: 'assistant', content: null }
      const replies = {
        whole: chatWhole({ ...message, tool_calls: made }, 'tool_calls'),
        'whole, index 0 on both': chatWhole({ ...message, tool_calls: made.map((call) => ({ index: 0, ...call })) }, 'tool_calls'),
        streamed: chatStream([{ ...message, tool_calls: made.map((call, index) => ({ index, ...call })) }], 'tool_calls'),
        ...(name !== 'equal' && {
          'streamed, index 0 on both': chatStream(
            [message, ...made.map((call) => ({ tool_calls: [{ index: 0, ...call }] }))],
            'tool_calls',
          ),
        }),
      }
      for (const client of othersThan('chat')) {
        for (const [form, reply] of Object.entries(replies)) {
          const { told } = await stage.ask(client, 'chat', reply, { add: toolsOf(client, ['look']) })
          const own = told.calls.map(({ id }) => id).filter((id) => id !== undefined && id !== '')
          const seen = { calls: calls(told), wrong: told.wrong, unique: new Set(own).size === own.length }
          expect({ client: client.name, name, form, ...seen }).toEqual({
            client: client.name,
            name,
            form,
            calls: two,
            wrong: [],
            unique: true,
          })
          if (client.name !== 'gemini') expect(own).toHaveLength(2)
        }
      }
    }
  })

  test('C02 C03 C04 C05 parallel calls, however an upstream of Chat numbers and names them', async () => {
    const two = [
      { name: 'look', args: { z: 'a' } },
      { name: 'take', args: { z: 'b' } },
    ]
    const head = { role: 'assistant', content: null }
    const streams: Readonly<Record<string, string>> = {
      'C02 index 0 on both': chatStream(
        [
          { ...head, ...part(0, { name: 'look', arguments: '{"z":"a"}' }, { id: 'c_1', type: 'function' }) },
          part(0, { name: 'take', arguments: '{"z":"b"}' }, { id: 'c_2', type: 'function' }),
        ],
        'tool_calls',
      ),
      'C03 empty names and ids in later chunks': chatStream(
        [
          { ...head, ...part(0, { name: 'look', arguments: '{"z"' }, { id: 'c_1', type: 'function' }) },
          part(0, { name: null, arguments: ':"a"}' }, { id: '' }),
          part(1, { name: 'take', arguments: '' }, { id: 'c_2', type: 'function' }),
          part(1, { name: '', arguments: '{"z":"b"}' }, { id: null }),
        ],
        'tool_calls',
      ),
      'C04 the name comes late': chatStream(
        [
          { ...head, ...part(0, { arguments: '' }, { id: 'c_1', type: 'function' }) },
          part(0, { name: 'look' }),
          part(0, { arguments: '{"z":"a"}' }),
          part(1, { name: 'take', arguments: '{"z":"b"}' }, { id: 'c_2', type: 'function' }),
        ],
        'tool_calls',
      ),
      'C05 indices with gaps': chatStream(
        [
          { ...head, ...part(3, { name: 'look', arguments: '{"z":"a"}' }, { id: 'c_1', type: 'function' }) },
          part(7, { name: 'take', arguments: '{"z":"b"}' }, { id: 'c_2', type: 'function' }),
        ],
        'tool_calls',
      ),
      'between each other': chatStream(
        [
          { ...head, ...part(0, { name: 'look', arguments: '{"z"' }, { id: 'c_1', type: 'function' }) },
          part(1, { name: 'take', arguments: '{"z":' }, { id: 'c_2', type: 'function' }),
          part(0, { arguments: ':"a"}' }),
          part(1, { arguments: '"b"}' }),
        ],
        'tool_calls',
      ),
    }
    for (const client of othersThan('chat')) {
      for (const [name, stream] of Object.entries(streams)) {
        const { told } = await stage.ask(client, 'chat', stream, { add: toolsOf(client, ['look'], ['take']) })
        expect({ client: client.name, name, calls: calls(told), wrong: told.wrong, stop: told.stop }).toEqual({
          client: client.name,
          name,
          calls: two,
          wrong: [],
          stop: 'tool_calls',
        })
      }
    }
  })

  test('C06 no arguments, null, empty and {} are all an empty object', async () => {
    for (const client of othersThan('chat')) {
      for (const args of ['', '{}', null, undefined]) {
        const fn = { name: 'look', ...(args !== undefined && { arguments: args }) }
        const tool_calls = [{ id: 'c_1', type: 'function', function: fn }]
        const whole = await stage.ask(client, 'chat', chatWhole({ tool_calls }, 'tool_calls'), { add: toolsOf(client, ['look']) })
        const stream = await stage.ask(
          client,
          'chat',
          chatStream([{ role: 'assistant', ...part(0, fn, { id: 'c_1', type: 'function' }) }], 'tool_calls'),
          { add: toolsOf(client, ['look']) },
        )
        for (const { told } of [whole, stream])
          expect({ calls: calls(told), wrong: told.wrong }).toEqual({ calls: [{ name: 'look', args: {} }], wrong: [] })
      }
    }
    for (const client of othersThan('gemini')) {
      const { told } = await stage.ask(client, 'gemini', geminiWhole([{ functionCall: { name: 'look' } }]), {
        add: toolsOf(client, ['look']),
      })
      expect(calls(told)).toEqual([{ name: 'look', args: {} }])
    }
    for (const client of othersThan('messages')) {
      const stream = messagesStream([
        messageStart(),
        ...block(0, { type: 'tool_use', id: 'toolu_1', name: 'look', input: {} }),
        ...messageEnd('tool_use'),
      ])
      expect(calls((await stage.ask(client, 'messages', stream, { add: toolsOf(client, ['look']) })).told)).toEqual([
        { name: 'look', args: {} },
      ])
    }
  })

  test('C07 arguments that the model broke do not break the reply', async () => {
    const tool_calls = [{ id: 'c_1', type: 'function', function: { name: 'look', arguments: '{"z": oops' } }]
    for (const client of othersThan('chat')) {
      const { told, status } = await stage.ask(client, 'chat', chatWhole({ tool_calls }, 'tool_calls'), { add: toolsOf(client, ['look']) })
      expect(status).toBe(200)
      expect(told.wrong).toEqual([])
      expect(JSON.stringify(told.calls[0]!.args)).toContain('oops')
    }
  })

  test('C09 ids that a client would refuse are made legal, and are found again on the next turn', async () => {
    for (const bad of ['call_abc|fc_1', 'x'.repeat(80), 'a:b c', '']) {
      const tool_calls = [{ id: bad, type: 'function', function: { name: 'look', arguments: '{}' } }]
      const { told } = await stage.ask(speaker('messages'), 'chat', chatWhole({ tool_calls }, 'tool_calls'), {
        add: toolsOf(speaker('messages'), ['look']),
      })
      expect(told.wrong).toEqual([])
      const [made] = told.calls
      const add = {
        ...toolsOf(speaker('messages'), ['look']),
        ...history(speaker('messages'), [{ id: made!.id, name: 'look', args: '{}', result: 'R' }]),
      }
      const { sent } = await stage.ask(speaker('messages'), 'chat', plainReply.chat.whole, { add })
      const { ids, resultIds } = sentResults('chat', sent[0])
      expect(resultIds).toEqual(ids)
    }
  })

  test('C21 custom tools of Codex are called as such, whatever the upstream', async () => {
    const patch = '*** Begin Patch\n*** End Patch'
    const add = {
      tools: [
        {
          type: 'custom',
          name: 'apply_patch',
          description: 'Patches',
          format: { type: 'grammar', syntax: 'lark', definition: 'start: "x"' },
        },
      ],
    }
    const replies: Readonly<Record<string, string | object>> = {
      chat: chatStream(
        [
          {
            role: 'assistant',
            ...part(0, { name: 'apply_patch', arguments: JSON.stringify({ input: patch }) }, { id: 'c_1', type: 'function' }),
          },
        ],
        'tool_calls',
      ),
      messages: messagesWhole([{ type: 'tool_use', id: 'toolu_1', name: 'apply_patch', input: { input: patch } }], 'tool_use'),
      gemini: geminiStream([[{ functionCall: { name: 'apply_patch', args: { input: patch } } }]]),
    }
    for (const [upstream, reply] of Object.entries(replies) as [Name, string | object][]) {
      const { told, body } = await stage.ask(speaker('responses'), upstream, reply, { add })
      expect(body).toContain('"custom_tool_call"')
      expect(told.wrong).toEqual([])
      expect(told.calls.map((c) => c.args)).toEqual([patch])
    }
  })

  test('C26 what a hosted tool of Claude found does not break other clients', async () => {
    const content = [
      { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'x' } },
      {
        type: 'web_search_tool_result',
        tool_use_id: 'srvtoolu_1',
        content: [{ type: 'web_search_result', url: 'https://x', title: 'X', encrypted_content: 'E' }],
      },
      { type: 'unheard_of_block', data: 1 },
      { type: 'text', text: 'Found.' },
    ]
    for (const client of othersThan('messages')) {
      const whole = await stage.ask(client, 'messages', messagesWhole(content))
      expect({ text: whole.told.text, calls: whole.told.calls, stop: whole.told.stop }).toEqual({ text: 'Found.', calls: [], stop: 'end' })
      const stream = messagesStream([
        messageStart(),
        ...content.flatMap((b, i) =>
          b.type === 'text' ? block(i, { type: 'text', text: '' }, { type: 'text_delta', text: 'Found.' }) : block(i, b),
        ),
        ...messageEnd(),
      ])
      const streamed = await stage.ask(client, 'messages', stream)
      expect({ text: streamed.told.text, calls: streamed.told.calls, wrong: streamed.told.wrong }).toEqual({
        text: 'Found.',
        calls: [],
        wrong: [],
      })
    }
  })
})
