/**
 * `cohere-chat`: an example of a dialect that a plugin brings. With it in the list, upstreams may be Cohere's Chat API v2, and mounts may serve it:
 *
 *     upstreams:
 *       cohere: { dialect: cohere-chat, base_url: https://api.cohere.com, key: "${env:CO_API_KEY}" }
 *     plugins:
 *       - use: ./plugins/examples/cohere-chat/index.ts
 */

import { defineDialect } from 'headgate/dialect'
import { definePlugin } from 'headgate/plugin'
import { cohereChat } from './codec.ts'

const dialect = defineDialect({
  name: 'cohere-chat',
  operations: [{ operation: 'chat', suffix: '/v2/chat', dialect: cohereChat }],
  // where Cohere's models differ from OpenAI's
  capabilities: {
    developer: false,
    parallelCalls: false,
    topK: true,
    n: false,
    logprobs: false,
    efforts: [],
    thinkingBudget: true,
    documents: false,
    audio: false,
    cacheKey: false,
    user: false,
    metadata: false,
    store: false,
    verbosity: false,
    reasoningEcho: true,
  },
})

export default definePlugin({
  api: 1,
  name: 'cohere-chat',
  summary: 'Lets upstreams and clients speak the Chat API of Cohere, version 2',
  failure: 'open',
  dialects: [dialect],
  setup: () => ({}),
})
