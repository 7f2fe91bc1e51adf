/**
 * Which parameters a model understands where it is served, by the names that OpenAI's and OpenRouter's clients use. For lists of models, by which clients
 * decide what to offer; decides nothing here.
 */

import type { UpstreamConfig } from '../config/model.ts'
import { capabilitiesOf } from '../dialect/capabilities.ts'
import type { Capabilities } from '../dialect/capability.ts'
import type { Target } from '../plugin/host.ts'

const dialects: Readonly<Record<string, string>> = { openai: 'openai-chat', anthropic: 'anthropic-messages', gemini: 'gemini-generate' }

/** Asked for one target at a time; of upstreams that speak a plugin's dialect nothing is known. */
export function knownParameters(upstreams: readonly UpstreamConfig[]): (target: Target) => readonly string[] | undefined {
  const byName = new Map(upstreams.map((upstream) => [upstream.name, upstream]))
  return ({ upstream: name, model }) => {
    const upstream = byName.get(name)
    const dialect = upstream && dialects[upstream.dialect]
    if (!upstream || dialect === undefined || /embed/i.test(model)) return undefined
    const { host, base_url: base, capabilities: given } = upstream
    const can = capabilitiesOf(dialect, host ?? (URL.canParse(base) ? new URL(base).hostname : base), model)
    return parametersOf({ ...can, ...(given as Partial<Capabilities> | undefined) })
  }
}

function parametersOf(can: Capabilities): readonly string[] {
  const when = (known: boolean, ...names: readonly string[]) => (known ? names : [])
  return [
    'max_tokens',
    ...when(can.sampling, 'temperature', 'top_p'),
    ...when(can.sampling && can.topK, 'top_k'),
    ...when(can.stop, 'stop'),
    ...when(can.penalties, 'frequency_penalty', 'presence_penalty'),
    ...when(can.seed, 'seed'),
    ...when(can.logprobs, 'logprobs', 'top_logprobs'),
    ...when(can.tools, 'tools', 'tool_choice'),
    ...when(can.tools && can.parallelCalls, 'parallel_tool_calls'),
    // without a schema of its own a forced tool stands in
    ...when(can.jsonObject || can.jsonSchema || can.tools, 'response_format'),
    ...when(can.jsonSchema, 'structured_outputs'),
    ...when(can.efforts.length > 0 || can.thinkingBudget || can.adaptiveThinking, 'reasoning', 'include_reasoning'),
  ]
}
