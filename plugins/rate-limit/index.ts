/**
 * `rate-limit`: so many requests per window, counted per key, account, address or model.
 *
 * This file joins the parts to hooks. The count itself is one atomic take of the host's state, so it is exact whatever runs at
 * once; with the store in this process nothing is awaited.
 */

import { definePlugin, Principal, type Refusal, type RefusalOptions, type TakeResult } from 'headgate/plugin'
import { config } from './config.ts'
import { limitHeaders, refusalMessage, retryAfter } from './limit.ts'
import { addressSubject, callerSubject } from './subject.ts'

/** What the hooks of one exchange share. */
interface Taken {
  result: TakeResult | undefined
}

export default definePlugin({
  api: 1,
  name: 'rate-limit',
  summary: 'Requests per window, per key, account, IP or model',
  config,
  wants: [Principal],
  failure: 'closed',
  state: (): Taken => ({ result: undefined }),

  setup(host, config) {
    const { requests, window, by, headers } = config
    if (!(window >= 1)) throw new Error('window must be longer than 0')
    const what = { key: 'this API key', account: 'this account', ip: 'this address', model: 'this model' }[by]

    interface Limited {
      readonly state: Taken
      refuse(code: 'rate_limited', options: RefusalOptions): Refusal
    }
    function take(x: Limited, subject: string): undefined | Refusal | Promise<undefined | Refusal> {
      const result = host.state.take(subject, 1, requests, window)
      return result instanceof Promise ? takeLater(x, subject, result) : decide(x, subject, result)
    }
    async function takeLater(x: Limited, subject: string, result: Promise<TakeResult>): Promise<Refusal | undefined> {
      return decide(x, subject, await result)
    }
    function decide(x: Limited, subject: string, result: TakeResult): Refusal | undefined {
      x.state.result = result
      if (result.taken) return undefined
      const seconds = retryAfter(result, host.now())
      const whom = subject.startsWith('ip:') ? 'this address' : what
      return x.refuse('rate_limited', {
        message: refusalMessage(requests, window, whom, seconds),
        retryAfter: seconds,
        ...(headers && { headers: limitHeaders(requests, result) }),
      })
    }

    return {
      ...(by === 'model'
        ? {
            request: (x) => {
              const model = x.request.model
              // Named by the catalogue, so that invented model ids do not each get a count of their own.
              return take(x, `model:${host.catalog.find(model)?.id ?? ''}`)
            },
          }
        : {
            admit: (x) => take(x, by === 'ip' ? addressSubject(x.ip) : callerSubject(by, x.peek(Principal), x.ip)),
          }),
      ...(headers && {
        reply: (x, reply) => {
          const result = x.state.result
          if (result === undefined) return
          const values = limitHeaders(requests, result)
          for (const name in values) reply.headers.set(name, values[name]!)
        },
      }),
    }
  },
})
