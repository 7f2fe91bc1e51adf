import { describe, expect, test } from 'bun:test'
import { promptUnits } from '../../src/json/prompt-units.ts'
import type { SessionValue } from '../../src/plugin/index.ts'
import { judgePlugins } from './judge-plugins.ts'
import { type Passed, side } from './watch.ts'

const lines = Array.from({ length: 40 }, (_, i) => `${i + 1}\tconst value${i} = ${i * 7}`).join('\n')
const mark = { cache_control: { type: 'ephemeral' } }
const layout = { tools: ['tools'], system: ['system'], messages: ['messages'] }

type Message = Readonly<Record<string, unknown>>
const call = (id: string): Message => ({ role: 'assistant', content: [{ type: 'tool_use', id, name: 'Read', input: {} }] })
const result = (id: string, content: string): Message => ({ role: 'user', content: [{ type: 'tool_result', tool_use_id: id, content }] })

function body(messages: readonly Message[], more: object = {}) {
  const tools = [{ name: 'Read', input_schema: { type: 'object' }, ...mark }]
  const bytes = new TextEncoder().encode(JSON.stringify({ model: 'm', tools, messages, ...more }))
  return side('anthropic-messages', bytes, promptUnits(bytes, layout))
}

interface Change {
  readonly session?: Partial<SessionValue>
  readonly sent?: readonly Message[]
  readonly more?: object
  readonly trimmed?: Record<string, number>
}

/** A run of three requests, of which the last is not as it should be. */
function run(change: Change = {}): string {
  const said: Message[] = [{ role: 'user', content: 'read' }, call('a'), result('a', lines), call('b'), result('b', lines)]
  const short = [...said.slice(0, 4), result('b', '[same as tool result #1 (Read x), all 40 lines]')]
  const passed = [1, 3, 5].map((count, i): Passed => {
    const last = i === 2
    return {
      operation: 'messages',
      headers: new Headers({ 'x-claude-code-session-id': 'c' }),
      client: body(said.slice(0, count)),
      sent: { ...body(last ? (change.sent ?? short) : said.slice(0, count), last ? change.more : {}), translated: false },
      session: { id: 's', turn: i + 1, lane: 'l', source: 'client', ...(last && change.session) },
      trimmed: last ? (change.trimmed ?? { ref: 100 }) : {},
      settled: true,
    }
  })
  return judgePlugins(passed, { id: 'x-claude-code-session-id' })
}

const ahead: Message[] = [{ role: 'user', content: 'read' }, call('a'), result('a', lines), call('b')]

describe('a run of an agent', () => {
  test('that is as it should be', () => expect(run()).toBe(''))
  test.each<[string, Change, RegExp]>([
    ['another session', { session: { id: 't' } }, /2 sessions/],
    ['another lane', { session: { lane: 'k' } }, /2 lanes/],
    ['a session that was not found by its id', { session: { source: 'prefix' } }, /2 of 3 requests/],
    ['a turn that is not counted', { session: { turn: 2 } }, /turns are counted 1, 2, 2/],
    ['nothing trimmed', { trimmed: {} }, /nothing was trimmed/],
    ['a class that loses something', { trimmed: { 'lossy-entry': 9 } }, /with loss/],
    ['a line that is gone', { sent: [...ahead, result('b', lines.replace('const value7 =', 'const'))] }, /reads/],
    [
      'a reference to itself',
      { sent: [...ahead, result('b', '[same as tool result #2 (Read x), all 40 lines]')] },
      /stands for|leads to|longer/,
    ],
    ['a result that is gone', { sent: ahead }, /0 results of 1/],
    ['an envelope that is not the same', { more: { temperature: 1 } }, /envelope/],
    ['a message that is not the same', { sent: [{ role: 'user', content: 'Read' }, ...ahead.slice(1), result('b', lines)] }, /unit 1/],
    ['a mark more', { sent: [...ahead, { ...result('b', lines), ...mark }] }, /unit 5/],
    [
      'a result of before that was trimmed later',
      { sent: [...ahead.slice(0, 2), result('a', 'x'), call('b'), result('b', lines)] },
      /request 3 does not begin/,
    ],
  ])('with %s', (_name, change, why) => expect(run(change)).toMatch(why))
})
