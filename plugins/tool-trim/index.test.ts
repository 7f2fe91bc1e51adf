import { describe, expect, test } from 'bun:test'
import { definePlugin, Session, unknownUsage } from 'headgate/plugin'
import {
  chat,
  kitOf,
  messages,
  numbered,
  read,
  resultsOf,
  run,
  type Step,
  send,
  sentBy,
  sentMessages,
  source,
  told,
} from './conversation.fixture.ts'

const file = numbered(source(120))
const twice: readonly Step[] = [{ calls: [read('src/a.ts', file)] }, { say: 'Once more', calls: [read('src/a.ts', file)] }]

describe('a result', () => {
  test('is shortened at its first sight, and what is not leaves byte for byte', async () => {
    const kit = await kitOf()
    const body = `{ "model":"test-model",  "temperature": 1.0e0, "messages": ${JSON.stringify(chat(twice))} , "seed":12345678901234567890}`
    const r = await kit.chat(body)
    const sent = sentBy(r)
    expect(sent.length).toBeLessThan(body.length - 1000)
    expect(sent.startsWith('{ "model":"test-model",  "temperature": 1.0e0, "messages": [{"role":"user"')).toBe(true)
    expect(sent.endsWith(' , "seed":12345678901234567890}')).toBe(true)
    expect(resultsOf(r.sent[0]!.json)[1]).toContain('same as tool result #1')
  })

  test('stays what it was sent as while the conversation goes on', async () => {
    const kit = await kitOf()
    const steps: Step[] = []
    let before: string[] = []
    for (let i = 0; i < 12; i++) {
      steps.push({
        say: `Step ${i}`,
        calls: [read(`src/${i % 3}.ts`, numbered(source(60, `f${i % 3}`))), run(`ls ${i}`, source(8, `o${i}`))],
      })
      const sent = sentMessages(await send(kit, chat(steps)))
      expect(sent.slice(0, before.length)).toEqual(before)
      before = sent
    }
    expect(before.join('')).toContain('same as tool result #1')
  })

  test('that stands in the prompt already is a reference to it, by what the model can see', async () => {
    const kit = await kitOf()
    const r = await send(kit, chat(twice))
    expect(resultsOf(r.sent[0]!.json)[1]).toBe('[same as tool result #1 (Read src/a.ts), all 120 lines]')
    expect(r.verdicts).toContainEqual(
      expect.objectContaining({ plugin: 'tool-trim', did: 'noted', detail: expect.stringContaining('results trimmed') }),
    )
    expect(told.trim?.tokens).toBeGreaterThan(2000)
    expect(told.trim!.classes.ref).toBeGreaterThan(2000)
  })

  test('is referred to as far back as `ref_distance` reaches', async () => {
    for (const [reach, refers] of [
      [2, true],
      [1, false],
    ] as const) {
      const kit = await kitOf({ ref_distance: reach, min_prompt: 0 })
      const steps: Step[] = [
        { calls: [read('src/a.ts', file)] },
        { calls: [run('make', source(20, 'm'))] },
        { calls: [read('src/a.ts', file)] },
      ]
      expect(resultsOf((await send(kit, chat(steps))).sent[0]!.json)[2]!.includes('same as tool result #1')).toBe(refers)
    }
  })

  test('a request without anything to trim leaves as it came', async () => {
    const kit = await kitOf()
    const r = await send(kit, chat([{ say: 'Hello', user: 'And?' }]))
    expect(r.outcome.edits?.some((edit) => edit.plugin === 'tool-trim') ?? false).toBe(false)
    expect(told.trim).toMatchObject({ tokens: 0, newTokens: 0 })
  })
})

