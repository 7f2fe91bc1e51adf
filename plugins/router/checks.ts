/**
 * Active checks: upstreams are asked now and then how they are, so that one that is away is known before a request finds out.
 *
 *   up ──`fails` bad answers in a row──▶ down (left out like one with an open circuit) ──`passes` good ones──▶ up, open circuits half-open
 *
 * Bounded: one round at a time per entry, each look with a time limit. Rounds are spread by chance, so that instances do not ask together; they end with
 * the plugin. That an upstream answers here proves nothing of its models: circuits close only by real calls.
 */

import type { Host } from 'headgate/plugin'
import type { CheckConfig } from './config.ts'
import { providerOf } from './resolve.ts'
import type { Tracks, UpstreamTrack } from './track.ts'

/** What the last checks of an upstream have shown. */
export interface Checked {
  readonly ok: boolean
  /** Milliseconds since the epoch. */
  readonly at: number
  /** The status, or why there was none. */
  readonly said: string
}

type Need = Pick<Host, 'counter' | 'log' | 'now' | 'task' | 'upstream' | 'upstreams'>

/** Begins the checks. `checks` by the name of an upstream, or of one key of it. */
export function startChecks(host: Need, checks: Readonly<Record<string, CheckConfig>>, tracks: Tracks, random: () => number): void {
  if (Object.keys(checks).length === 0) return
  const results = host.counter('router_checks', 'Active checks, by upstream and result')
  const rows = new WeakMap<UpstreamTrack, { good: number; bad: number }>()

  /** The answer of one upstream. */
  async function look(name: string, config: CheckConfig, ended: AbortSignal): Promise<void> {
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(new Error('timeout')), config.timeout)
    const end = () => limit.abort(ended.reason)
    ended.addEventListener('abort', end, { once: true })
    let said: string
    let ok = false
    try {
      const status = await host.upstream(name)?.look(config.path, limit.signal)
      if (status === undefined) return // the config in force has none of that name any more
      ok = config.status.includes(status) || (config.status.length === 0 && status >= 200 && status < 300)
      said = String(status)
    } catch (error) {
      if (ended.aborted) return
      said = limit.signal.aborted
        ? 'timeout'
        : error instanceof Error
          ? ((error as { code?: string }).code ?? error.message)
          : String(error)
    } finally {
      clearTimeout(timer)
      ended.removeEventListener('abort', end)
    }
    note(tracks.upstream(name), config, ok, said)
  }

  function note(upstream: UpstreamTrack, { fails, passes }: CheckConfig, ok: boolean, said: string): void {
    const { name } = upstream
    results.add(1, { upstream: name, result: ok ? 'ok' : 'failed' })
    const row = rows.get(upstream) ?? { good: 0, bad: 0 }
    rows.set(upstream, ok ? { good: row.good + 1, bad: 0 } : { good: 0, bad: row.bad + 1 })
    const now = host.now()
    upstream.checked = { ok, at: now, said }
    if (!ok && !upstream.down && row.bad + 1 >= fails) {
      upstream.down = true
      upstream.lastFailure = `check: ${said}`
      host.log.warn('upstream down', { upstream: name, check: said })
    } else if (ok && upstream.down && row.good + 1 >= passes) {
      upstream.down = false
      for (const track of tracks.list()) if (track.upstream === upstream) track.health.relent(now)
      host.log.info('upstream up again', { upstream: name })
    }
  }

  for (const [name, config] of Object.entries(checks)) {
    host.task(`check of ${name}`, config.interval, async (signal) => {
      await pause(config.interval * 0.2 * random(), signal)
      if (signal.aborted) return
      const asked = host.upstreams.filter((upstream) => upstream === name || providerOf(upstream) === name)
      await Promise.all(asked.map((upstream) => look(upstream, config, signal)))
    })
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}
