/**
 * The `attempt` hooks: the last looks of plugins at one upstream call before it is signed and made.
 *
 * Hooks see the call as it will be sent and may change it; a hook that failed leaves it as it was.
 */

import type { ExchangeCore } from '../pipeline/core.ts'
import { failed, runStep } from '../pipeline/fence.ts'
import type { Instance } from '../pipeline/plan.ts'
import { type ReplyCore, refusalReply } from '../pipeline/reply-core.ts'
import type { Refusal } from '../plugin/reply.ts'
import { parseUrl } from '../upstream/http/origin.ts'
import type { CallView } from './call-view.ts'
import type { InferenceExchange } from './handle.ts'

/** The call as the hooks have left it, or the refusal of one of them. */
export async function attemptHooks(exchange: InferenceExchange, core: ExchangeCore, view: CallView): Promise<CallView | ReplyCore> {
  for (const step of core.plan.attempt) {
    const { instance } = step
    if (!core.isActive(instance)) continue
    core.reach(instance)
    const before = view.copy()
    const { failures } = core
    let answer = await runStep(core, step, view)
    if (!answer && core.failures === failures) answer = unsendable(core, instance, view, before)
    // who sends other bytes than were there stands in the record
    if (core.failures === failures && view.revision !== before.revision) core.verdict(instance, 'attempt', 'edited', 'body')
    // another object: a hook that timed out still holds the old one
    if (core.failures !== failures) view = before
    if (answer?.type === 'refusal') return refusalReply(answer, exchange.statusOf(answer), instance.index, instance.id)
  }
  return view
}

/** What a hook did to the call that no call can be made of counts as its failure. */
function unsendable(core: ExchangeCore, instance: Instance, view: CallView, before: CallView): Refusal | undefined {
  try {
    if (view.url !== before.url) parseUrl(view.url)
    return undefined
  } catch (error) {
    return failed(core, instance, 'attempt', error)
  }
}