describe('what stays as it is', () => {
  const second = async (step: Step, config: object = {}, list = messages) => {
    const kit = await kitOf(config)
    const r = await kit.messages({ messages: list([{ calls: [read('src/a.ts', file)] }, step]) })
    return resultsOf(r.sent[0]!.json)[1]
  }
  const again = read('src/a.ts', file)
  test('an error', async () => {
    expect(await second({ calls: [{ ...again, error: true }] })).toBe(file)
  })
  test('less than `min_tokens`', async () => {
    expect(await second({ calls: [again] }, { min_tokens: 10_000 })).toBe(file)
  })
  test('more than `max_result`', async () => {
    expect(await second({ calls: [again] }, { max_result: '1kb' })).toBe(file)
    // … though its lines stand there already
    const part: Step = { calls: [read('src/a.ts', numbered(source(40)))] }
    const results = async (config: object) =>
      resultsOf((await send(await kitOf({ min_prompt: 0, ...config }), chat([part, { calls: [again] }]))).sent[0]!.json)
    expect((await results({}))[1]).toContain('same as tool result #1')
    expect((await results({ max_result: '5kb' }))[1]).toBe(file)
  })
  test('what stands behind so little that nothing would be cached of a shorter prompt', async () => {
    const kit = await kitOf({ min_prompt: 6000 })
    const steps: Step[] = []
    let results: string[] = []
    for (let i = 0; i < 6; i++) {
      steps.push({ calls: [again] })
      const before = results
      results = resultsOf((await send(kit, chat(steps))).sent[0]!.json)
      expect(results.slice(0, before.length)).toEqual(before)
    }
    // some 3500 tokens each
    expect(results.map((text) => text === file)).toEqual([true, true, false, false, false, false])
    expect(results[2]).toContain('same as tool result #2')
  })
  test('a tool that the operator names', async () => {
    expect(await second({ calls: [again] }, { tools: { not: ['Re*'] } })).toBe(file)
  })
  test('a result with a picture', async () => {
    const list = messages([{ calls: [again] }, { calls: [again] }])
    const block = (list[4]!.content as Record<string, unknown>[])[0]!
    block.content = [
      { type: 'text', text: file },
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
    ]
    const kit = await kitOf()
    const r = await kit.messages({ messages: list })
    expect(resultsOf(r.sent[0]!.json)[1]).toBe(JSON.stringify(block.content))
  })
  test('what a provider brought with a tool of its own (SSE reassembly of server_tool_use input lost on replay)', async () => {
    const kit = await kitOf()
    const list = messages([{ calls: [again] }])
    const theirs = [
      { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: file } },
      { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [{ type: 'web_search_result', encrypted_content: file }] },
      { type: 'mcp_tool_result', tool_use_id: 'mcptoolu_1', is_error: false, content: [{ type: 'text', text: file }] },
    ]
    list.push({ role: 'assistant', content: theirs }, { role: 'user', content: 'Go on' })
    const r = await kit.messages({ messages: list })
    expect((r.sent[0]!.json as { messages: { content: unknown }[] }).messages[3]!.content).toEqual(theirs)
  })
  test('a marked result only when the operator wants that', async () => {
    const marked = (steps: readonly Step[]) => messages(steps, 'Fix', true)
    expect(await second({ calls: [again] }, { skip_marked: true }, marked)).toBe(file)
    expect(await second({ calls: [again] }, {}, marked)).toContain('same as tool result #1')
  })
  test('the only answer to a call that was forced', async () => {
    const kit = await kitOf()
    const first = chat([{ calls: [again] }])
    await send(kit, first, {}, { tool_choice: 'required' })
    const r = await send(kit, chat([{ calls: [again] }, { calls: [again] }]))
    expect(resultsOf(r.sent[0]!.json)[1]).toBe(file)
    const later = await send(kit, chat([{ calls: [again] }, { calls: [again] }, { calls: [again] }]))
    expect(resultsOf(later.sent[0]!.json)[1]).toBe(file)
    expect(resultsOf(later.sent[0]!.json)[2]).toContain('same as')
  })
  test.each([[{ not_models: ['test-*'] }], [{ models: ['other'] }]])(
    'everything, for a model that the operator leaves out: %j',
    async (config) => {
      const kit = await kitOf(config)
      expect(resultsOf((await send(kit, chat(twice))).sent[0]!.json)).toEqual([file, file])
      expect(told.trim).toMatchObject({ tokens: 0, reason: 'off' })
    },
  )
  test('everything, in the control group', async () => {
    const kit = await kitOf({ control_share: 100 })
    const body = JSON.stringify({ model: 'test-model', messages: chat(twice) })
    const r = await kit.chat(body)
    expect(sentBy(r)).toBe(body)
    expect(told.trim).toMatchObject({ tokens: 0, reason: 'control' })
    expect(told.trim!.savings(unknownUsage, {})).toBe(0n)
  })
  test('what a plugin above has made of a result, so that nothing comes back that was taken out', async () => {
    const redactor = definePlugin({
      api: 1,
      name: 'redactor',
      summary: 'Takes out secrets',
      failure: 'closed',
      setup: () => ({
        request(x) {
          for (const part of x.request.parts('tool_result')) x.request.replaceText(part, part.text.replaceAll('aValue7', '[removed]'))
        },
      }),
    })
    const kit = await kitOf({}, { above: [redactor] })
    const r = await send(kit, chat(twice))
    expect(sentBy(r)).not.toContain('aValue7 ')
    expect(resultsOf(r.sent[0]!.json)[1]).toBe(file.replaceAll('aValue7', '[removed]'))
  })
  test('… though the same stands there untouched', async () => {
    const redactor = definePlugin({
      api: 1,
      name: 'redactor',
      summary: 'Takes out secrets of the last result',
      failure: 'closed',
      setup: () => ({
        request(x) {
          const part = [...x.request.parts('tool_result')].at(-1)
          if (part) x.request.replaceText(part, part.text.replaceAll('aValue7', '[removed]'))
        },
      }),
    })
    const kit = await kitOf({}, { above: [redactor] })
    const r = await send(kit, chat(twice))
    expect(resultsOf(r.sent[0]!.json)).toEqual([file, file.replaceAll('aValue7', '[removed]')])
    expect(r.verdicts.filter(({ plugin }) => plugin === 'tool-trim')).toEqual([])
  })
  test('what is no conversation', async () => {
    const kit = await kitOf()
    const r = await kit.messages({ messages: 'none' })
    expect(r.sent).toHaveLength(1)
  })
})

