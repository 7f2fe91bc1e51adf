/**
 * What one plugin instance sees of one exchange: the implementation of `Exchange`.
 *
 * Slots are checked against what the plugin declared (again, at run time: a plugin may be JavaScript). A view whose hook timed out
 * is revoked: a late write through it throws in the plugin and changes nothing.
 */

import type { StreamEvent } from '../plugin/events.ts'
import type { AnySlot, Exchange, InnerCall, Operation, ShadowOptions } from '../plugin/exchange.ts'
import type { Target } from '../plugin/host.ts'
import type { Outcome } from '../plugin/outcome.ts'
import type { RefusalCode } from '../plugin/refusal.ts'
import type { Completed, Recording, Refusal, RefusalOptions, Reply, StoredReply } from '../plugin/reply.ts'
import type { RequestView } from '../plugin/request.ts'
import type { Slot } from '../plugin/slots.ts'
import type { ExchangeCore } from './core.ts'
import type { Instance } from './plan.ts'
import { recordReply } from './record-reply.ts'
import { makeRefusal } from './refuse.ts'
import { ReplyCore } from './reply-core.ts'
import { RequestFacade } from './request-core.ts'

export class PluginView implements Exchange<AnySlot, AnySlot, AnySlot, unknown> {
  revoked = false
  private facade: RequestFacade | undefined = undefined

  constructor(
    readonly core: ExchangeCore,
    readonly instance: Instance,
    readonly state: unknown,
  ) {}

  get id(): string {
    return this.core.id
  }
  get operation(): Operation {
    return this.core.operation
  }
  get dialect(): string {
    return this.core.dialect
  }
  get method(): string {
    return this.core.method
  }
  get path(): string {
    return this.core.path
  }
  get query(): string {
    return this.core.query
  }
  get headers(): Headers {
    return this.core.headers
  }
  get ip(): string {
    return this.core.ip
  }
  get open(): boolean {
    return this.core.open
  }
  get inner(): InnerCall | undefined {
    return this.core.inner
  }
  get shadowOf(): string | undefined {
    return this.core.shadowOf
  }
  get receivedAt(): number {
    return this.core.receivedAt
  }
  get signal(): AbortSignal {
    return this.core.signal
  }

  get<T>(slot: Slot<T>): T {
    if (!declares(this.instance.plugin.needs, slot)) throw this.misuse(`get(${slot.name}) without declaring it in needs`)
    const value = this.core.slots[slot.index]
    if (value === undefined) throw this.misuse(`needs ${slot.name}, and no plugin above has put it`)
    return value as T
  }

  peek<T>(slot: Slot<T>): T | undefined {
    const { wants, needs, provides } = this.instance.plugin
    if (!declares(wants, slot) && !declares(needs, slot) && !declares(provides, slot))
      throw this.misuse(`peek(${slot.name}) without declaring it in wants`)
    return this.core.slots[slot.index] as T | undefined
  }

  put<T>(slot: Slot<T>, value: T): void {
    this.check()
    if (!declares(this.instance.plugin.provides, slot)) throw this.misuse(`put(${slot.name}) without declaring it in provides`)
    this.core.putSlot(slot.index, value)
  }

  get request(): RequestView {
    const body = this.core.body
    if (!body) throw this.misuse('the body is not read yet: use the request hook')
    return (this.facade ??= new RequestFacade(body, this))
  }

  get target(): Target | undefined {
    return this.core.target
  }
  setTarget(target: Target): void {
    this.check()
    this.core.target = target
  }

  refuse(code: RefusalCode, options?: RefusalOptions | string): Refusal {
    return makeRefusal(code, options, (what) => this.misuse(what))
  }

  shadow(target: Target, options: ShadowOptions = {}): Promise<Outcome> {
    const { body, means } = this.core
    if (!body || !means) throw this.misuse('there is no request to a model that could be sent elsewhere, too')
    return means.shadow(target, options, this.instance.id)
  }

  reply(events: readonly StreamEvent[], options?: { headers?: Record<string, string> }): Completed {
    return options?.headers ? { type: 'completed', events, headers: options.headers } : { type: 'completed', events }
  }

  record(reply: Reply, limit: number): Recording {
    if (!(reply instanceof ReplyCore)) throw this.misuse('record() wants a reply of next()')
    return recordReply(reply, this.core.dialect, limit)
  }

  replay(stored: StoredReply, options?: { headers?: Record<string, string> }): Completed {
    if (stored.dialect !== this.core.dialect)
      throw this.misuse(`replay() of a reply in ${stored.dialect} to a client that speaks ${this.core.dialect}`)
    return { type: 'completed', events: [], stored, ...(options?.headers && { headers: options.headers }) }
  }

  note(detail: string): void {
    this.core.verdict(this.instance, '', 'noted', detail)
  }

  /** @throws when the hook that holds this view has timed out. */
  check(): void {
    if (this.revoked) throw this.misuse('this hook has timed out; its changes no longer count')
  }

  private misuse(what: string): Error {
    return new Error(`plugin ${this.instance.id}: ${what}`)
  }
}

function declares(slots: readonly AnySlot[], slot: AnySlot): boolean {
  for (const known of slots) if (known.name === slot.name) return true
  return false
}
