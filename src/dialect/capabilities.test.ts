import { describe, expect, test } from 'bun:test'
import { capabilitiesOf, rules } from './capabilities.ts'
import type { Capabilities } from './capability.ts'
import { modelName } from './model-name.ts'

describe('names of models', () => {
  test.each([
    ['claude-opus-4-7', 'claude-opus-4-7'],
    ['anthropic/claude-opus-4.7', 'claude-opus-4-7'],
    ['us.anthropic.claude-opus-4-7-20260416-v1:0', 'claude-opus-4-7'],
    ['global.anthropic.claude-opus-4-6-v1', 'claude-opus-4-6'],
    ['us.anthropic.claude-sonnet-4-5-20250929-v1%3A0', 'claude-sonnet-4-5'],
    ['arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0', 'claude-sonnet-4'],
    ['anthropic.claude-v2:1', 'claude-v2'],
    ['claude-sonnet-4@20250514', 'claude-sonnet-4'],
    ['claude-3-5-sonnet-v2@20241022', 'claude-3-5-sonnet'],
    ['anthropic/claude-3.7-sonnet:thinking', 'claude-3-7-sonnet'],
    ['claude-4.7-opus', 'claude-opus-4-7'],
    ['claude-5-sonnet', 'claude-sonnet-5'],
    ['databricks-claude-sonnet-4-5', 'claude-sonnet-4-5'],
    ['claude-3-haiku-20240307', 'claude-3-haiku'],
    ['publishers/google/models/gemini-2.5-pro', 'gemini-2.5-pro'],
    ['models/gemini-3-flash-preview', 'gemini-3-flash-preview'],
    ['openai/gpt-5.2', 'gpt-5.2'],
    ['ft:gpt-4o-mini-2024-07-18:org::id', 'gpt-4o-mini'],
    ['GPT-4o-2024-08-06', 'gpt-4o'],
    ['gpt-oss:20b', 'gpt-oss'],
    ['openai.gpt-oss-120b-1:0', 'gpt-oss-120b-1'],
    ['us.amazon.nova-2-lite-v1:0', 'nova-2-lite-v1'],
    ['gpt-4.1', 'gpt-4.1'],
    ['my-deployment', 'my-deployment'],
    ['', ''],
  ])('%s is %s', (given, name) => expect(modelName(given)).toBe(name))
})

type Facts = Partial<Capabilities>
const openai = 'api.openai.com'
const anthropic = 'api.anthropic.com'
const google = 'generativelanguage.googleapis.com'
const reasoning: Facts = { sampling: false, penalties: false, logprobs: false, stop: false, maxCompletionTokens: true, developer: true }
const four = ['low', 'medium', 'high', 'xhigh']

