/**
 * What Claude understands, in Messages and in Converse, at Anthropic, Bedrock, Vertex and Azure; and what others do that speak Messages or are on Bedrock.
 * Later rules win. Names are those of `model-name.ts`.
 */

import type { Capabilities } from '../capability.ts'
import { openai } from './openai.ts'
import type { Rule } from './rule.ts'

export const anthropic: Capabilities = {
  ...openai,
  developer: false,
  midSystem: false,
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
  prefill: true,
}

export const converse: Capabilities = {
  ...anthropic,
  strict: false,
  parallelCalls: false,
  jsonSchema: false,
  imageUrls: false,
  user: false,
}

const any = /^anthropic-|^bedrock-/
const effort = 'platform.claude.com/docs/en/build-with-claude/effort'
const thinking = 'platform.claude.com/docs/en/build-with-claude/extended-thinking, adaptive-thinking'
const migration = 'platform.claude.com/docs/en/about-claude/models/migration-guide'
const structured = 'platform.claude.com/docs/en/build-with-claude/structured-outputs'
/** From the one that reasons only as it likes on: Opus 4.7, and all of the fifth generation. */
const newest = /^claude-(opus-4-([7-9]|\d\d)|[a-z]+-([5-9]|\d\d)|mythos)/

export const anthropicRules: readonly Rule[] = [
  {
    dialect: any,
    model: /^claude-(v?[123]|instant)/,
    can: { adaptiveThinking: false, thinkingBudget: false, efforts: [], jsonSchema: false, strict: false },
    source: `${thinking}; ${structured}`,
  },
  { dialect: any, model: /^claude-3-7/, can: { thinkingBudget: true }, source: thinking },
  {
    dialect: any,
    model: /^claude-(v?2|instant)/,
    can: { tools: false, images: false, documents: false },
    source: 'platform.claude.com/docs/en/about-claude/models/overview',
  },
  {
    dialect: any,
    model: /^claude-(opus|sonnet)-4(-[01])?($|-(?!\d))/,
    can: { adaptiveThinking: false, efforts: [], jsonSchema: false, strict: false },
    source: `${effort}; ${structured}`,
  },
  { dialect: any, model: /^claude-(opus|sonnet|haiku)-4-[1-6]($|-)/, can: { temperatureWithTopP: false }, source: migration },
  { dialect: any, model: /^claude-(sonnet|haiku)-4-5/, can: { adaptiveThinking: false, efforts: [] }, source: effort },
  { dialect: any, model: /^claude-opus-4-5/, can: { adaptiveThinking: false, efforts: ['low', 'medium', 'high'] }, source: effort },
  {
    dialect: any,
    model: /^claude-(opus|sonnet)-4-6/,
    can: { efforts: ['low', 'medium', 'high', 'max'] },
    source: `recorded (xhigh refused); ${effort}`,
  },
  {
    dialect: any,
    model: /^claude-((opus|sonnet|haiku)-4-([6-9]|\d\d)|[a-z]+-([5-9]|\d\d)|mythos)/,
    can: { prefill: false },
    source: `${migration}: from 4.6 on a trailing assistant turn is answered with 400 "Prefilling assistant messages is not supported"; opencode#25725`,
  },
  {
    dialect: any,
    model: newest,
    can: { sampling: false, thinkingBudget: false, efforts: ['low', 'medium', 'high', 'xhigh', 'max'] },
    source: `${migration}: sampling and budget_tokens are answered with 400; ${effort}`,
  },
  {
    dialect: /^anthropic-/,
    model: /^claude-(opus-4-([89]|\d\d)|[a-z]+-([5-9]|\d\d))/,
    can: { midSystem: true },
    source: 'recorded (Opus 4.8, Fable 5, without a beta flag)',
  },
  { dialect: any, model: /^claude-mythos-preview/, can: { efforts: ['low', 'medium', 'high', 'max'] }, source: effort },
  {
    dialect: any,
    model: /^claude-(fable|mythos)/,
    can: { thinkingOff: false, forcedTools: false },
    source: `${thinking}: they always think, 400 "thinking.type.disabled is not supported"; a forced tool is refused beside that`,
  },

  {
    dialect: any,
    model: /^(?!claude)/,
    can: { prefill: false },
    source: 'Not documented for others that speak Messages or are on Bedrock',
  },

  // hosts of Claude
  {
    dialect: /^anthropic-/,
    host: /^bedrock$|(^|\.)amazonaws\.com(\.cn)?$|^vertex$|(^|\.)googleapis\.com$/,
    can: { imageUrls: false, jsonSchema: false, strict: false },
    source:
      '400 "URL sources are not supported" (anthropic-sdk-typescript#1038); structured outputs are off by default on Vertex: docs.cloud.google.com partner-models/claude/structured_outputs',
  },
  {
    dialect: /^anthropic-|^bedrock-converse/,
    host: /^bedrock$|(^|\.)amazonaws\.com(\.cn)?$/,
    model: /^claude-(sonnet-4-[56]|haiku-4-5|opus-4-[56])/,
    can: { jsonSchema: true, strict: true },
    source: 'docs.aws.amazon.com/bedrock userguide/claude-messages-structured-outputs; recorded (Converse, Sonnet 4.5 and 4.6)',
  },
  {
    dialect: /^anthropic-/,
    host: /^azure$|(^|\.)services\.ai\.azure\.com$/,
    can: { jsonSchema: false, strict: false },
    source: `${structured}: beta on Microsoft Foundry`,
  },

  // others that speak Messages
  {
    dialect: /^anthropic-/,
    model: /^(deepseek|kimi|glm|minimax|qwen|mimo|step|longcat|doubao)/,
    can: { jsonSchema: false, strict: false, adaptiveThinking: false, efforts: [], documents: false, imageUrls: false },
    source: 'api-docs.deepseek.com/guides/anthropic_api; platform.kimi.ai, docs.z.ai: Claude API compatibility',
  },
  {
    dialect: /^anthropic-/,
    host: /(^|\.)deepseek\.com$/,
    can: { forcedTools: false, images: false },
    source: 'api-docs.deepseek.com/guides/anthropic_api; awesome-deepseek-integration#598',
  },

  // others on Bedrock
  {
    dialect: /^bedrock-converse$/,
    model: /^(?!claude|nova|mistral)/,
    can: { forcedTools: false },
    source: 'docs.aws.amazon.com/bedrock APIReference ToolChoice: any and tool are for Claude 3 and Nova, any for Mistral',
  },
  {
    dialect: /^bedrock-converse$/,
    model: /^(?!claude)/,
    can: { cacheMarks: false },
    source: 'docs.aws.amazon.com/bedrock userguide/prompt-caching',
  },
  {
    dialect: /^bedrock-converse$/,
    model: /^nova/,
    can: { cacheMarks: true },
    source: 'docs.aws.amazon.com/bedrock userguide/prompt-caching',
  },
  {
    dialect: /^bedrock-converse$/,
    model: /^(minimax-m2|nemotron-nano|qwen3-32b|glm-4[.-]7)/,
    can: { jsonSchema: true },
    source: 'recorded; docs.aws.amazon.com/bedrock userguide/structured-output',
  },
]
