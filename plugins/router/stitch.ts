/**
 * Streams that break off after their first content go on with another target, as one stream (opt-in).
 *
 * Decides whether, with whom and how often; the text so far is asked on by `continuation.ts`, and the host joins the streams. All tries of a request share
 * one budget.
 */

import type { BrokenStream, Host, Next, Reply, StreamEvent } from 'headgate/plugin'
import { type AttemptOptions, countServed, tryAll } from './attempts.ts'
import { askForRest, barredBy, type Undo } from './continuation.ts'
import type { Candidate } from './order.ts'
import type { X } from './plan.ts'
import { Said } from './said.ts'

export interface Stitches {
  /** The hook `hears`: whole replies never break off after content. */
  hears(x: X): boolean
  /** The hook `event`. */
  event(x: X, event: StreamEvent): StreamEvent | null | undefined
  /** The hook `resume`. */
  resume(x: X, broken: BrokenStream, next: Next): Promise<Reply | undefined>
}

/** Failures that nobody else would have. */
const final: ReadonlySet<string> = new Set(['client_closed', 'content_filter', 'invalid_request', 'shutting_down'])

export function createStitches(host: Pick<Host, 'counter' | 'upstream'>, options: AttemptOptions): Stitches {
  const stitched = host.counter('router_stitched', 'Streams that broke off and went on with another target, by the upstreams from and to')
  const refused = host.counter('router_not_stitched', 'Streams that broke off and did not go on, by why')

  return {
    hears: ({ request, state }) => state.plan !== undefined && request.stream,

    event(x, event) {
      return (x.state.said ??= new Said(x.dialect)).take(event)
    },

    async resume(x, broken, next) {
      const { plan, said, serving, spared, tried } = x.state
      if (!plan || !said || !serving) return undefined
      const barred =
        (final.has(broken.code) ? broken.code : undefined) ??
        said.barred ??
        (said.text.trim() === '' ? 'no text' : barredBy(x.request, x.dialect))
      if (barred !== undefined) {
        refused.add(1, { why: barred })
        return undefined
      }
      const isLeft = ({ track }: Candidate): boolean => !tried.includes(track) || track === spared
      const left = plan.candidates.filter(isLeft)
      if (options.retries > 0) left.push(...plan.candidates.filter((candidate) => !isLeft(candidate)))
      const most = options.max_attempts - tried.length
      if (left.length === 0 || most <= 0) {
        refused.add(1, { why: left.length === 0 ? 'no other target' : 'attempts used up' })
        return undefined
      }
      // what broke off is over, and counted
      const from = serving.called
      serving.done()
      if (broken.attempt) countServed(from, broken.attempt, options)
      x.state.serving = undefined
      x.state.spared = undefined
      let undo: Undo = () => {}
      let trimmed = ''
      x.state.prepare = ({ target }: Candidate) => {
        undo()
        const prefills = host.upstream(target.upstream)?.prefills(target.model) === true
        const text = prefills ? said.text.trimEnd() : said.text
        trimmed = said.text.slice(text.length)
        undo = askForRest(x.request, x.dialect, text, prefills)
      }
      const reply = await tryAll(x, next, { ...plan, candidates: left }, { ...options, hedge: 0, max_attempts: most })
      x.state.prepare = undefined
      if (reply.type !== 'reply' || !reply.ok) {
        refused.add(1, { why: 'the others failed' })
        return undefined
      }
      said.goesOn(trimmed)
      const to = (x.state.serving as typeof serving | undefined)?.called.upstream.name ?? ''
      stitched.add(1, { from: from.upstream.name, to })
      return reply
    },
  }
}
