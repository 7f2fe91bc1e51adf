/**
 * What an upstream model understands: the defaults of the dialect's own provider, what is known of the host and the model, and the config, which wins.
 *
 * Consulted for translated requests; for others only about usage and the end of streams. The data stands in `capability-data`, each rule with its source.
 */

import type { Capabilities, CapabilityEdit } from './capability.ts'
import { anthropic, anthropicRules, converse } from './capability-data/anthropic.ts'
import { compatibleRules } from './capability-data/compatible.ts'
import { gemini, geminiRules } from './capability-data/gemini.ts'
import { openai, openaiResponses, openaiRules } from './capability-data/openai.ts'
import type { Rule } from './capability-data/rule.ts'
import { modelName } from './model-name.ts'

const byDialect: Readonly<Record<string, Capabilities>> = {
  'openai-chat': openai,
  'openai-responses': openaiResponses,
  'anthropic-messages': anthropic,
  'gemini-generate': gemini,
  'bedrock-converse': converse,
}

/** Later rules win: what a host does to all its models comes before what one model is. */
export const rules: readonly Rule[] = [
  ...compatibleRules.slice(0, 2),
  ...openaiRules,
  ...compatibleRules.slice(2),
  ...anthropicRules,
  ...geminiRules,
]

/** @param host kind of the host that wraps the dialect, else host name of the base URL */
export function capabilitiesOf(dialect: string, host: string, model: string, ...edits: readonly CapabilityEdit[]): Capabilities {
  const name = modelName(model)
  let can = byDialect[dialect] ?? openai
  for (const rule of rules) {
    if (rule.dialect && !rule.dialect.test(dialect)) continue
    if (rule.host && !rule.host.test(host)) continue
    if (rule.model && !rule.model.test(name)) continue
    can = { ...can, ...rule.can }
  }
  for (const edit of edits) can = { ...can, ...edit }
  return can
}
