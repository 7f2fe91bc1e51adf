import { createResponseCache, type ResponseState } from '../../plugins/session-cache/response/cache.ts'
import { responseConfig } from '../../plugins/session-cache/response/config.ts'
import { definePlugin, Principal, PromptCache, Type } from '../../src/plugin/index.ts'
export const responseOnly = definePlugin({
  api: 1,
  name: 'session-cache',
  summary: 'x',
  failure: 'open',
  usage: true,
  config: Type.Object({ response: responseConfig }),
  wants: [Principal],
  provides: [PromptCache],
  state: () => ({ response: {} as ResponseState }),
  setup: (host, config) => createResponseCache(host, config.response) as never,
})
