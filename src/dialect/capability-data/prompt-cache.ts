/**
 * Prompt caches of the providers: minimums, lifetimes, relative prices, marks and where they may stand, hints for their routing.
 *
 * Numbers change several times a year and sources disagree, so each rule has the date on which it was read. Later rules win. Nothing here says when a
 * mark is worth its price: that is the business of who places them.
 */

import type { CacheFacts, CacheFactsEdit } from '../../plugin/cache-facts.ts'

export interface CacheRule {
  readonly dialect?: RegExp
  /** Kind of the host (`azure`, `vertex`, `bedrock`) where there is one, else host name of the base URL. */
  readonly host?: RegExp
  /** Matched against the maker's own name (`model-name.ts`). */
  readonly model?: RegExp
  /** Without `key`: whether a server takes one is a capability. */
  readonly is: Omit<CacheFactsEdit, 'key'> & { readonly asOf: string; readonly source: string }
}

const minutes = 60_000
const hour = 3_600_000

/** Of a server that nothing is known of. */
export const unknownCache: CacheFacts = {
  caching: 'none',
  maxMarks: 0,
  places: [],
  blocks: [],
  minimum: 1024,
  lifetime: 5 * minutes,
  write: 1,
  writeLong: 1,
  read: 1,
  key: false,
  perKeyPerMinute: 12,
  slowEntries: false,
  invalidators: [],
  asOf: '2026-11-21',
  source: 'nothing is known',
}

const claudePage = 'platform.claude.com/docs/en/build-with-claude/prompt-caching'
const claudePrices = 'platform.claude.com/docs/en/about-claude/pricing'
const bedrockPage = 'docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html; APIReference CachePointBlock'
const openaiPage = 'developers.openai.com/api/docs/guides/prompt-caching'
const openaiHosts = /^azure$|^api\.openai\.com$|\.openai\.azure\.com$|\.services\.ai\.azure\.com$/
const chatOrResponses = /^openai-(chat|responses)$/
const anthropic = /^anthropic-/
const claude = /^claude/
/** From GPT-5.6 on writing costs, and marks are understood. */
const gptMarked = /^gpt-(5[.-]([6-9]|\d\d)|([6-9]|\d\d)($|[.-]))/

/** Claude's own way, wherever it is served in its own API. */
const claudeCache: CacheFactsEdit = {
  caching: 'marks',
  marks: 'cache_control',
  maxMarks: 4,
  lookBack: 20,
  places: ['tools', 'system', 'messages'],
  // not on thoughts, nor on empty texts
  blocks: [
    'text',
    'image',
    'document',
    'search_result',
    'tool_use',
    'tool_result',
    'server_tool_use',
    'web_search_tool_result',
    'web_fetch_tool_result',
    'container_upload',
  ],
  minimum: 1024,
  lifetime: 5 * minutes,
  longLifetime: hour,
  longName: '1h',
  write: 1.25,
  writeLong: 2,
  read: 0.1,
  slowEntries: true,
  invalidators: ['tool_choice', 'thinking', 'speed'],
}

const minimums: readonly (readonly [model: RegExp, minimum: number])[] = [
  [/^claude-3-(5-)?haiku/, 2048],
  [/^claude-(opus-4-[56]|haiku-4-5)/, 4096],
  [/^claude-opus-4-7/, 2048],
  [/^claude-(opus|fable|mythos)-([5-9]|\d\d)/, 512],
]

