/**
 * What upstream models understand, as data: the defaults of each dialect's own provider, and known deviations by host and model.
 *
 * Consulted only for translated requests. Sources: the providers' reference pages, and answers seen in recorded traffic (PROTOCOL §0.7, §1.3, §1.4). The
 * config of an upstream or a target wins over everything here.
 */

import type { Capabilities, CapabilityEdit } from './capability.ts'

const openai: Capabilities = {
  developer: true,
  midSystem: true,
  maxCompletionTokens: true,
  strict: true,
  parallelCalls: true,
  streamUsage: true,
  jsonSchema: true,
  jsonObject: true,
  tools: true,
  forcedTools: true,
  sampling: true,
  temperatureWithTopP: true,
  topK: false,
  penalties: true,
  seed: true,
  stop: true,
  n: true,
  logprobs: true,
  efforts: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'],
  adaptiveThinking: false,
  thinkingBudget: false,
  images: true,
  imageUrls: true,
  documents: true,
  audio: true,
  cacheMarks: false,
  cacheKey: true,
  user: true,
  metadata: true,
  store: true,
  verbosity: true,
  reasoningEcho: false,
  callIds: 'any',
  toolName: 64,
  finishMissing: false,
}

/** What a server that calls itself OpenAI-compatible may be trusted to know. */
const compatible: CapabilityEdit = {
  developer: false,
  maxCompletionTokens: false,
  strict: false,
  topK: false,
  efforts: ['low', 'medium', 'high'],
  documents: false,
  audio: false,
  cacheKey: false,
  user: true,
  metadata: false,
  store: false,
  verbosity: false,
}

const anthropic: Capabilities = {
  ...openai,
  developer: false,
  midSystem: false,
  strict: true,
  topK: true,
  penalties: false,
  seed: false,
  n: false,
  logprobs: false,
  jsonObject: false,
  efforts: ['low', 'medium', 'high', 'max'],
  adaptiveThinking: true,
  thinkingBudget: true,
  audio: false,
  cacheMarks: true,
  cacheKey: false,
  metadata: false,
  store: false,
  verbosity: false,
  callIds: 'word',
  toolName: 128,
}

const gemini: Capabilities = {
  ...openai,
  developer: false,
  midSystem: false,
  strict: false,
  parallelCalls: false,
  topK: true,
  efforts: ['minimal', 'low', 'medium', 'high'],
  thinkingBudget: true,
  imageUrls: false,
  cacheKey: false,
  user: false,
  metadata: false,
  store: false,
  verbosity: false,
}

const byDialect: Readonly<Record<string, Capabilities>> = {
  'openai-chat': openai,
  'openai-responses': { ...openai, stop: false, n: false, penalties: false, seed: false },
  'anthropic-messages': anthropic,
  'gemini-generate': gemini,
  'bedrock-converse': {
    ...anthropic,
    strict: false,
    parallelCalls: false,
    jsonSchema: false,
    imageUrls: false,
    user: false,
  },
}

interface Rule {
  readonly dialect?: RegExp
  /** Matched against the host name of the base URL. */
  readonly host?: RegExp
  readonly model?: RegExp
  readonly can: CapabilityEdit
}

/** Later rules win. */
const rules: readonly Rule[] = [
  { dialect: /^openai-chat$/, host: /^(?!api\.openai\.com$|.*\.openai\.azure\.com$)/, can: compatible },
  // reasoning models of OpenAI take no sampling parameters
  { dialect: /^openai-/, model: /^(o[1-9]|gpt-5)(?!.*chat)/, can: { sampling: false, penalties: false, logprobs: false, stop: false } },
  { dialect: /^openai-/, model: /^o1-(mini|preview)/, can: { developer: false, tools: false } },
  {
    host: /(^|\.)openrouter\.ai$/,
    can: { cacheMarks: true, maxCompletionTokens: true, efforts: ['minimal', 'low', 'medium', 'high', 'xhigh'], documents: true },
  },
  { host: /(^|\.)mistral\.ai$/, can: { callIds: 'alnum9', streamUsage: false, efforts: [], user: false } },
  { host: /(^|\.)deepseek\.com$/, can: { reasoningEcho: true, jsonSchema: false, images: false, efforts: [], user: false } },
  { host: /(^|\.)moonshot\.(ai|cn)$/, can: { reasoningEcho: true, jsonSchema: true, efforts: [] } },
  { host: /(^|\.)x\.ai$/, can: { penalties: false, stop: true, efforts: ['low', 'high'] } },
  { host: /(^|\.)groq\.com$/, can: { maxCompletionTokens: true, logprobs: false, n: false } },
  {
    host: /(^|\.)googleapis\.com$/,
    dialect: /^openai-chat$/,
    can: { maxCompletionTokens: true, logprobs: false, seed: false, user: false },
  },
  // Claude: which thinking a model knows; the newest reject sampling parameters
  {
    dialect: /^anthropic-|^bedrock-/,
    model: /claude-(2|3|instant)/,
    can: { adaptiveThinking: false, efforts: [], jsonSchema: false, strict: false },
  },
  { dialect: /^anthropic-|^bedrock-/, model: /claude-3-7/, can: { thinkingBudget: true } },
  { dialect: /^anthropic-|^bedrock-/, model: /claude-3-(5|opus|haiku|sonnet)|claude-(2|instant)/, can: { thinkingBudget: false } },
  {
    dialect: /^anthropic-|^bedrock-/,
    model: /claude-(sonnet|opus|haiku)-4(-0|-1|-5|-20|@|$)/,
    can: { adaptiveThinking: false, temperatureWithTopP: false },
  },
  { dialect: /^anthropic-|^bedrock-/, model: /claude-(sonnet|opus)-4(-0|-1|-20|@|$)/, can: { jsonSchema: false, strict: false } },
  {
    dialect: /^anthropic-|^bedrock-/,
    model: /claude-(opus-4-[7-9]|(sonnet|opus|haiku|fable|mythos)-[5-9])/,
    can: { sampling: false, midSystem: true, efforts: ['low', 'medium', 'high', 'xhigh', 'max'] },
  },
  { dialect: /^gemini-/, model: /gemini-(1|2\.0)/, can: { efforts: [], thinkingBudget: false } },
  { dialect: /^gemini-/, model: /gemini-2\.5/, can: { efforts: [], thinkingBudget: true } },
]

/** What a model understands: the dialect's defaults, known deviations, then `edits`, the last of which wins. */
export function capabilitiesOf(dialect: string, host: string, model: string, ...edits: readonly CapabilityEdit[]): Capabilities {
  const name = model.slice(model.lastIndexOf('/') + 1)
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
