/**
 * One exchange's own record: everything that is known of it while it runs. Plugins never see it; they see a `PluginView` of it.
 *
 * It is a class because it is the hot path's one mutable object: fields are set by the passes, in the order of a request's way.
 */

import type { InnerCall, Operation, ShadowOptions } from '../plugin/exchange.ts'
import type { Target } from '../plugin/host.ts'
import type { Attempt, HookRun, Outcome, Verdict } from '../plugin/outcome.ts'
import { Principal, type PrincipalValue, slotCount } from '../plugin/slots.ts'
import type { Instance, Plan } from './plan.ts'
import type { RequestCore } from './request-core.ts'
import { PluginView } from './view.ts'

/** What the edge knows of a request before its body is read. */
export interface Arrival {
  readonly id: string
  readonly operation: Operation
  readonly dialect: string
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: Headers
  /** Address of the peer; asked for only when somebody wants it. */
  peer(): string
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal
  /** Callers without a credential are answered too. */
  readonly open?: boolean
  /** A plugin makes the call. */
  readonly inner?: InnerCall
  /** It is a copy of the exchange with this id. */
  readonly shadowOf?: string
}

/** What an exchange can do besides its own request: whoever runs it says how. */
export interface ExchangeMeans {
  shadow(target: Target, options: ShadowOptions, by: string): Promise<Outcome>
}

/** Shared by the exchanges, the most, in which nothing is written here. Never written to. */
const none: SlotWrite[] = []
const noVerdicts: Verdict[] = []

const asked = 1
const active = 2
const ran = 4

/** Journal of one exchange's slot writes, so that those of a failed hook can be undone. */
interface SlotWrite {
  readonly index: number
  readonly before: unknown
}

/** A place to which a failed hook's changes are undone. */
export interface CoreMark {
  readonly writes: number
  readonly target: Target | undefined
  readonly body: unknown
}

export class ExchangeCore {
  readonly id: string
  readonly operation: Operation
  readonly dialect: string
  readonly method: string
  readonly path: string
  readonly query: string
  /** Milliseconds since the epoch, by the host's clock. */
  readonly receivedAt: number
  /** The same moment on the monotonic clock. */
  readonly startedAt: number
  readonly plan: Plan
  /** The end of its reply waits for settlement: a plugin asks for that, or made the call and may write down what it got only then. */
  readonly holdsEnd: boolean
  readonly slots: unknown[]
  /** The body, once read. */
  body: RequestCore | undefined = undefined
  target: Target | undefined = undefined
  readonly attempts: Attempt[] = []
  verdicts: Verdict[] = noVerdicts
  modelAsked: string | undefined = undefined
  /** Fields that the last translation had to leave out. */
  dropped: readonly string[] | undefined = undefined
  bytesIn = 0
  bytesOut = 0
  admittedAt: number | undefined = undefined
  bodyAt: number | undefined = undefined
  headAt: number | undefined = undefined
  firstContentAt: number | undefined = undefined
  settled = false
  /** Runs of hooks, where a plugin wants to know. */
  hooks: HookRun[] | undefined
  /** Absent where no model is called. */
  means: ExchangeMeans | undefined = undefined
  /** What `next()` was asked for and `resume` hooks that are under way, also when nobody waits for them any more: they may look at the request. */
  underWay = 0
  /** Hooks that failed so far. */
  failures = 0

  private readonly flags: Uint8Array
  private readonly views: (PluginView | undefined)[]
  private writes: SlotWrite[] = none
  private readonly arrival: Arrival
  private knownIp: string | undefined = undefined

  constructor(arrival: Arrival, plan: Plan, receivedAt: number) {
    this.id = arrival.id
    this.operation = arrival.operation
    this.dialect = arrival.dialect
    this.method = arrival.method
    this.path = arrival.path
    this.query = arrival.query
    this.arrival = arrival
    this.plan = plan
    this.hooks = plan.hookTimes ? [] : undefined
    this.holdsEnd = plan.holdsEnd || arrival.inner !== undefined
    this.receivedAt = receivedAt
    this.startedAt = performance.now()
    this.slots = new Array(slotCount())
    this.flags = new Uint8Array(plan.instances.length)
    this.views = new Array(plan.instances.length)
  }

  /** Milliseconds since the exchange was received. */
  elapsed(): number {
    return performance.now() - this.startedAt
  }

  get headers(): Headers {
    return this.arrival.headers
  }

  /** Asked for only when somebody wants it: making a signal costs more than a hook. */
  get signal(): AbortSignal {
    return this.arrival.signal
  }

  get ip(): string {
    return (this.knownIp ??= this.arrival.peer())
  }

  get open(): boolean {
    return this.arrival.open === true
  }

  get inner(): InnerCall | undefined {
    return this.arrival.inner
  }

  get shadowOf(): string | undefined {
    return this.arrival.shadowOf
  }

  get principal(): PrincipalValue | undefined {
    return this.slots[Principal.index] as PrincipalValue | undefined
  }

  /** The view of one instance; the same one for all its hooks until it is revoked. */
  view(instance: Instance): PluginView {
    return (this.views[instance.index] ??= new PluginView(this, instance, instance.plugin.state?.()))
  }

  /** Makes every later use of an instance's view by a hook that timed out an error; later hooks get a new view with the same state. */
  revoke(instance: Instance): void {
    const old = this.views[instance.index]
    if (!old) return
    this.body?.lend() // the hook goes on, though nobody waits for it
    old.revoked = true
    this.views[instance.index] = new PluginView(this, instance, old.state)
  }

  /** Whether an instance's `when` holds; asked once, at the first hook that needs it, and kept. */
  isActive(instance: Instance): boolean {
    if (!instance.condition) return true
    const flag = this.flags[instance.index]!
    if (flag & asked) return (flag & active) !== 0
    if (instance.condition.needsBody && !this.body) return false
    const holds = instance.condition.matches(this)
    this.flags[instance.index] = flag | asked | (holds ? active : 0)
    return holds
  }

  /** Notes that one of the instance's own hooks was called on the way down. */
  reach(instance: Instance): void {
    this.flags[instance.index]! |= ran
  }
  hasRun(instance: Instance): boolean {
    return (this.flags[instance.index]! & ran) !== 0
  }

  putSlot(index: number, value: unknown): void {
    if (this.writes === none) this.writes = []
    this.writes.push({ index, before: this.slots[index] })
    this.slots[index] = value
  }

  mark(): CoreMark {
    return { writes: this.writes.length, target: this.target, body: this.body?.mark() }
  }

  /** Undoes what was changed since the mark: slots, target, edits of the body. */
  undo(mark: CoreMark): void {
    while (this.writes.length > mark.writes) {
      const write = this.writes.pop()!
      this.slots[write.index] = write.before
    }
    this.target = mark.target
    if (mark.body !== undefined) this.body?.undo(mark.body)
  }

  /** Undoes what was done to the target and the body since the mark; slots stay. */
  undoEdits(mark: CoreMark): void {
    this.target = mark.target
    if (mark.body !== undefined) this.body?.undo(mark.body)
  }

  /** The list to which verdicts are added. */
  ownVerdicts(): Verdict[] {
    if (this.verdicts === noVerdicts) this.verdicts = []
    return this.verdicts
  }

  verdict(instance: Instance, hook: string, did: string, detail?: string): void {
    const verdicts = this.ownVerdicts()
    if (verdicts.length >= 256) return // bounded: a plugin that notes every event may not eat the memory
    verdicts.push(detail === undefined ? { plugin: instance.id, hook, did } : { plugin: instance.id, hook, did, detail })
  }
}
