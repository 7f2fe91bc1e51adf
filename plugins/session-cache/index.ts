/**
 * `session-cache`: keeps the provider's prompt cache warm, gives answers again, and watches that what should be read from a cache is.
 *
 * This file joins the three parts to hooks; each has a folder and a section of the config of its own, and knows nothing of the others but what stands here.
 * Fails open: a cache that does not work costs money, and no request.
 */

import type { PrincipalValue } from 'headgate/plugin'
import {
  definePlugin,
  type Exchange,
  type Next,
  Principal,
  PromptCache,
  type PromptCacheValue,
  Session,
  type SessionValue,
  type Slot,
} from 'headgate/plugin'
import { config } from './config.ts'
import { createFanOut } from './prompt/fan-out.ts'
import { createPings } from './prompt/ping.ts'
import { createPromptPart, type PromptState } from './prompt/prompt-cache.ts'
import { createResponseCache, type ResponseState } from './response/cache.ts'
import { createWatchdog } from './watchdog/watchdog.ts'

interface State {
  readonly prompt: PromptState
  readonly response: ResponseState
}
type X = Exchange<never, Slot<SessionValue> | Slot<PrincipalValue>, Slot<PromptCacheValue>, State>

export default definePlugin({
  api: 1,
  name: 'session-cache',
  summary: "Keeps the provider's prompt cache warm and says who breaks it; gives the answer to the very same request again where asked to",
  config,
  failure: 'open',
  wants: [Session, Principal],
  provides: [PromptCache],
  usage: ({ prompt }) => prompt.enabled,
  state: (): State => ({ prompt: {}, response: {} }),
  setup(host, { prompt, response, watchdog }) {
    const answers = createResponseCache(host, response)
    const part = prompt.enabled ? createPromptPart(host, prompt, watchdog.memory) : undefined
    const fanOut = prompt.enabled && prompt.hold > 0 ? createFanOut(host, prompt) : undefined
    const pings = prompt.enabled && prompt.ping ? createPings(host, prompt) : undefined
    const watch = createWatchdog(host, watchdog)
    if (part) {
      host.gauge('session_cache_lanes', 'Lines of turns that are remembered in this process', () => [{ value: part.lanes.size }])
      host.gauge('session_cache_kept_bytes', 'Bytes of last requests that are kept to compare with', () => [{ value: part.lanes.bytes }])
    }

    return {
      request(x: X) {
        // as the client asked for it: a router below gives it another name
        x.state.prompt.asked = x.request.model
        answers?.request(x)
      },
      ...(part && { attempt: part.attempt }),
      ...((answers || fanOut) && {
        wraps(x: X) {
          if (answers?.wraps(x)) return true
          x.state.prompt.part = fanOut?.part(x)
          return x.state.prompt.part !== undefined
        },
        around(x: X, next: Next) {
          const { part } = x.state.prompt
          if (part && fanOut) return fanOut.run(part, next)
          return answers ? answers.around(x, next) : next()
        },
      }),
      ...(answers && { reply: answers.reply }),
      ...((answers || pings) && {
        event(x: X, event: Parameters<NonNullable<typeof answers>['event']>[1]) {
          answers?.event(x, event)
          pings?.event(x, event)
        },
      }),
      async settle(x: X, outcome) {
        const note = part?.settle(x, outcome, (made) => watch.judge(x, made, outcome))
        if (note) pings?.settled(x, note, outcome)
        await answers?.settle(x, outcome)
      },
      async close() {
        pings?.close()
        await part?.close()
      },
    }
  },
})