describe('the control group', () => {
  test('is a share of the sessions, the same on every instance', async () => {
    const kit = await kitOf({ control_share: 50 })
    const groupOf = async () => {
      const group: boolean[] = []
      for (let i = 0; i < 60; i++) {
        await send(kit, chat(twice), { id: `ses_${i}` })
        group.push(told.trim!.reason === 'control')
      }
      return group
    }
    const first = await groupOf()
    expect(first.filter(Boolean).length).toBeGreaterThan(15)
    expect(first.filter(Boolean).length).toBeLessThan(45)
    expect(await kit.reload({ fresh: true })).toEqual([])
    expect(await groupOf()).toEqual(first)
  })
})

test('a request whose session nobody knows leaves as it came', async () => {
  const kit = await kitOf({}, { slots: [[Session, undefined]] })
  expect(resultsOf((await kit.chat({ messages: chat(twice) })).sent[0]!.json)).toEqual([file, file])
})

test('two megabytes of new results: others get their turn in between, and what is too large passes', async () => {
  const kit = await kitOf()
  const calls = Array.from({ length: 20 }, (_, i) => read(`src/${i}.ts`, numbered(source(1700, `f${i % 5}`))))
  let turns = 0
  let over = false
  const others = () => {
    turns++
    if (!over) setImmediate(others)
  }
  setImmediate(others)
  const huge = 'x '.repeat(200_000)
  const r = await send(kit, chat([{ calls: [...calls, run('huge', huge)] }]))
  over = true
  // in pieces of 128 KB
  expect(turns).toBeGreaterThan(10)
  expect(resultsOf(r.sent[0]!.json).at(-1)).toBe(huge)
  expect(sentBy(r).length).toBeLessThan(calls[0]!.result.length * 14 + huge.length)
})
