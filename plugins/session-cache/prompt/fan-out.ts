/** Which exchanges hold each other up, by what they begin with and where they go. The waiting itself is in `hold.ts`. */

import type { CacheFacts, Host, Next, Reply } from 'headgate/plugin'
import { Principal, Session } from 'headgate/plugin'
import type { PromptConfig } from './config.ts'
import { createBeginnings, hashText } from './hold.ts'
import { identify } from './identity.ts'
import type { X } from './prompt-cache.ts'

/** What an exchange is in a fan-out, and how long what it writes can be read. */
export interface Part {
  readonly role: NonNullable<ReturnType<ReturnType<typeof createBeginnings>['enter']>>
  readonly lifetime: number
}

export interface FanOut {
  /** The part that the exchange has; undefined when it just goes. Asked once. */
  part(x: X): Part | undefined
  run(part: Part, next: Next): Promise<Reply>
  readonly waiting: number
}

/** Bytes of a token, at the most usual. */
const bytesPerToken = 4

export function createFanOut(host: Host, config: PromptConfig): FanOut {
  const beginnings = createBeginnings(host.now)
  const least = config.hold_from * bytesPerToken
  let waiting = 0
  const held = host.counter('session_cache_held_total', 'Requests that waited for another one with the same uncached beginning')

  const factsOf = (x: X): CacheFacts | undefined => {
    const target = x.target ?? host.catalog.find(x.request.model)?.targets[0]
    return target && host.catalog.promptCache(target.upstream, target.model)
  }
  return {
    part(x) {
      const { prompt } = x.state
      if (prompt.entered || config.hold <= 0 || x.operation === 'count_tokens') return undefined
      prompt.entered = true
      const last = x.peek(Session)?.last
      if (last?.warmUntil !== undefined && last.warmUntil > host.now()) return undefined
      const facts = factsOf(x)
      if (!facts?.slowEntries) return undefined
      const { borrowed: bytes, units } = x.request
      const end = units.at(-1)
      if (!end) return undefined
      prompt.who ??= identify(x, prompt.asked ?? x.request.model)
      const { who } = prompt
      // a lane that goes on finds its own entry
      if (!who?.fresh) return undefined
      const keys: string[] = []
      if (who.beginningBytes >= least) keys.push(who.beginning)
      const first = units.findIndex((unit) => unit.kind === 'message')
      const from = units[first]
      if (from && end.start - from.start + who.beginningBytes >= least && end.start > from.start) {
        const caller = x.peek(Principal)?.account ?? ''
        keys.push(hashText(caller, who.beginning, bytes.subarray(from.start, end.start)))
      }
      const role = beginnings.enter(keys)
      return role && { role, lifetime: facts.lifetime }
    },
    async run({ role, lifetime }, next) {
      if ('wait' in role) {
        held.add()
        waiting++
        let timer: ReturnType<typeof setTimeout> | undefined
        const late = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, config.hold)
        })
        const after = Promise.race([role.wait, late]).finally(() => {
          clearTimeout(timer)
          waiting--
        })
        return next({ after })
      }
      let good = false
      try {
        const reply = await next()
        good = reply.status < 400
        return reply
      } finally {
        role.begun(good ? lifetime : 0)
      }
    },
    get waiting() {
      return waiting
    },
  }
}
