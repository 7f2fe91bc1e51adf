/**
 * The health of one target as its calls show it: a circuit breaker, and the rest that it asked for.
 *
 *   closed ──too many failures in a row, or too large a share of them──▶ open ──cooldown over──▶ half-open
 *     ▲                                                                   ▲ ◀──a probe failed (twice the cooldown)──┤
 *     └───────────────────────────────────a probe gave content───────────────────────────────────────────────────────┘
 *
 * Counts in two half windows, so that old calls are forgotten without a list of them. Knows no clock and no upstream: both are given. Says only what it
 * thinks of a target; whether the last one is used all the same is for others.
 */

export interface HealthOptions {
  /** Failures in a row that open the circuit. */
  readonly consecutive: number
  /** Share of failures that opens it, from 0 to 1, once there were `minimum` calls in `window` milliseconds. */
  readonly error_rate: number
  readonly minimum: number
  readonly window: number
  /** Milliseconds for which it is open the first time; doubled each time that it opens again, up to `max_cooldown`. */
  readonly cooldown: number
  readonly max_cooldown: number
}

export type Circuit = 'closed' | 'open' | 'half-open'

interface Half {
  start: number
  calls: number
  failures: number
}

export class Health {
  private row = 0
  private readonly now: Half = { start: 0, calls: 0, failures: 0 }
  private readonly before: Half = { start: 0, calls: 0, failures: 0 }
  private openUntil = 0
  /** How often it opened since it was last well. */
  private opened = 0
  private probing = false
  private restUntil = 0
  /** What failed last, for the operator. */
  lastFailure: string | undefined = undefined

  constructor(private readonly options: HealthOptions | undefined) {}

  /** Milliseconds since the epoch at which it may be called again; 0 or a time gone by = now. */
  get until(): number {
    return Math.max(this.openUntil, this.restUntil)
  }

  state(now: number): Circuit {
    if (this.opened === 0) return 'closed'
    return now < this.openUntil ? 'open' : 'half-open'
  }

  resting(now: number): boolean {
    return now < this.restUntil
  }

  /** Whether a call should be made: not while it is open or rests, and of a half-open one only the probe. */
  usable(now: number): boolean {
    if (now < this.until) return false
    return this.opened === 0 || !this.probing
  }

  /** A call begins. True when it is the probe of a half-open circuit: then `probed` must follow. */
  begin(now: number): boolean {
    if (this.opened === 0 || now < this.openUntil || this.probing) return false
    this.probing = true
    return true
  }

  /** A probe is over, however it ended. */
  probed(): void {
    this.probing = false
  }

  /** Content came: a half-open circuit closes. An open one does not: the call began before it opened. */
  answered(now: number): void {
    if (now < this.openUntil) return
    this.opened = 0
    this.openUntil = 0
  }

  /** A call ended well. */
  succeeded(now: number): void {
    this.row = 0
    this.answered(now)
    this.count(now, false)
  }

  /** A call failed by the target's fault. True when that opened the circuit. */
  failed(now: number, why: string): boolean {
    this.lastFailure = why
    const { options } = this
    this.row++
    this.count(now, true)
    if (!options) return false
    const open = this.opened > 0
    if (open && now < this.openUntil) return false // one that was made all the same: it is open already
    const calls = this.now.calls + this.before.calls
    const failures = this.now.failures + this.before.failures
    const many = calls >= options.minimum && failures >= calls * options.error_rate
    if (!open && this.row < options.consecutive && !many) return false
    this.openUntil = now + Math.min(options.cooldown * 2 ** Math.min(this.opened, 20), options.max_cooldown)
    this.opened++
    this.row = 0
    this.forget(this.now, now)
    this.forget(this.before, now)
    return true
  }

  /** There is reason to think that it is well again: an open circuit may be probed now. */
  relent(now: number): void {
    this.openUntil = Math.min(this.openUntil, now)
  }

  /** It asked to be left alone for so many milliseconds. */
  rest(now: number, ms: number, why: string): void {
    this.lastFailure = why
    this.restUntil = Math.max(this.restUntil, now + ms)
  }

  /** Calls and failures of the last window, and failures in a row. */
  counts(now: number): { calls: number; failures: number; row: number } {
    this.turn(now)
    return { calls: this.now.calls + this.before.calls, failures: this.now.failures + this.before.failures, row: this.row }
  }

  private count(now: number, failed: boolean): void {
    this.turn(now)
    this.now.calls++
    if (failed) this.now.failures++
  }

  private turn(now: number): void {
    const half = (this.options?.window ?? 30_000) / 2
    const age = now - this.now.start
    if (age < half) return
    if (age < 2 * half) Object.assign(this.before, this.now)
    else this.forget(this.before, now)
    this.forget(this.now, now)
  }

  private forget(half: Half, now: number): void {
    half.start = now
    half.calls = 0
    half.failures = 0
  }
}
