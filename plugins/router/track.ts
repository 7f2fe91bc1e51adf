/**
 * What this process knows of each upstream and of each model there: calls under way, how long the first word takes, health.
 *
 * One record per upstream (a key of it is an upstream of its own) and one per model of an upstream, both bounded in number. Decides nothing.
 */

import type { Target } from 'headgate/plugin'
import type { Checked } from './checks.ts'
import type { Gate } from './gate.ts'
import { Health, type HealthOptions } from './health.ts'

/** Time constant of the average of times to the first content, in milliseconds. */
const tau = 10_000

/** One upstream: with several keys, one key of it. */
export interface UpstreamTrack {
  readonly name: string
  /** Milliseconds since the epoch until which its key is left alone. */
  restUntil: number
  lastFailure: string | undefined
  readonly gate: Gate | undefined
  /** Active checks say that it is away. */
  down: boolean
  /** What the last one said. */
  checked: Checked | undefined
}

/** One model of an upstream. */
export class Track {
  inflight = 0
  /** Milliseconds: an average that follows a rise at once and a fall slowly (peak EWMA); 0 = nothing is known. */
  firstContent = 0
  private observedAt = 0
  readonly health: Health
  /** Milliseconds since the epoch until which it is left out because its peers do far better. */
  ejectedUntil = 0
  /** How often it was since it was last well for long. */
  ejections = 0
  /** For the operator. */
  calls = 0
  failures = 0

  constructor(
    /** Upstream and model. */
    readonly key: string,
    readonly upstream: UpstreamTrack,
    readonly model: string,
    options: HealthOptions | undefined,
  ) {
    this.health = new Health(options)
  }

  usable(now: number): boolean {
    return !this.upstream.down && now >= this.upstream.restUntil && now >= this.ejectedUntil && this.health.usable(now)
  }

  /** Milliseconds since the epoch from which on it is usable again. */
  get until(): number {
    if (this.upstream.down) return Number.MAX_SAFE_INTEGER
    return Math.max(this.upstream.restUntil, this.ejectedUntil, this.health.until)
  }

  observe(ms: number, now: number): void {
    if (ms >= this.firstContent || this.firstContent === 0) this.firstContent = ms
    else {
      const kept = Math.exp(-(now - this.observedAt) / tau)
      this.firstContent = this.firstContent * kept + ms * (1 - kept)
    }
    this.observedAt = now
  }

  /** What one more call would wait, for comparison: 0 for a target of which nothing is known, so that it gets to be known. */
  load(now: number): number {
    // an old average is worth less: else a target that was slow once would never be asked again
    const aged = this.firstContent * Math.exp(-Math.max(0, now - this.observedAt) / (tau * 6))
    return aged * (this.inflight + 1)
  }
}

export interface Tracks {
  of(target: Pick<Target, 'upstream' | 'model'>): Track
  /** In the order in which they were first called. */
  list(): Iterable<Track>
  upstream(name: string): UpstreamTrack
  /** Notes which targets serve one model, for comparison. */
  join(model: string, peers: readonly Track[]): void
  /** The targets of each model. */
  peers(): Iterable<readonly Track[]>
}

const maxTracks = 2000

/** @param gateOf makes the gate of an upstream, where its calls are bounded */
export function createTracks(options: HealthOptions | undefined, gateOf: (upstream: string) => Gate | undefined): Tracks {
  const tracks = new Map<string, Track>()
  const upstreams = new Map<string, UpstreamTrack>()
  const upstream = (name: string): UpstreamTrack => {
    let found = upstreams.get(name)
    if (!found)
      upstreams.set(name, (found = { name, restUntil: 0, lastFailure: undefined, gate: gateOf(name), down: false, checked: undefined }))
    return found
  }
  const models = new Map<string, readonly Track[]>()
  return {
    upstream,
    join(model, peers) {
      if (models.size >= maxTracks) models.clear()
      models.set(model, peers)
    },
    peers: () => models.values(),
    list: () => tracks.values(),
    of(target) {
      const key = `${target.upstream} ${target.model}`
      let track = tracks.get(key)
      if (track) return track
      if (tracks.size >= maxTracks) dropIdle(tracks)
      track = new Track(key, upstream(target.upstream), target.model, options)
      tracks.set(key, track)
      return track
    },
  }
}

/** Clients may choose models of patterns: of too many, the older half that is not in use is forgotten. */
function dropIdle(tracks: Map<string, Track>): void {
  let left = tracks.size / 2
  for (const [key, track] of tracks) {
    if (left-- <= 0) return
    if (track.inflight === 0) tracks.delete(key)
  }
}
