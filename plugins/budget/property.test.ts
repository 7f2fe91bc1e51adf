/**
 * Whatever happens in whatever order: the ledger sums to the balance, nothing is overdrawn, nothing is lost or billed twice.
 *
 * A world of several gateways on one store, driven at random: requests side by side, gateways that die between reservation and settlement, a store that
 * goes away, reservations that it makes after their request was given up, settlements that are repeated, months that begin. After each step the books
 * are checked; at the end everything must come to rest.
 */

import { expect, test } from 'bun:test'
import { StoreUnavailable } from 'headgate/plugin'
import { type Healer, healer, times } from './heal.ts'
import { enterIntoBalance } from './ledger.ts'
import { endOf, monthOf } from './period.ts'
import type { Plan } from './plan.ts'
import { reserve } from './reserve.ts'
import { keep, type Settlement, settle } from './settle.ts'
import { type Stand, stand } from './stand.fixture.ts'
import type { Take } from './takes.ts'

/** Small and fast; the same seed gives the same world. */
function random(seed: number): (below: number) => number {
  let a = seed
  return (below) => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const plans: Record<string, Plan> = {
  prepaid: { name: 'prepaid', billed: true, included: 0n, overage: 0n, caps: [] },
  monthly: { name: 'monthly', billed: true, included: 500n, overage: 300n, caps: [] },
  guest: { name: 'guest', billed: false, included: 0n, overage: 0n, caps: [] },
}
const accounts = Object.keys(plans)
const { lease } = times
const capUsd = 2000n
const capMessages = 40n

interface Open {
  readonly id: string
  readonly account: string
  readonly amount: bigint
  readonly takes: readonly Take[]
  readonly gateway: number
}

interface Tally {
  steps: number
  admitted: number
  refused: number
  unavailable: number
  crashed: number
  charged: number
}

class World {
  private readonly open = new Map<string, Open>()
  private readonly running = new Set<Promise<void>>()
  private readonly healers: Healer[] = []
  private readonly names = ['a', 'b', 'c']
  /** Ids of requests under way. */
  private readonly wanted = new Set<string>()
  /** Reservations that the store makes when their request has been refused. */
  private late: (() => Promise<void>)[] = []
  /** Holds that were charged: acknowledged to be durable. */
  readonly charged = new Map<string, bigint>()
  private down = false
  private n = 0

  constructor(
    private readonly stand: Stand,
    private readonly pick: (below: number) => number,
    private readonly tally: Tally,
  ) {
    for (const name of this.names) this.healers.push(this.healer(name))
  }

  private healer(instance: string): Healer {
    const { stand } = this
    return healer({
      records: stand.records,
      instance,
      now: () => stand.now,
      log: quiet,
      lease,
      isWanted: (id) => this.wanted.has(id),
      released: () => {},
      entered: () => {},
    })
  }

  private takes(account: string): Take[] {
    const endsAt = endOf('month', this.stand.now)
    const month = monthOf(this.stand.now)
    const of = (unit: 'usd' | 'messages', limit: bigint): Take => ({
      counter: `${unit}/month/${month}/account/${account}`,
      cap: { of: 'account', per: 'month' },
      unit,
      limit,
      endsAt,
    })
    return [of('messages', capMessages), of('usd', capUsd)]
  }

  private async ask(): Promise<void> {
    const account = accounts[this.pick(accounts.length)]!
    const gateway = this.pick(this.healers.length)
    const instance = this.names[gateway]!
    const id = `hold ${++this.n}`
    const amount = BigInt(1 + this.pick(120))
    const takes = this.takes(account)
    const { now, records } = this.stand
    const wanted = {
      id,
      account,
      plan: plans[account]!,
      amount,
      takes,
      month: monthOf(now),
      now,
      expiresAt: now + lease,
      instance,
    }
    const make = async () => await reserve(records, { ...wanted, requestId: id, model: 'm' })
    this.wanted.add(id)
    try {
      const short = await make()
      if (short) {
        this.tally.refused++
        this.wanted.delete(id)
        return
      }
      this.tally.admitted++
      if (this.names[gateway] === instance) this.open.set(id, { id, account, amount, takes, gateway }) // else it died meanwhile
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      this.tally.unavailable++
      // a request that was refused for that gives back what it may have taken
      await this.settled({ id, account, takes: taken(takes, amount) })
      this.wanted.delete(id)
      if (this.pick(3) === 0) this.late.push(async () => void (await make()))
    }
  }

  private async finish(): Promise<void> {
    const list = [...this.open.values()]
    const one = list[this.pick(Math.max(1, list.length))]
    if (!one) return
    this.open.delete(one.id)
    const { id, account, amount } = one
    const takes = taken(one.takes, amount)
    if (this.pick(4) === 0) {
      await this.settled({ id, account, takes })
      this.wanted.delete(id)
      return
    }
    const spent = BigInt(this.pick(Number(amount) + 1))
    const paid = plans[account]!.billed ? -spent : 0n
    const settlement: Settlement = { id, account, takes, charge: { spent, entry: { at: this.stand.now, kind: 'charge', amount: paid } } }
    await this.settled(settlement)
    this.charged.set(id, spent)
    this.wanted.delete(id)
    this.tally.charged++
    if (this.pick(5) === 0) await this.settled(settlement) // and again
  }

  private async settled(settlement: Settlement): Promise<void> {
    try {
      await settle(this.stand.records, settlement)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      await keep(this.stand.records, settlement, this.stand.now)
    }
  }

  /** A gateway dies: nobody settles what it had under way, and another takes its place. */
  private crash(): void {
    const gateway = this.pick(this.healers.length)
    for (const [id, one] of this.open) if (one.gateway === gateway) this.open.delete(id)
    this.names[gateway] = `gateway ${++this.n}`
    this.healers[gateway] = this.healer(this.names[gateway])
    this.tally.crashed++
  }

  private run(work: Promise<void>): void {
    const tracked = work.finally(() => this.running.delete(tracked))
    this.running.add(tracked)
  }

  async step(): Promise<void> {
    this.tally.steps++
    const { stand } = this
    const what = this.pick(100)
    if (this.down && this.pick(12) === 0) await this.power(false)
    if (what < 45) this.run(this.ask())
    else if (what < 75) this.run(this.finish())
    else if (what < 80) this.run(this.heal())
    else if (what < 83) this.crash()
    else if (what < 85) await this.power(true)
    else if (what < 90) stand.now += this.pick(lease / 2)
    else if (what < 91) stand.now += 20 * 86_400_000
    else if (what < 94 && !this.down) this.run(this.topUp(BigInt(this.pick(400))))
    else await Promise.all([...this.running])
    if (this.pick(3) === 0) await Promise.resolve()
    if (this.pick(10) === 0) await this.check()
  }

  private async heal(): Promise<void> {
    for (const one of this.healers) await one.run()
  }
  private async topUp(amount: bigint): Promise<void> {
    const id = `topup ${++this.n}`
    try {
      await this.stand.records.transaction((sql) =>
        enterIntoBalance(sql, { id, account: 'prepaid', at: this.stand.now, kind: 'topup', amount }),
      )
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
    }
  }
  private async power(down: boolean): Promise<void> {
    this.down = down
    if (down) return this.stand.kit.stores.records.down()
    await this.stand.kit.stores.records.up()
    for (const make of this.late.splice(0)) await make()
  }

  /** The books, at any moment. */
  async check(): Promise<void> {
    const { sql } = this.stand.kit.stores.records
    // one statement: others go on meanwhile
    const rows = await sql<{ id: string; balance: bigint; held: bigint; included: bigint; sum: bigint; holds: bigint }>`
      SELECT id, balance, held, included,
        (SELECT coalesce(sum(l.amount), 0) FROM budget_ledger l WHERE l.account = a.id) AS sum,
        (SELECT coalesce(sum(h.amount), 0) FROM budget_hold h WHERE h.account = a.id) AS holds FROM budget_account a`
    for (const { id, balance, held, included, sum, holds } of rows) {
      expect(balance).toBe(sum)
      expect(held).toBe(holds)
      expect(balance + plans[id]!.overage - held).toBeGreaterThanOrEqual(0n)
      expect(included).toBeGreaterThanOrEqual(0n)
    }
    for (const c of await sql<{ id: string; used: bigint; held: bigint }>`SELECT id, used, held FROM budget_counter`) {
      expect(c.held).toBeGreaterThanOrEqual(0n)
      expect(c.used + c.held).toBeLessThanOrEqual(c.id.startsWith('usd') ? capUsd : capMessages)
    }
  }

  /** Everything comes to rest: the store is there, the dead are found. */
  async rest(): Promise<void> {
    await Promise.all([...this.running])
    if (this.down) await this.power(false)
    while (this.open.size > 0) await this.finish()
    for (let i = 0; i < 12; i++) {
      this.stand.now += lease / 4
      await this.heal()
    }
    await this.check()
    const { sql } = this.stand.kit.stores.records
    expect(await sql`SELECT id FROM budget_hold`).toEqual([])
    expect(await sql`SELECT id FROM budget_waiting`).toEqual([])
    expect(await sql`SELECT id FROM budget_counter WHERE held <> 0`).toEqual([])
    const charges = await sql<{
      id: string
      amount: bigint
      account: string
    }>`SELECT id, amount, account FROM budget_ledger WHERE kind = 'charge'`
    expect(charges.map((c) => c.id).toSorted()).toEqual([...this.charged.keys()].map((id) => `charge:${id}`).toSorted())
    for (const c of charges) if (plans[c.account]!.billed) expect(-c.amount).toBe(this.charged.get(c.id.slice('charge:'.length))!)
  }
}

const quiet = { debug() {}, info() {}, warn() {}, error: (message: string) => expect(message).toBe('') }
const taken = (takes: readonly Take[], amount: bigint) =>
  takes.map(({ counter, unit, endsAt }) => ({ counter, unit, endsAt, held: unit === 'messages' ? 1n : amount }))

/** More with BUDGET_WORLDS=1000. */
const worlds = Number(process.env.BUDGET_WORLDS ?? 30)

test(`${worlds} random worlds of 400 steps`, async () => {
  const tally: Tally = { steps: 0, admitted: 0, refused: 0, unavailable: 0, crashed: 0, charged: 0 }
  for (let seed = 1; seed <= worlds; seed++) {
    const at = await stand()
    const world = new World(at, random(seed), tally)
    try {
      for (let i = 0; i < 400; i++) await world.step()
      await world.rest()
    } catch (error) {
      throw new Error(`world ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    } finally {
      await at.kit.close()
    }
  }
  console.log(JSON.stringify(tally))
  for (const count of Object.values(tally)) expect(count).toBeGreaterThan(worlds)
}, 120_000)
