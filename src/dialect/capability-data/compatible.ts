/**
 * What servers understand that speak OpenAI's Chat Completions without being OpenAI. Later rules win.
 *
 * One that is not named gets what all of them know: unknown members are answered with a 400 by some of them, and skipped in silence by others.
 */

import type { CapabilityEdit } from '../capability.ts'
import type { Rule } from './rule.ts'

const chat = /^openai-chat$/

/** What a server that calls itself OpenAI-compatible may be trusted to know. */
const compatible: CapabilityEdit = {
  developer: false,
  maxCompletionTokens: false,
  strict: false,
  // models that do not reason refuse the word (Ollama: "does not support thinking")
  efforts: [],
  documents: false,
  audio: false,
  cacheKey: false,
  metadata: false,
  store: false,
  verbosity: false,
}

export const compatibleRules: readonly Rule[] = [
  {
    dialect: chat,
    host: /^(?!azure$|api\.openai\.com$|.*\.openai\.azure\.com$|.*\.services\.ai\.azure\.com$)/,
    can: compatible,
    source: 'docs.ollama.com/api/openai-compatibility; docs.vllm.ai openai_compatible_server; lmstudio.ai/docs openai-compat',
  },
  {
    dialect: chat,
    host: /(^|\.)ollama(\.|$)/,
    can: { n: false, forcedTools: false, imageUrls: false },
    source: 'docs.ollama.com/api/openai-compatibility: n, tool_choice and image URLs are not ticked',
  },
  {
    dialect: chat,
    model: /gpt-oss/,
    can: { efforts: ['low', 'medium', 'high'] },
    source: 'recorded (Groq); console.groq.com/docs/reasoning',
  },
  {
    host: /(^|\.)openrouter\.ai$/,
    dialect: chat,
    can: {
      cacheMarks: true,
      maxCompletionTokens: true,
      strict: true,
      topK: true,
      verbosity: true,
      documents: true,
      efforts: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'],
    },
    source: 'openrouter.ai/docs/guides/best-practices/reasoning-tokens; recorded (files, max_completion_tokens)',
  },
  {
    host: /(^|\.)mistral\.ai$/,
    dialect: chat,
    can: { callIds: 'alnum9', streamUsage: false, strict: true, seed: false, logprobs: false, user: false, cacheKey: true },
    source: 'docs.mistral.ai/api (ChatCompletionRequest: random_seed, no user, unknown members refused); recorded (prompt_cache_key)',
  },
  {
    host: /(^|\.)mistral\.ai$/,
    dialect: chat,
    model: /^mistral-(small|medium-(3[.-][5-9]|latest))/,
    can: { efforts: ['none', 'high'] },
    source: 'docs.mistral.ai/capabilities/reasoning/adjustable; recorded (none)',
  },
  {
    host: /(^|\.)deepseek\.com$/,
    dialect: chat,
    can: { reasoningEcho: true, jsonSchema: false, images: false, n: false, seed: false, user: false, parallelCalls: false },
    source: 'api-docs.deepseek.com/api/create-chat-completion, guides/thinking_mode',
  },
  {
    host: /(^|\.)deepseek\.com$/,
    dialect: chat,
    model: /^deepseek-(reasoner|v[4-9])/,
    can: { forcedTools: false, logprobs: false },
    source: '400 "Thinking mode does not support this tool_choice" (DeepSeek-V3#1376)',
  },
  {
    host: /(^|\.)deepseek\.com$/,
    dialect: /^openai-/,
    model: /^deepseek-v[4-9]/,
    can: { efforts: ['high', 'max'] },
    source: 'api-docs.deepseek.com/guides/thinking_mode',
  },
  {
    host: /(^|\.)moonshot\.(ai|cn)$|(^|\.)kimi\.(ai|com)$/,
    dialect: chat,
    can: { reasoningEcho: true, maxCompletionTokens: true, logprobs: false, seed: false, forcedTools: false },
    source: 'platform.kimi.ai/docs/api/chat, guide/use-kimi-k2-thinking-model',
  },
  {
    host: /(^|\.)moonshot\.(ai|cn)$|(^|\.)kimi\.(ai|com)$/,
    dialect: chat,
    model: /^kimi-k(2[.-][5-9]|[3-9])/,
    can: { sampling: false, penalties: false, n: false },
    source: 'platform.kimi.ai/docs/api/models-overview: can not be modified',
  },
  {
    host: /(^|\.)(z\.ai|bigmodel\.cn)$/,
    dialect: chat,
    can: {
      jsonSchema: false,
      forcedTools: false,
      n: false,
      logprobs: false,
      penalties: false,
      seed: false,
      user: false,
      parallelCalls: false,
    },
    source: 'docs.z.ai/api-reference/llm/chat-completion',
  },
  {
    host: /(^|\.)(z\.ai|bigmodel\.cn)$/,
    dialect: chat,
    model: /^glm-(5[.-][2-9]|[6-9])/,
    can: { efforts: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] },
    source: 'docs.z.ai glm-5.2; recorded (high)',
  },
  {
    host: /(^|\.)x\.ai$/,
    dialect: /^openai-/,
    can: { maxCompletionTokens: true, strict: true, efforts: [] },
    source: 'docs.x.ai/docs/api-reference, guides/structured-outputs',
  },
  {
    host: /(^|\.)x\.ai$/,
    dialect: /^openai-/,
    model: /^grok-(3-mini|[4-9]|code)(?!.*non-reasoning)/,
    can: { penalties: false, stop: false },
    source: 'docs.x.ai/docs/guides/reasoning',
  },
  {
    host: /(^|\.)x\.ai$/,
    dialect: /^openai-/,
    model: /^grok-3-mini/,
    can: { efforts: ['low', 'high'] },
    source: 'docs.x.ai/docs/guides/reasoning',
  },
  {
    host: /(^|\.)x\.ai$/,
    dialect: /^openai-/,
    model: /^grok-4[.-]([3-9]($|-)|20-multi-agent)/,
    can: { efforts: ['low', 'medium', 'high'] },
    source: 'docs.x.ai/docs/guides/reasoning; probed in hermes-agent#23435',
  },
  {
    host: /(^|\.)groq\.com$/,
    dialect: chat,
    can: { maxCompletionTokens: true, logprobs: false, n: false, jsonSchema: false },
    source: 'console.groq.com/docs/openai, docs/structured-outputs',
  },
  {
    host: /(^|\.)groq\.com$/,
    dialect: chat,
    model: /gpt-oss|llama-4|kimi-k2/,
    can: { jsonSchema: true },
    source: 'console.groq.com/docs/structured-outputs; recorded (gpt-oss, kimi: pydantic-ai#3858)',
  },
  { host: /(^|\.)groq\.com$/, dialect: chat, model: /gpt-oss/, can: { strict: true }, source: 'console.groq.com/docs/structured-outputs' },
  {
    host: /(^|\.)cerebras\.ai$/,
    dialect: chat,
    can: { maxCompletionTokens: true, strict: true, penalties: false, parallelCalls: false, n: false },
    source: 'inference-docs.cerebras.ai/resources/openai: answered with 400',
  },
  { host: /(^|\.)cerebras\.ai$/, dialect: chat, model: /glm-4/, can: { efforts: ['none'] }, source: 'recorded' },
  {
    host: /(^|\.)together\.(ai|xyz)$/,
    dialect: chat,
    can: { topK: true, logprobs: false, user: false },
    source: 'docs.together.ai/reference/chat-completions',
  },
  {
    host: /(^|\.)fireworks\.ai$/,
    dialect: chat,
    can: { topK: true, maxCompletionTokens: true },
    source: 'docs.fireworks.ai/api-reference/post-chatcompletions',
  },
  { host: /(^|\.)snowflakecomputing\.com$/, dialect: chat, can: { finishMissing: true, maxCompletionTokens: true }, source: 'recorded' },
  {
    host: /(^|\.)googleapis\.com$|^vertex$/,
    dialect: chat,
    can: { maxCompletionTokens: true, logprobs: false, seed: false, user: false, parallelCalls: false, efforts: ['low', 'medium', 'high'] },
    source: 'ai.google.dev/gemini-api/docs/openai',
  },
  {
    host: /(^|\.)(googleapis\.com|openrouter\.ai)$|^vertex$/,
    dialect: chat,
    model: /^gemini-(2[.-]5|[3-9])/,
    can: { penalties: false },
    source: '400 "Penalty is not enabled for this model" (vercel/ai#8943, google-gemini/cookbook#1290)',
  },
]