describe('what is known of a model at a host', () => {
  test.each<[string, string, string, Facts]>([
    // OpenAI
    [
      'openai-chat',
      openai,
      'gpt-4o',
      { sampling: true, efforts: [], verbosity: false, jsonSchema: true, strict: true, documents: true, audio: false },
    ],
    ['openai-chat', openai, 'gpt-4o-2024-08-06', { efforts: [], stop: true, logprobs: true, n: true }],
    ['openai-chat', openai, 'gpt-4.1-mini', { efforts: [], verbosity: false, sampling: true }],
    ['openai-chat', openai, 'gpt-4-turbo', { jsonSchema: false, jsonObject: true, images: true, strict: false }],
    ['openai-chat', openai, 'gpt-4', { jsonSchema: false, jsonObject: false, images: false }],
    ['openai-chat', openai, 'gpt-3.5-turbo', { jsonSchema: false, jsonObject: true, images: false }],
    ['openai-chat', openai, 'gpt-4o-audio-preview', { audio: true, jsonSchema: false, images: false }],
    ['openai-chat', openai, 'gpt-4o-search-preview', { tools: false, sampling: false }],
    ['openai-chat', openai, 'o1', { ...reasoning, stop: true, parallelCalls: false, efforts: ['low', 'medium', 'high'] }],
    ['openai-chat', openai, 'o1-mini', { developer: false, tools: false, efforts: [], stop: false }],
    ['openai-chat', openai, 'o3-mini', { ...reasoning, stop: true, images: false, verbosity: false }],
    ['openai-chat', openai, 'o4-mini', { ...reasoning, parallelCalls: false, images: true }],
    ['openai-chat', openai, 'gpt-5', { ...reasoning, efforts: ['minimal', 'low', 'medium', 'high'], verbosity: true, parallelCalls: true }],
    ['openai-chat', openai, 'gpt-5-nano', { ...reasoning, efforts: ['minimal', 'low', 'medium', 'high'] }],
    ['openai-responses', openai, 'gpt-5-codex', { efforts: ['low', 'medium', 'high'], verbosity: false, sampling: false }],
    ['openai-responses', openai, 'gpt-5-pro', { efforts: ['high'] }],
    ['openai-chat', openai, 'gpt-5-chat-latest', { sampling: true, efforts: [], verbosity: false }],
    ['openai-chat', openai, 'gpt-5.1', { ...reasoning, efforts: ['none', 'low', 'medium', 'high'] }],
    ['openai-chat', openai, 'gpt-5.1-chat-latest', { sampling: false, efforts: ['medium'] }],
    ['openai-responses', openai, 'gpt-5.1-codex-max', { efforts: four }],
    ['openai-chat', openai, 'gpt-5.2', { ...reasoning, efforts: ['none', ...four], reasonsWithTools: true }],
    ['openai-responses', openai, 'gpt-5.2-pro', { efforts: ['medium', 'high', 'xhigh'] }],
    ['openai-responses', openai, 'gpt-5.3-codex', { efforts: four }],
    ['openai-chat', openai, 'gpt-5.4-mini-2026-03-17', { efforts: ['none', ...four] }],
    ['openai-chat', openai, 'gpt-5.6-sol', { efforts: ['none', ...four, 'max'], reasonsWithTools: false }],
    ['openai-responses', openai, 'gpt-5.6', { efforts: ['none', ...four, 'max'], reasonsWithTools: true, stop: false, n: false }],
    ['openai-responses', openai, 'gpt-6-astra', { efforts: [...four, 'max'], sampling: false }],
    ['openai-responses', openai, 'gpt-9', { sampling: false }],
    ['openai-chat', 'azure', 'gpt-5-mini', { ...reasoning, strict: true }],
    ['openai-chat', 'azure', 'my-deployment', { maxCompletionTokens: true, sampling: true, efforts: ['low', 'medium', 'high'] }],
    // others that speak Chat
    [
      'openai-chat',
      'localhost',
      'qwen3:8b',
      { developer: false, maxCompletionTokens: false, strict: false, efforts: [], store: false, jsonSchema: true, streamUsage: true },
    ],
    ['openai-chat', '10.0.0.7', 'gpt-oss:20b', { efforts: ['low', 'medium', 'high'], developer: false }],
    ['openai-chat', 'ollama', 'llama3', { n: false, forcedTools: false, imageUrls: false }],
    [
      'openai-chat',
      'openrouter.ai',
      'openai/gpt-5',
      { cacheMarks: true, efforts: ['none', 'minimal', ...four], developer: false, sampling: false },
    ],
    ['openai-chat', 'openrouter.ai', 'google/gemini-2.5-flash', { penalties: false, topK: true }],
    [
      'openai-chat',
      'api.mistral.ai',
      'mistral-large-latest',
      { callIds: 'alnum9', seed: false, streamUsage: false, efforts: [], forcedTools: true },
    ],
    ['anthropic-messages', 'api.anthropic.com', 'claude-sonnet-4-5', { prefill: true }],
    ['anthropic-messages', 'api.anthropic.com', 'claude-opus-4-6', { prefill: false }],
    ['bedrock-converse', 'bedrock', 'eu.anthropic.claude-sonnet-4-6', { prefill: false }],
    ['anthropic-messages', 'api.anthropic.com', 'claude-opus-5', { prefill: false }],
    ['openai-chat', 'api.mistral.ai', 'mistral-small-latest', { efforts: ['none', 'high'] }],
    ['openai-chat', 'api.mistral.ai', 'magistral-small-latest', { efforts: [] }],
    [
      'openai-chat',
      'api.deepseek.com',
      'deepseek-v4-pro',
      { reasoningEcho: true, jsonSchema: false, forcedTools: false, efforts: ['high', 'max'] },
    ],
    ['openai-chat', 'api.deepseek.com', 'deepseek-chat', { jsonObject: true, forcedTools: true, efforts: [] }],
    ['openai-chat', 'api.moonshot.ai', 'kimi-k2.6', { sampling: false, reasoningEcho: true, n: false, forcedTools: false }],
    ['openai-chat', 'api.moonshot.ai', 'kimi-k2-thinking', { sampling: true, reasoningEcho: true }],
    ['openai-chat', 'api.z.ai', 'glm-4.7', { jsonSchema: false, jsonObject: true, forcedTools: false, efforts: [] }],
    ['openai-chat', 'api.x.ai', 'grok-4', { penalties: false, stop: false, efforts: [], jsonSchema: true }],
    ['openai-chat', 'api.x.ai', 'grok-3-mini', { efforts: ['low', 'high'], stop: false }],
    ['openai-chat', 'api.x.ai', 'grok-4-fast-non-reasoning', { penalties: true, stop: true, efforts: [] }],
    ['openai-chat', 'api.x.ai', 'grok-4.3', { efforts: ['low', 'medium', 'high'] }],
    ['openai-chat', 'api.x.ai', 'grok-4.20', { efforts: [] }],
    [
      'openai-chat',
      'api.groq.com',
      'openai/gpt-oss-120b',
      { jsonSchema: true, strict: true, efforts: ['low', 'medium', 'high'], n: false, logprobs: false },
    ],
    [
      'openai-chat',
      'api.groq.com',
      'llama-3.3-70b-versatile',
      { jsonSchema: false, jsonObject: true, efforts: [], maxCompletionTokens: true },
    ],
    [
      'openai-chat',
      'api.cerebras.ai',
      'gpt-oss-120b',
      { penalties: false, parallelCalls: false, strict: true, efforts: ['low', 'medium', 'high'] },
    ],
    ['openai-chat', 'api.cerebras.ai', 'zai-glm-4.7', { efforts: ['none'] }],
    ['openai-chat', 'api.together.xyz', 'meta-llama/Llama-3.3-70B', { topK: true, logprobs: false, maxCompletionTokens: false }],
    ['openai-chat', 'api.fireworks.ai', 'accounts/fireworks/models/kimi-k2', { topK: true, sampling: true }],
    ['openai-chat', 'x.snowflakecomputing.com', 'claude-sonnet-4-6', { finishMissing: true }],
    ['openai-chat', google, 'gemini-2.5-flash', { penalties: false, developer: false, maxCompletionTokens: true }],
    // Claude
    [
      'anthropic-messages',
      anthropic,
      'claude-3-haiku-20240307',
      { adaptiveThinking: false, thinkingBudget: false, jsonSchema: false, efforts: [] },
    ],
    ['anthropic-messages', anthropic, 'claude-3-7-sonnet-latest', { adaptiveThinking: false, thinkingBudget: true, efforts: [] }],
    [
      'anthropic-messages',
      anthropic,
      'claude-sonnet-4-20250514',
      { adaptiveThinking: false, thinkingBudget: true, jsonSchema: false, temperatureWithTopP: true },
    ],
    ['anthropic-messages', anthropic, 'claude-opus-4-1', { jsonSchema: false, temperatureWithTopP: false, efforts: [] }],
    [
      'anthropic-messages',
      anthropic,
      'claude-sonnet-4-5',
      { adaptiveThinking: false, thinkingBudget: true, jsonSchema: true, strict: true, efforts: [], sampling: true },
    ],
    ['anthropic-messages', anthropic, 'claude-haiku-4-5-20251001', { adaptiveThinking: false, efforts: [], jsonSchema: true }],
    ['anthropic-messages', anthropic, 'claude-opus-4-5', { adaptiveThinking: false, efforts: ['low', 'medium', 'high'] }],
    [
      'anthropic-messages',
      anthropic,
      'claude-opus-4-6',
      { adaptiveThinking: true, thinkingBudget: true, efforts: ['low', 'medium', 'high', 'max'], sampling: true },
    ],
    [
      'anthropic-messages',
      anthropic,
      'claude-opus-4-7',
      { sampling: false, thinkingBudget: false, efforts: [...four, 'max'], thinkingOff: true, midSystem: false },
    ],
    ['anthropic-messages', anthropic, 'claude-opus-4-8', { sampling: false, midSystem: true }],
    [
      'anthropic-messages',
      anthropic,
      'claude-sonnet-5',
      { sampling: false, thinkingBudget: false, thinkingOff: true, midSystem: true, forcedTools: true },
    ],
    ['anthropic-messages', anthropic, 'claude-opus-5-5', { sampling: false, efforts: [...four, 'max'] }],
    ['anthropic-messages', anthropic, 'claude-fable-5', { thinkingOff: false, forcedTools: false, sampling: false }],
    ['anthropic-messages', anthropic, 'claude-mythos-preview', { efforts: ['low', 'medium', 'high', 'max'], thinkingOff: false }],
    ['anthropic-messages', anthropic, 'claude', { adaptiveThinking: true, sampling: true }],
    [
      'anthropic-messages',
      'bedrock',
      'us.anthropic.claude-opus-4-7-v1:0',
      { sampling: false, thinkingBudget: false, imageUrls: false, jsonSchema: false },
    ],
    [
      'anthropic-messages',
      'bedrock',
      'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
      { jsonSchema: true, imageUrls: false, adaptiveThinking: false },
    ],
    ['anthropic-messages', 'vertex', 'claude-opus-4-7@20260416', { sampling: false, jsonSchema: false, imageUrls: false }],
    [
      'anthropic-messages',
      'us-east5-aiplatform.googleapis.com',
      'claude-sonnet-4-5@20250929',
      { imageUrls: false, temperatureWithTopP: false },
    ],
    ['anthropic-messages', 'azure', 'claude-sonnet-4-6', { jsonSchema: false, adaptiveThinking: true }],
    [
      'bedrock-converse',
      'bedrock',
      'us.anthropic.claude-sonnet-4-6',
      { jsonSchema: true, strict: true, adaptiveThinking: true, imageUrls: false },
    ],
    ['bedrock-converse', 'bedrock', 'global.anthropic.claude-sonnet-5', { sampling: false, jsonSchema: false }],
    ['bedrock-converse', 'bedrock', 'us.amazon.nova-2-lite-v1:0', { forcedTools: true, cacheMarks: true, jsonSchema: false }],
    ['bedrock-converse', 'bedrock', 'us.meta.llama4-maverick-17b-instruct-v1:0', { forcedTools: false, cacheMarks: false }],
    ['bedrock-converse', 'bedrock', 'qwen.qwen3-32b-v1:0', { jsonSchema: true }],
    // others that speak Messages
    [
      'anthropic-messages',
      'api.deepseek.com',
      'deepseek-v4-pro',
      { jsonSchema: false, adaptiveThinking: false, thinkingBudget: true, forcedTools: false },
    ],
    ['anthropic-messages', 'api.z.ai', 'glm-4.7', { jsonSchema: false, strict: false, imageUrls: false }],
    // Gemini
    ['gemini-generate', google, 'gemini-2.0-flash', { efforts: [], thinkingBudget: false, penalties: true, imageUrls: false }],
    ['gemini-generate', google, 'gemini-2.5-pro', { efforts: [], thinkingBudget: true, penalties: false, imageUrls: true }],
    ['gemini-generate', google, 'models/gemini-3-pro-preview', { efforts: ['low', 'high'] }],
    ['gemini-generate', 'vertex', 'gemini-3-flash-preview', { efforts: ['minimal', 'low', 'medium', 'high'], imageUrls: true }],
    ['gemini-generate', google, 'gemini-3.1-pro-preview', { efforts: ['low', 'medium', 'high'] }],
    ['gemini-generate', google, 'gemini-3.5-flash', { efforts: ['minimal', 'low', 'medium', 'high'] }],
    ['gemini-generate', google, 'gemini-3.7-flash', { efforts: ['low', 'medium', 'high'] }],
    ['gemini-generate', google, 'gemini-4-pro', { efforts: ['low', 'medium', 'high'], parallelCalls: false, user: false }],
  ])('%s at %s: %s', (dialect, host, model, facts) => {
    expect(capabilitiesOf(dialect, host, model)).toMatchObject(facts as Record<string, unknown>)
  })

  test('the config wins, the last edit first', () => {
    const can = capabilitiesOf('openai-chat', openai, 'gpt-5', { sampling: true, n: false }, { n: true })
    expect(can).toMatchObject({ sampling: true, n: true, stop: false })
  })
})

test('every rule says where it is from', () => {
  for (const rule of rules) expect(rule.source.length).toBeGreaterThan(5)
})
