/** Models whose targets fail by name, for the tests of fallback and hedging. */

import { type PluginKit, type SentRequest, type TestPluginOptions, testPlugin, type UpstreamAnswer } from 'headgate/testkit'
import router from './index.ts'

/** `m` is served by three models of one upstream, `small` and `large` differ in their context. */
const models = {
  m: { targets: ['one', 'two', 'three'].map((model) => ({ upstream: 'openai', model })) },
  mixed: {
    targets: [
      { upstream: 'openai', model: 'one' },
      { upstream: 'anthropic', model: 'two' },
    ],
  },
  near: {
    targets: [
      { upstream: 'openai', model: 'one' },
      { upstream: 'openai', model: 'two' },
      { upstream: 'anthropic', model: 'three' },
    ],
  },
  single: { targets: [{ upstream: 'openai', model: 'one' }] },
  small: { targets: [{ upstream: 'openai', model: 'one' }], context: 1000 },
  large: { targets: [{ upstream: 'openai', model: 'two' }], context: 5000 },
}
const quick = { backoff: '1ms' }

export async function kitOf(options: TestPluginOptions = {}): Promise<PluginKit> {
  return await testPlugin(router, { models, ...options, with: { ...quick, ...options.with } })
}

type Answers = Readonly<Record<string, UpstreamAnswer | readonly UpstreamAnswer[] | ((sent: SentRequest) => UpstreamAnswer)>>

/** What each model at the upstream answers, call by call; the last for all further ones. */
export function byModel(answers: Answers): (sent: SentRequest) => UpstreamAnswer {
  const calls = new Map<string, number>()
  return (sent) => {
    const { model } = sent.json as { model: string }
    const n = calls.get(model) ?? 0
    calls.set(model, n + 1)
    const answer = answers[model] ?? { text: model }
    if (typeof answer === 'function') return answer(sent)
    return Array.isArray(answer) ? (answer[Math.min(n, answer.length - 1)] as UpstreamAnswer) : (answer as UpstreamAnswer)
  }
}
