/**
 * How the upstreams are, as this process sees them: for operators in full (`/providers` on the admin listener), for callers in a word each.
 */

import { providerOf } from './resolve.ts'
import type { Track, Tracks } from './track.ts'

export type Word = 'operational' | 'degraded' | 'down' | 'unknown'

/** One upstream of the file, all its keys and models together. */
export interface ProviderStatus {
  readonly name: string
  readonly status: Word
}

/** The state of each upstream, in the order of the file. */
export function publicStatus(tracks: Tracks, upstreams: readonly string[], now: number): { status: Word; data: ProviderStatus[] } {
  const words = new Map<string, Word[]>(upstreams.map((name) => [providerOf(name), []]))
  for (const track of tracks.list()) words.get(providerOf(track.upstream.name))?.push(wordOf(track, now))
  // what was never called is known by its checks alone
  for (const name of upstreams) {
    const { checked, down } = tracks.upstream(name)
    const list = words.get(providerOf(name))!
    if (checked && (down || list.every((word) => word === 'unknown'))) list.push(down ? 'down' : 'operational')
  }
  const data = [...words].map(([name, all]) => ({ name, status: together(all) }))
  return { status: whole(data), data }
}

/** Of the gateway, which answers: operational unless upstreams that were called are not. */
function whole(data: readonly ProviderStatus[]): Word {
  if (data.every(({ status }) => status === 'operational' || status === 'unknown')) return 'operational'
  return data.every(({ status }) => status === 'down') ? 'down' : 'degraded'
}

/** Down when all of it is, degraded when some of it is. */
function together(words: readonly Word[]): Word {
  const known = words.filter((word) => word !== 'unknown')
  if (known.length === 0) return 'unknown'
  if (known.every((word) => word === 'down')) return 'down'
  return known.every((word) => word === 'operational') ? 'operational' : 'degraded'
}

function wordOf(track: Track, now: number): Word {
  if (track.calls === 0) return track.upstream.down ? 'down' : 'unknown'
  if (!track.usable(now)) return track.health.state(now) === 'half-open' ? 'degraded' : 'down'
  const { calls, failures, row } = track.health.counts(now)
  return track.health.state(now) !== 'closed' || row > 1 || (failures > 0 && failures * 10 >= calls) ? 'degraded' : 'operational'
}

/** The same with every key and model, and what is behind it. */
export function adminStatus(tracks: Tracks, upstreams: readonly string[], now: number): object {
  const { data } = publicStatus(tracks, upstreams, now)
  const byProvider = new Map<string, object[]>()
  for (const track of tracks.list()) {
    if (track.calls === 0) continue
    const name = providerOf(track.upstream.name)
    const list = byProvider.get(name) ?? []
    list.push(detailOf(track, now))
    byProvider.set(name, list)
  }
  const checksOf = (provider: string) =>
    upstreams.flatMap((name) => {
      const { checked, down } = tracks.upstream(name)
      return checked && providerOf(name) === provider ? [{ upstream: name, down, ...checked, at: new Date(checked.at).toISOString() }] : []
    })
  return {
    data: data.map((provider) => {
      const checks = checksOf(provider.name)
      return { ...provider, ...(checks.length > 0 && { checks }), targets: byProvider.get(provider.name) ?? [] }
    }),
  }
}

function detailOf(track: Track, now: number): object {
  const { health, upstream, model, inflight, calls, failures } = track
  const window = health.counts(now)
  const { until } = track
  return {
    upstream: upstream.name,
    model,
    status: wordOf(track, now),
    circuit: health.state(now),
    ...(until > now && !upstream.down && { resting_ms: until - now }),
    ...(track.ejectedUntil > now && { left_out_ms: track.ejectedUntil - now }),
    ...(health.lastFailure !== undefined && { last_failure: health.lastFailure }),
    inflight,
    calls,
    failures,
    window: { calls: window.calls, failures: window.failures },
    ...(track.firstContent > 0 && { first_content_ms: Math.round(track.firstContent) }),
    ...(upstream.gate && { queue: { active: upstream.gate.active, limit: upstream.gate.options.limit, waiting: upstream.gate.waiting } }),
  }
}
