/**
 * Compares what should have been read from the provider's cache with what was billed as read, and tells of each miss who caused it: as a metric, a log line
 * and a note in the exchange's record.
 *
 * A warm miss: the prompt before it came within its lifetime, and less than half of what the provider then had was read. Logs are held back, so that
 * a client that breaks its cache with every turn does not fill the disk.
 */

import {
  type Exchange,
  type Host,
  type Outcome,
  type PrincipalValue,
  type PromptCacheValue,
  promptCacheStatus,
  Session,
  type SessionValue,
  type Slot,
} from 'headgate/plugin'
import type { Lane } from '../prompt/lanes.ts'
import type { CallNote } from '../prompt/prompt-cache.ts'
import { type Blame, blame } from './blame.ts'
import type { WatchdogConfig } from './config.ts'

type X = Exchange<never, Slot<SessionValue> | Slot<PrincipalValue>, Slot<PromptCacheValue>, unknown>
type Misses = Pick<Lane, 'misses' | 'missUnit' | 'stop'>

export interface Watchdog {
  /** What the lane is to remember of misses, after this call. */
  judge(x: X, note: CallNote, outcome: Outcome): Misses
}

/** Misses in a row in the same piece after which nothing behind it is written any more. */
const patience = 2
const mostCauses = 1000

export function createWatchdog(host: Host, config: WatchdogConfig): Watchdog {
  const statuses = host.counter(
    'session_cache_requests_total',
    'Replies by what became of their prompt in the provider cache, and by whose doing',
  )
  const expectedTokens = host.counter(
    'session_cache_expected_tokens_total',
    'Input tokens that should have been read from the provider cache',
  )
  const readTokens = host.counter('session_cache_read_tokens_total', 'Input tokens that were read from the provider cache')
  const missed = host.counter('session_cache_warm_misses_total', 'Prompts that should have been warm and were not, by what caused it')
  const said = new Map<string, { at: number; more: number }>()

  const log = (x: X, note: CallNote, why: Blame, expected: number, read: number, stopped: boolean) => {
    const now = host.now()
    const cause = `${why.cause} ${why.plugin ?? ''} ${note.upstream}${stopped ? ' stopped' : ''}`
    const last = said.get(cause)
    if (last && now - last.at < config.log_every) return void last.more++
    said.delete(cause)
    if (said.size >= mostCauses) said.delete(said.keys().next().value!)
    said.set(cause, { at: now, more: 0 })
    const session = x.peek(Session)?.id
    // of what a provider loses by itself nobody here can do anything
    host.log[why.cause === 'provider' ? 'info' : 'warn'](
      stopped ? 'an invalidator in each prompt: marks behind it are left out' : 'a prompt was not read from the provider cache',
      {
        id: x.id,
        ...(session !== undefined && { session }),
        upstream: note.upstream,
        model: note.model,
        cause: why.cause,
        ...(why.plugin !== undefined && { plugin: why.plugin }),
        ...(why.what !== undefined && { what: why.what }),
        ...(why.byte !== undefined && { first_byte: why.byte }),
        ...(stopped && note.change && { near_token: tokenOf(note) }),
        expected,
        read,
        ...(last && last.more > 0 && { since_last: last.more }),
      },
    )
  }

  return {
    judge(x, note, outcome) {
      const usage = outcome.served?.usage
      const { before } = note
      const kept: Misses = { misses: before?.misses ?? 0, missUnit: before?.missUnit ?? -1, stop: before?.stop }
      if (!usage || usage.source === 'unknown') return kept
      const status = promptCacheStatus(note.value, usage)
      if (config.enabled) {
        statuses.add(1, { status: status ?? 'off', attribution: note.value.attribution, upstream: note.upstream })
        readTokens.add(usage.cacheRead, { upstream: note.upstream })
        expectedTokens.add(note.value.expected ?? 0, { upstream: note.upstream })
      }
      const warm = before !== undefined && before.cached >= Math.max(1, note.facts.minimum) && x.receivedAt - before.at < before.lifetime
      if (!warm) return kept
      // what was left out is not to be written again because the rest was read
      const stopped = before.stop !== undefined && note.change !== undefined && note.change.unit <= before.stop
      if (usage.cacheRead >= before.cached / 2) return stopped ? kept : { misses: 0, missUnit: -1, stop: undefined }
      const why = blame(note, x.request, outcome, host.id)
      const same = why.unit !== undefined && why.unit === kept.missUnit
      const misses = why.unit === undefined ? kept.misses : same ? kept.misses + 1 : 1
      const stop = misses >= patience ? why.unit : kept.stop
      if (config.enabled) {
        missed.add(1, { cause: why.cause, plugin: why.plugin ?? '', upstream: note.upstream })
        x.note(sentence(why, before.cached, usage.cacheRead))
        log(x, note, why, before.cached, usage.cacheRead, stop !== undefined && kept.stop === undefined)
      }
      return { misses, missUnit: why.unit ?? kept.missUnit, stop }
    },
  }
}

/** About how many tokens stand before the change. */
function tokenOf({ before, change }: CallNote): number {
  if (!before || !change || before.sent.size === 0) return 0
  return Math.round((before.input * change.before) / before.sent.size)
}

function sentence(why: Blame, expected: number, read: number): string {
  const who = why.cause === 'plugin' ? `the plugin ${why.plugin}` : why.cause
  const what = why.what === undefined ? '' : why.cause === 'route' ? `, went from ${why.what}` : `, changed ${why.what}`
  const byte = why.byte === undefined ? '' : ` ${why.exact ? 'at' : 'from'} byte ${why.byte}`
  return `prompt cache: ${read} of ${expected} tokens were read; cause: ${who}${what}${byte}`
}
