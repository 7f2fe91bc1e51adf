/** Models and their targets for the tests of where a request goes. */

import { type PluginKit, type Result, type SentRequest, type TestPluginOptions, testPlugin } from 'headgate/testkit'
import router from './index.ts'

export const target = (upstream: string, model: string, more: object = {}) => ({ upstream, model, ...more })
/** `spread` has three targets of one upstream, `acme/big` one of each API. */
export const models = {
  'acme/big': { targets: [target('openai', 'big'), target('anthropic', 'big-a')] },
  'acme/small': { targets: [target('openai', 'small')] },
  'other/same': { targets: [target('openai', 'same-1')] },
  'third/same': { targets: [target('openai', 'same-2')] },
  spread: { targets: ['s1', 's2', 's3'].map((model) => target('openai', model)) },
}

/** The router in a gateway of its own. */
export async function kitOf(config: object = {}, options: TestPluginOptions = {}): Promise<PluginKit> {
  return await testPlugin(router, { models, ...options, with: { backoff: '1ms', ...config } })
}
export const modelOf = (sent: SentRequest | undefined) => (sent?.json as { model: string } | undefined)?.model
/** What was asked for upstream, call by call. */
export const modelsOf = ({ sent }: Result) => sent.map(modelOf)
export const errorOf = ({ json }: Result) => (json as { error: { message: string; param?: string; code?: string } }).error
