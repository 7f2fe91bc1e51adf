/** What Gemini understands in its own API, at Google AI and Vertex. Later rules win. */

import type { Capabilities } from '../capability.ts'
import { openai } from './openai.ts'
import type { Rule } from './rule.ts'

export const gemini: Capabilities = {
  ...openai,
  developer: false,
  midSystem: false,
  strict: false,
  parallelCalls: false,
  topK: true,
  penalties: false,
  efforts: ['low', 'medium', 'high'],
  thinkingBudget: true,
  cacheKey: false,
  user: false,
  metadata: false,
  store: false,
  verbosity: false,
}

const own = /^gemini-/
const levels = 'ai.google.dev/gemini-api/docs/thinking#thinking-levels'

export const geminiRules: readonly Rule[] = [
  {
    dialect: own,
    model: /^gemini-(1|2[.-]0)/,
    can: { efforts: [], thinkingBudget: false, penalties: true, imageUrls: false },
    source:
      '400 "thinking_config is not supported"; penalties on 2.0 only (google-gemini/cookbook#1290); ai.google.dev file-input-methods: no URLs for 2.0',
  },
  {
    dialect: own,
    model: /^gemini-2[.-]5/,
    can: { efforts: [] },
    source: '400 "Thinking level is not supported for this model" (Roo-Code#10700)',
  },
  {
    dialect: own,
    model: /^gemini-2[.-]5-flash-image/,
    can: { thinkingBudget: false },
    source: 'ai.google.dev/gemini-api/docs/image-generation',
  },
  {
    dialect: own,
    model: /^gemini-3-pro/,
    can: { efforts: ['low', 'high'] },
    source: `${levels}; 400 "Thinking level MEDIUM is not supported for this model"`,
  },
  {
    dialect: own,
    model: /^gemini-3(-flash|[.-]1-flash|[.-]5-flash)/,
    can: { efforts: ['minimal', 'low', 'medium', 'high'] },
    source: levels,
  },
  {
    dialect: own,
    model: /^gemini-(3[.-][6-9]-flash|3[.-]1-pro)/,
    can: { efforts: ['low', 'medium', 'high'] },
    source: `${levels}; "'minimal' is not a supported thinking level" (3.7 Flash); models.dev google/gemini-3.8-flash`,
  },
  {
    dialect: own,
    model: /^gemma/,
    can: { efforts: [], thinkingBudget: false },
    source: 'ai.google.dev/gemma/docs/core/gemma_on_gemini_api',
  },
]