export const cacheRules: readonly CacheRule[] = [
  // OpenAI
  {
    dialect: chatOrResponses,
    host: openaiHosts,
    is: { caching: 'auto', minimum: 1024, lifetime: 5 * minutes, read: 0.5, asOf: '2026-11-21', source: openaiPage },
  },
  {
    dialect: chatOrResponses,
    host: openaiHosts,
    model: /^(gpt-4[.-]1|o3(?!-mini)|o4)/,
    is: { read: 0.25, asOf: '2026-11-21', source: 'openai.com/api/pricing' },
  },
  {
    dialect: chatOrResponses,
    host: openaiHosts,
    model: /^gpt-[5-9]/,
    is: { read: 0.1, asOf: '2026-11-21', source: 'openai.com/api/pricing' },
  },
  {
    dialect: chatOrResponses,
    host: openaiHosts,
    model: gptMarked,
    is: {
      marks: 'prompt_cache_breakpoint',
      maxMarks: 3, // one of the four writes is the provider's own, at the newest message
      places: ['system', 'messages'], // not on tools, nor on `instructions`
      blocks: ['text', 'input_text', 'image_url', 'input_image', 'file', 'input_file'],
      lifetime: 30 * minutes,
      write: 1.25,
      writeLong: 1.25,
      slowEntries: true,
      asOf: '2026-11-21',
      source: `${openaiPage}; openai-node src/resources/chat/completions (PromptCacheOptions)`,
    },
  },

  // Claude
  { dialect: anthropic, is: { ...claudeCache, asOf: '2026-11-21', source: claudePage } },
  // others that speak Messages cache by themselves and skip the marks
  {
    dialect: anthropic,
    model: /^(deepseek|kimi|glm|minimax|qwen|mimo|step|longcat|doubao)/,
    is: {
      caching: 'auto',
      marks: undefined,
      maxMarks: 0,
      write: 1,
      writeLong: 1,
      slowEntries: false,
      asOf: '2026-11-21',
      source: 'api-docs.deepseek.com/guides/anthropic_api (cache_control: ignored); platform.kimi.ai, docs.z.ai',
    },
  },
  {
    dialect: /^bedrock-converse$/,
    model: claude,
    is: {
      ...claudeCache,
      marks: 'cachePoint',
      blocks: ['text', 'image', 'document', 'toolUse', 'toolResult', 'video', 'guardContent'],
      longLifetime: undefined,
      longName: undefined,
      invalidators: ['additionalModelRequestFields'],
      asOf: '2026-11-21',
      source: bedrockPage,
    },
  },
  {
    dialect: /^bedrock-converse$/,
    model: /^claude-((opus|sonnet|haiku)-4-([5-9]|\d\d)|[a-z]+-([5-9]|\d\d))/,
    is: { longLifetime: hour, longName: '1h', asOf: '2026-11-21', source: bedrockPage },
  },
  {
    dialect: anthropic,
    host: /^bedrock$|(^|\.)amazonaws\.com(\.cn)?$/,
    model: /^claude-(3|(opus|sonnet)-4($|-[01]($|-)))/,
    is: { longLifetime: undefined, longName: undefined, asOf: '2026-11-21', source: bedrockPage },
  },
  {
    dialect: /^bedrock-converse$/,
    model: /^nova/,
    is: {
      caching: 'marks',
      marks: 'cachePoint',
      maxMarks: 4,
      places: ['system', 'messages'],
      blocks: ['text', 'image', 'document', 'toolUse', 'toolResult', 'video'],
      minimum: 1000,
      lifetime: 5 * minutes,
      write: 1,
      writeLong: 1,
      read: 0.25,
      asOf: '2026-11-21',
      source: bedrockPage,
    },
  },

  // Gemini: implicit, and explicit objects that cost storage
  {
    dialect: /^gemini-/,
    is: {
      caching: 'auto',
      minimum: 2048,
      lifetime: 3 * minutes,
      read: 0.1,
      asOf: '2026-11-21',
      source: 'ai.google.dev/gemini-api/docs/caching',
    },
  },
  {
    dialect: /^gemini-/,
    model: /^gemini-(1|2[.-]0)/,
    is: { caching: 'none', asOf: '2026-11-21', source: 'ai.google.dev/gemini-api/docs/caching' },
  },
  {
    dialect: /^gemini-/,
    model: /^gemini-([3-9]|\d\d)/,
    is: { minimum: 4096, asOf: '2026-11-21', source: 'ai.google.dev/gemini-api/docs/caching' },
  },

  // others that speak Chat
  {
    // in its Messages, too
    host: /(^|\.)deepseek\.com$/,
    is: {
      caching: 'auto',
      minimum: 64,
      lifetime: 2 * hour,
      read: 0.02,
      asOf: '2026-10-27',
      source: 'api-docs.deepseek.com/guides/kv_cache, quick_start/pricing',
    },
  },
  {
    host: /(^|\.)deepseek\.com$/,
    model: /^deepseek-v4-pro/,
    is: { read: 1 / 30, asOf: '2026-10-27', source: 'api-docs.deepseek.com/quick_start/pricing' },
  },
  {
    dialect: chatOrResponses,
    host: /(^|\.)x\.ai$/,
    is: {
      caching: 'auto',
      read: 0.25,
      conversationHeader: 'x-grok-conv-id',
      asOf: '2026-11-21',
      source: 'docs.x.ai prompt-caching/maximizing-cache-hits',
    },
  },
  {
    dialect: chatOrResponses,
    host: /(^|\.)mistral\.ai$/,
    is: { caching: 'auto', minimum: 64, read: 0.1, asOf: '2026-11-21', source: 'docs.mistral.ai/api (prompt_cache_key)' },
  },
  {
    dialect: chatOrResponses,
    host: /(^|\.)(moonshot\.(ai|cn)|kimi\.(ai|com)|z\.ai|bigmodel\.cn|fireworks\.ai)$/,
    is: { caching: 'auto', minimum: 1024, read: 0.5, asOf: '2026-11-21', source: 'the pricing pages of these providers' },
  },
  {
    dialect: chatOrResponses,
    host: /(^|\.)groq\.com$/,
    is: { caching: 'auto', lifetime: 2 * hour, read: 0.5, asOf: '2026-11-21', source: 'console.groq.com/docs/prompt-caching' },
  },
  {
    dialect: chatOrResponses,
    host: /(^|\.)openrouter\.ai$/,
    is: {
      caching: 'auto',
      minimum: 1024,
      read: 0.5,
      asOf: '2026-11-21',
      source: 'openrouter.ai/docs/guides/best-practices/prompt-caching',
    },
  },
  {
    dialect: /^openai-chat$/,
    host: /(^|\.)openrouter\.ai$/,
    model: claude,
    is: {
      ...claudeCache,
      // on parts of messages only; what stands on a tool is not said to be passed on
      places: ['system', 'messages'],
      blocks: ['text', 'image_url', 'file'],
      invalidators: ['tool_choice', 'reasoning'],
      asOf: '2026-11-21',
      source: 'openrouter.ai/docs/guides/best-practices/prompt-caching',
    },
  },
  // last, for the ways above say another price and minimum
  { model: /^claude-(fable|mythos)-5-[1-9]/, is: { read: 0.025, asOf: '2026-11-21', source: claudePrices } },
  { model: /^claude-(opus|sonnet)-5-[5-9]/, is: { read: 0.05, asOf: '2026-11-21', source: claudePrices } },
  ...minimums.map(([model, minimum]) => ({ model, is: { minimum, asOf: '2026-10-01', source: `${claudePage}#cache-limitations` } })),
]
