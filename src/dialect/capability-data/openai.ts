/**
 * What OpenAI's models understand, in Chat Completions and Responses, wherever they are served. Later rules win.
 *
 * Efforts change with every generation. A model that is not named here is one to come: it gets those that all reasoning models know.
 */

import type { Capabilities } from '../capability.ts'
import type { Rule } from './rule.ts'

export const openai: Capabilities = {
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
  reasonsWithTools: true,
  sampling: true,
  temperatureWithTopP: true,
  topK: false,
  penalties: true,
  seed: true,
  stop: true,
  n: true,
  logprobs: true,
  efforts: ['low', 'medium', 'high'],
  adaptiveThinking: false,
  thinkingBudget: false,
  thinkingOff: true,
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
  prefill: false,
}

/** The Responses API has no words for these. */
export const openaiResponses: Capabilities = { ...openai, stop: false, n: false, penalties: false, seed: false, audio: false }

const any = /^openai-/
const reasoningGuide = 'developers.openai.com/api/docs/guides/reasoning; learn.microsoft.com azure openai how-to/reasoning (not supported)'
const models = 'developers.openai.com/api/docs/models, one page per model'
const table = 'community.openai.com/t/1110750, table of accepted parameters by model'

export const openaiRules: readonly Rule[] = [
  // before the fourth generation's "omni": no schemas, and nothing newer
  {
    dialect: any,
    model: /^(gpt-3\.5|gpt-4($|-(turbo|vision|32k|\d{4})))/,
    can: { jsonSchema: false, strict: false, efforts: [], verbosity: false, documents: false, audio: false },
    source: `${table}; ${models}`,
  },
  { dialect: any, model: /^(gpt-3\.5|gpt-4($|-(32k|0314|0613)))/, can: { images: false }, source: models },
  { dialect: any, model: /^gpt-4($|-(32k|0314|0613))/, can: { jsonObject: false }, source: models },
  {
    dialect: any,
    model: /^(gpt-4o|gpt-4\.[1-9]|chatgpt-4o|gpt-audio|gpt-5(\.\d)?-chat)/,
    can: { efforts: [], verbosity: false },
    source: models,
  },
  { dialect: any, model: /^chatgpt-4o/, can: { tools: false, jsonSchema: false }, source: table },
  // all but these answer "Content blocks are expected to be either text or image_url"
  { dialect: /^openai-chat$/, model: /^(gpt-4(o|\.\d)(?!.*audio)|o\d|gpt-([5-9]|\d\d))/, can: { audio: false }, source: 'recorded' },
  { dialect: any, model: /audio/, can: { jsonSchema: false, jsonObject: false, images: false, documents: false }, source: table },
  {
    dialect: /^openai-chat$/,
    model: /search-preview/,
    can: { sampling: false, penalties: false, n: false, seed: false, tools: false, parallelCalls: false },
    source: 'platform.openai.com/docs/guides/tools-web-search, chat completions models',
  },

  // reasoning models
  {
    dialect: any,
    model: /^(o[1-9]|gpt-([5-9]|\d\d))(?!(\.\d+)?-chat)|^codex-/,
    can: { sampling: false, penalties: false, logprobs: false, stop: false },
    source: reasoningGuide,
  },
  { dialect: any, model: /^o[1-9]/, can: { parallelCalls: false, verbosity: false }, source: `${reasoningGuide}; ${table}` },
  {
    dialect: /^openai-chat$/,
    model: /^(o1|o3-mini)($|-(?!mini|preview|pro))/,
    can: { stop: true },
    source: 'community.openai.com/t/1113029',
  },
  { dialect: any, model: /^o3-mini/, can: { images: false, documents: false }, source: table },
  {
    dialect: any,
    model: /^o1-(mini|preview)/,
    can: { developer: false, tools: false, jsonSchema: false, jsonObject: false, efforts: [], images: false, documents: false },
    source: `recorded (o1-mini: developer); ${table}`,
  },
  { dialect: any, model: /^gpt-5($|-(mini|nano))/, can: { efforts: ['minimal', 'low', 'medium', 'high'] }, source: models },
  { dialect: any, model: /^gpt-5\.1/, can: { efforts: ['none', 'low', 'medium', 'high'] }, source: models },
  {
    dialect: any,
    model: /^gpt-5\.[2-5]/,
    can: { efforts: ['none', 'low', 'medium', 'high', 'xhigh'] },
    source: `${models}; probed in hermes-agent#90441`,
  },
  {
    dialect: any,
    model: /^gpt-5\.([6-9]|\d\d)/,
    can: { efforts: ['none', 'low', 'medium', 'high', 'xhigh', 'max'] },
    source: 'developers.openai.com/api/docs/guides/deployment-checklist; probed in hermes-agent#90441, big-AGI#1159',
  },
  {
    dialect: any,
    model: /^gpt-[6-9]/,
    can: { efforts: ['low', 'medium', 'high', 'xhigh', 'max'] },
    source: 'models.dev openai/gpt-6-astra',
  },
  { dialect: any, model: /^gpt-5(\.1)?-codex/, can: { efforts: ['low', 'medium', 'high'], verbosity: false }, source: models },
  { dialect: any, model: /^gpt-5\.1-codex-mini/, can: { efforts: ['medium', 'high'] }, source: 'codex models-manager/models.json' },
  {
    dialect: any,
    model: /^gpt-5\.(1-codex-max|[2-5]-codex)/,
    can: { efforts: ['low', 'medium', 'high', 'xhigh'], verbosity: false },
    source: models,
  },
  { dialect: any, model: /^gpt-5-pro/, can: { efforts: ['high'] }, source: models },
  { dialect: any, model: /^gpt-5\.[2-5]-pro/, can: { efforts: ['medium', 'high', 'xhigh'] }, source: models },
  {
    dialect: any,
    model: /^gpt-5\.[1-9]-chat/,
    can: { efforts: ['medium'], sampling: false, penalties: false, logprobs: false },
    source: models,
  },
  {
    dialect: /^openai-chat$/,
    model: /^gpt-(5\.([6-9]|\d\d)|[6-9])/,
    can: { reasonsWithTools: false },
    source: 'api.openai.com, 400 "Function tools with reasoning_effort are not supported … in /v1/chat/completions" (joplin#16451)',
  },
]
