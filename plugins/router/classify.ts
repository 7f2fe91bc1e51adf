/**
 * What a reply of `next()` means for the tries that may follow it, for the health of its target, and for the client when none follows (PROTOCOL §1.7).
 *
 * Pure. A deterministic refusal (a bad request, a filter's verdict) ends the chain and is nobody's fault (G09); what another target may do better
 * goes on.
 */

import type { AttemptFailure, RefusalCode, Reply } from 'headgate/plugin'

/**
 * What comes next:
 * - `stop`: nothing; no target would answer otherwise, or nobody waits any more
 * - `next`: other targets only: this one will say the same again
 * - `retry`: other targets, and this one again later
 * - `larger`: models with a larger context only
 */
export type Step = 'stop' | 'next' | 'retry' | 'larger'

/** Whose fault: `fault` counts against the target, `limit` rests it as long as it asks, `key` rests its upstream. */
export type Blame = 'fault' | 'limit' | 'key' | undefined

export interface Judgement {
  readonly step: Step
  readonly blame: Blame
  /** How much the client learns from it: of several failures the highest is told. */
  readonly worth: number
}

const stop = (worth: number): Judgement => ({ step: 'stop', blame: undefined, worth })

/** Requests that one provider refuses for what it can't do, and another may serve. */
const incapable =
  /(not|n't) (supported|support|available|allowed (for|with|on) this model|compatible|permitted for this model)|unsupported|un(known|recognized|expected) (name|field|parameter|argument|request argument|keyword)|extra inputs are not permitted|not a (valid|supported) (model|parameter)|encrypted[_ ]content|invalid.{0,20}signature|previous[_ ]response/i

/** Judges a reply that is not ok. */
export function judge(reply: Reply): Judgement {
  const { attempt, code } = reply
  // a plugin below has spoken: that it would say otherwise of another target is not known
  if (reply.by !== undefined || code === 'client_closed') return stop(100)
  if (!attempt) return unsent(code)
  const { failure } = attempt
  if (failure === 'aborted') return stop(40)
  if (failure === 'refused') return { step: 'next', blame: undefined, worth: 5 }
  if (failure !== 'status' && failure !== 'error_in_reply') return { step: 'retry', blame: 'fault', worth: worthOf(failure) }
  return answered(code, reply)
}

/** Refused before a call was made: the target can't serve this request. */
function unsent(code: RefusalCode | undefined): Judgement {
  const next = code === 'unsupported_parameter' || code === 'invalid_request' || code === 'upstream_auth' || code === 'internal_error'
  return next ? { step: 'next', blame: undefined, worth: code === 'unsupported_parameter' ? 25 : 8 } : stop(100)
}

function answered(code: RefusalCode | undefined, { status, message, attempt }: Reply): Judgement {
  switch (code) {
    case 'context_length_exceeded':
      return { step: 'larger', blame: undefined, worth: 90 }
    case 'rate_limited':
      return { step: 'retry', blame: 'limit', worth: 60 }
    case 'overloaded':
      return { step: 'retry', blame: attempt?.retryAfter === undefined ? 'fault' : 'limit', worth: 50 }
    case 'upstream_timeout':
      return { step: 'retry', blame: 'fault', worth: 40 }
    case 'conflict':
      return { step: 'retry', blame: undefined, worth: 45 }
    case 'upstream_error':
    case 'upstream_bad_reply':
      return { step: 'retry', blame: 'fault', worth: 30 }
    case 'upstream_auth':
      // a 401 that leaves as it came was earned by the caller's own key
      return { step: 'next', blame: status === 401 ? undefined : 'key', worth: 10 }
    case 'insufficient_balance':
      return { step: 'next', blame: 'key', worth: 10 }
    case 'permission_denied':
      return { step: 'next', blame: undefined, worth: 15 }
    case 'not_found':
    case 'model_not_found':
      return { step: 'next', blame: undefined, worth: 20 }
    case 'invalid_request':
    case 'unsupported_parameter':
      return incapable.test(message ?? '') ? { step: 'next', blame: undefined, worth: 70 } : stop(80)
    default:
      return stop(80)
  }
}

function worthOf(failure: AttemptFailure | undefined): number {
  if (failure?.endsWith('_timeout') && failure !== 'connect_timeout') return 40
  return failure === 'connect' || failure === 'connect_timeout' ? 22 : 30
}
