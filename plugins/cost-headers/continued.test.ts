/** The cost of a stream that several calls gave, one after the other: each at its own price. */

import { expect, test } from 'bun:test'
import { definePlugin } from 'headgate/plugin'
import { testPlugin, textEvents, type UpstreamAnswer } from 'headgate/testkit'
import costHeaders from './index.ts'

const [dear, cheap] = [
  { input: 100, output: 1000 },
  // a step that neither call reaches alone
  { input: 1, output: 10, long_context: { above: 2000, input: 50, output: 50 } },
]
const targets = [
  { upstream: 'openai', model: 'one', price: cheap },
  { upstream: 'openai', model: 'two', price: dear },
]
/** Asks the first target, and goes on with a broken stream at the second. */
const stitches = definePlugin({
  api: 1,
  name: 'stitches',
  summary: 'Goes on',
  failure: 'open',
  setup: (host) => ({
    request: (x) => x.setTarget(host.catalog.find('m')!.targets[0]!),
    async resume(x, _, next) {
      x.setTarget(host.catalog.find('m')!.targets[1]!)
      return await next()
    },
  }),
})
const used = (input: number, output: number) => ({ prompt_tokens: input, completion_tokens: output, total_tokens: input + output }) as const
const said = (content: string, usage: object | null) => {
  const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', usage }
  return `data: ${JSON.stringify({ ...chunk, choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`
}
const rest = (sent: { encode(events: ReturnType<typeof textEvents>): string[] }, [input, output]: [number, number]) =>
  sent.encode(
    textEvents(' two').map((event) =>
      event.type === 'usage' ? { ...event, usage: { ...event.usage, inputUncached: input, outputVisible: output } } : event,
    ),
  )

async function told(broken: UpstreamAnswer, stream_options?: object) {
  const kit = await testPlugin(costHeaders, {
    with: { body: { cost_usd: 'usage.cost', cost_unknown: 'usage.cost_unknown' } },
    models: { m: { targets } },
    below: [stitches],
    upstream: (sent, call) => (call === 0 ? broken : { body: rest(sent, [1100, 20]) }),
  })
  const r = await kit.chat({ model: 'm', stream: true, ...(stream_options && { stream_options }) })
  expect(r.text).toBe('One two')
  expect(r.outcome.continued).toHaveLength(1)
  await kit.close()
  const last = r.body.split('\n\n').findLast((frame) => frame.includes('"prompt_tokens"'))
  return (JSON.parse(last!.slice('data: '.length)) as { usage: Record<string, unknown> }).usage
}

test.each([undefined, { include_usage: true }])('is the sum of what its calls cost; the client asked: %p', async (asked) => {
  const usage = await told({ body: [said('On', used(1000, 5)), said('e', used(1000, 10))], breakAfter: 2 }, asked)
  // (1000 * 1 + 10 * 10 + 1100 * 100 + 20 * 1000) / 1e6
  expect(usage).toMatchObject({ prompt_tokens: 2100, completion_tokens: 30, cost: 0.1311 })
  expect(usage).not.toHaveProperty('cost_unknown')
})

test('is said not to be known when the call that broke off had not told all', async () => {
  const usage = await told({ body: [said('On', null), said('e', null)], breakAfter: 2 }, { include_usage: true })
  expect(usage).toMatchObject({ cost_unknown: true })
  expect(usage).not.toHaveProperty('cost')
})
