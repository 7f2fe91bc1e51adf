/**
 * `budget`: reserves what a request may cost before its upstream is called, charges what it did cost, and refuses what an account can't pay.
 *
 * This file joins the parts to hooks. Money lives in the records and nowhere else; what this process remembers of accounts is a second old at most and
 * decides no balance.
 */

import {
  Charged,
  definePlugin,
  type Exchange,
  formatUsd,
  type Json,
  Principal,
  type Refusal,
  Session,
  StoreUnavailable,
  type UpstreamCall,
  withMarkup,
} from 'headgate/plugin'
import { accountsOf } from './accounts.ts'
import { affordable, type Bound, costOfBound, unknownRates } from './bound.ts'
import { chargeOf } from './charge.ts'
import { config } from './config.ts'
import { Delivered } from './delivered.ts'
import { healer, type Times, times } from './heal.ts'
import { inTime } from './patience.ts'
import { endOf, monthOf } from './period.ts'
import { type Plan, type PlanChoice, plansOf, type Settings } from './plan.ts'
import { reserve, type Short } from './reserve.ts'
import { addRoutes } from './routes.ts'
import { keep, type Settlement, settle } from './settle.ts'
import {
  allowedBy,
  boundOf,
  boundOfCall,
  chargeContext,
  type Going,
  inputEstimate,
  isReservedFor,
  passEvent,
  type Spending,
  see,
  settlementOf,
  settlementToRelease,
  wasServed,
} from './spending.ts'
import { migrations } from './tables.ts'
import { callerOf, takesOf } from './takes.ts'
import { refusalFor } from './told.ts'
import { askedOutput, inBackground } from './worst-output.ts'

/** Milliseconds for which the settings of an account are remembered. */
const remembered = 1000
const maxRemembered = 10_000
/** An output limit below this is not worth a request. */
const leastOutput = 16

type X = Exchange<never, typeof Principal | typeof Session, typeof Charged, Spending>

/** The plugin with times of its own: tests do not wait a minute for a crash to heal. */
export const budgetWith = ({ lease, pause }: Times) =>
  definePlugin({
    api: 1,
    name: 'budget',
    summary: 'Balances, subscriptions and caps: reserves the worst case, charges what was delivered',
    config,
    wants: [Principal, Session],
    provides: [Charged],
    failure: 'closed',
    usage: true,
    state: (): Spending => ({ going: undefined }),

    async setup(host, config) {
      const plans = plansOf(config)
      const unknown = unknownRates(config.unknown_price)
      const markup = exactMarkup(config.markup)
      const needsUser = Object.values(config.plans).some((plan) => plan.caps.some((cap) => cap.of === 'user'))
      const instance = crypto.randomUUID()
      const { records } = host
      await records.migrate(migrations)
      const accounts = accountsOf(records, plans, host.now)

      const counted = {
        reserved: host.counter('budget_reserved', 'Requests for which money or messages were reserved'),
        settled: host.counter('budget_settled', 'Requests charged, by where the usage came from'),
        released: host.counter(
          'budget_released',
          'Reservations given back: nothing was delivered (`undelivered`), it was charged before (`charged`), its gateway died (`crash`), or it was made when its request was over (`over`)',
        ),
        refused: host.counter('budget_refused', 'Requests refused, by code'),
        unknown: host.counter('budget_unknown_price', 'Requests whose price was not known, charged by the configured bound'),
        cut: host.counter('budget_cut', 'Streams ended because they had used up what was reserved'),
        waiting: host.counter(
          'budget_waiting',
          'Settlements written down while the records were away (`kept`), and entered later (`entered`)',
        ),
        spent: host.counter('budget_charged_usd', 'USD charged, markup included'),
      }

      const known = new Map<string, { readonly at: number; readonly settings: Settings | undefined }>()
      const settingsOf = (account: string): Settings | undefined | Promise<Settings | undefined> => {
        const entry = known.get(account)
        const age = entry === undefined ? remembered : host.now() - entry.at
        if (age >= 0 && age < remembered) return entry!.settings
        return accounts.settings(account).then((settings) => {
          if (known.size >= maxRemembered) known.clear()
          known.set(account, { at: host.now(), settings })
          return settings
        })
      }
      addRoutes(host, { path: config.path, totals: config.totals, accounts, plans, changed: (account) => void known.delete(account) })

      /** Ids of holds that requests have, or are about to. */
      const wantedHolds = new Set<string>()
      const heal = healer({
        records,
        lease,
        instance,
        now: host.now,
        log: host.log,
        isWanted: (id) => wantedHolds.has(id),
        released: (why) => counted.released.add(1, { why }),
        entered: () => counted.waiting.add(1, { what: 'entered' }),
      })
      host.task('heal', pause, () => heal.run())

      const refuse = (x: X, ...[code, options]: Parameters<X['refuse']>): Refusal => {
        counted.refused.add(1, { code })
        return x.refuse(code, options)
      }

      /** Finds the plan and takes from all that it says; the refusal when something is short. */
      const begin = async (x: X, going: Going): Promise<Refusal | undefined> => {
        const { account, tier } = going.caller
        const now = host.now()
        const apply = (plan: PlanChoice): plan is Plan => {
          if ('refusal' in plan) return false
          going.plan = plan
          going.takes = takesOf(plan, going.caller, now)
          return true
        }
        // should the store be away and this plugin be skipped, the request is charged by what is known
        apply(plans.of(known.get(account)?.settings, tier, now))
        const found = settingsOf(account)
        const settings = found instanceof Promise ? await found : found
        if (going.over) return undefined // this hook had timed out, and nobody would settle
        const plan = plans.of(settings, tier, now)
        if (!apply(plan)) return refuse(x, 'subscription_required', `${plan.refusal} Subscribe, or ask the operator of this gateway.`)
        const pays = plan.billed || going.takes.some((take) => take.unit === 'usd')
        if (pays && !going.priced) return refuse(x, 'permission_denied', { message: unpriced(x.request.model), param: 'model' })
        if (pays && inBackground(x.operation, x.request))
          return refuse(x, 'unsupported_parameter', { message: background, param: 'background' })
        if (pays && going.bound.guessed) counted.unknown.add(1)
        if ((!plan.billed || going.amount === 0n) && going.takes.length === 0) return undefined
        return await take(x, going, plan, config.cap_output)
      }
      /** Takes the amount, with a lower output limit where that may be; the refusal when something is short. */
      const take = async (x: X, going: Going, plan: Plan, mayLower: boolean): Promise<Refusal | undefined> => {
        const now = host.now()
        const wanted = {
          id: going.id,
          account: going.caller.account,
          plan,
          takes: going.takes,
          month: monthOf(now),
          now,
          expiresAt: now + lease,
          instance,
          requestId: x.id,
        }
        going.held = true
        wantedHolds.add(going.id)
        for (let tries = 0; ; tries++) {
          const work = reserve(records, { ...wanted, amount: going.amount, model: x.request.model })
          going.reserving = work
          const short = await work
          if (!short) {
            counted.reserved.add(1)
            x.note(`reserved ${formatUsd(going.amount)} USD`)
            return undefined
          }
          if (mayLower && tries < 3 && lower(x, going, short)) continue
          going.held = false
          return refuseShort(x, going, short)
        }
      }
      /** Reserves for a call of a model that the request did not name, when it may cost more. What was held is given back first. */
      const addFor = async (x: X, going: Going, call: UpstreamCall): Promise<Refusal | undefined> => {
        const { plan } = going
        if (!plan || going.over) return undefined
        const pays = plan.billed || going.takes.some((take) => take.unit === 'usd')
        if (!pays) return undefined
        const bound = boundOfCall(x, call, host.catalog, config, unknown)
        if (!bound) return refuse(x, 'permission_denied', { message: unpriced(call.model), param: 'model' })
        const amount = costOfBound(bound, markup)
        if (amount <= going.amount) return undefined
        if (going.held) await settle(records, settlementToRelease(going))
        if (going.over) return undefined
        wantedHolds.delete(going.id)
        Object.assign(going, { id: `hold_${crypto.randomUUID()}`, bound, amount, allowed: allowedBy(bound), held: false })
        return await take(x, going, plan, false)
      }
      const refuseShort = (x: X, going: Going, short: Short): Refusal => {
        const [code, options] = refusalFor(short, going.plan!, going.amount, endOf('month', host.now())!)
        return refuse(x, code, options)
      }
      /** Lowers the output limit of the request to what is left; false when that is too little. */
      const lower = (x: X, going: Going, { of, left }: Short): boolean => {
        if (of !== 'balance' && of.unit === 'messages') return false
        const { pointers, choices } = askedOutput(x.operation, x.request)
        const output = Math.floor(affordable(left, going.bound, markup) / choices)
        if (pointers.length === 0 || output < leastOutput || output * choices >= going.bound.outputTokens) return false
        for (const pointer of pointers) {
          const parent = pointer.slice(0, pointer.lastIndexOf('/'))
          if (parent !== '' && x.request.at(parent) === undefined) x.request.set(parent, {})
          if (!(Number(x.request.at(pointer)) <= output)) x.request.set(pointer, output)
        }
        going.bound = { ...going.bound, outputTokens: output * choices, limited: true }
        going.allowed = allowedBy(going.bound)
        going.amount = costOfBound(going.bound, markup)
        x.note(`output limited to ${output} tokens`)
        return true
      }

      /** Settlements under way: none is left behind when this instance closes. */
      const under = new Set<Promise<void>>()
      const settleNow = async (settlement: Settlement): Promise<void> => {
        try {
          const became = await settle(records, settlement)
          if (became === 'released') counted.released.add(1, { why: settlement.charge ? 'charged' : 'undelivered' })
          if (became !== 'charged') return
        } catch (error) {
          if (!(error instanceof StoreUnavailable)) host.log.error('a settlement failed, and waits to be entered', { error: String(error) })
          await keep(records, settlement, host.now())
          counted.waiting.add(1, { what: 'kept' })
        }
        const { charge } = settlement
        if (!charge) return
        counted.settled.add(1, { source: charge.entry.source ?? 'none' })
        counted.spent.add(Number(charge.spent) / 1e12)
      }

      return {
        request(x) {
          if (x.operation === 'count_tokens') return
          const found = boundOf(x, host.catalog, config, unknown)
          const bound = found ?? noBound
          const caller = callerOf(x.peek(Principal), x.peek(Session), needsUser ? userOf(x) : undefined)
          const going: Going = {
            id: `hold_${crypto.randomUUID()}`,
            once: x.inner?.once,
            caller,
            bound,
            priced: found !== undefined,
            model: host.catalog.find(x.request.model),
            adding: Promise.resolve(),
            plan: undefined,
            takes: [],
            amount: costOfBound(bound, markup),
            reserving: undefined,
            held: false,
            delivered: new Delivered(),
            allowed: allowedBy(bound),
            cut: false,
            over: false,
          }
          x.state.going = going
          return inTime(begin(x, going))
        },

        attempt(x, call) {
          const { going } = x.state
          if (!going || isReservedFor(going.model, call)) return
          const work = going.adding.then(() => addFor(x, going, call))
          going.adding = work.catch(() => {})
          return inTime(work)
        },

        event(x, event) {
          const { going } = x.state
          if (!going) return
          const instead = x.request.stream ? passEvent(going, event, () => inputEstimate(x.request)) : see(going, event)
          if (!instead) return
          counted.cut.add(1)
          x.note('the reservation is used up: the reply was ended')
          return instead
        },

        async settle(x, outcome) {
          const { going } = x.state
          if (!going) return
          const work = (async () => {
            // a hook that timed out may still be at it
            going.over = true
            await going.adding
            await going.reserving?.catch(() => {})
            const served = wasServed(outcome)
            const charge = served ? chargeOf(outcome, chargeContext(x, going, host.catalog, markup)) : undefined
            if (charge) x.put(Charged, { cost: charge.cost, usage: charge.usage, guessed: charge.unknown.length > 0 })
            const costs = charge !== undefined && (charge.amount > 0n || going.held)
            if (!costs && !going.held) return
            const settlement = settlementOf(going, charge, { now: host.now(), requestId: x.id, outcome, markup })
            await settleNow(settlement)
          })()
          under.add(work)
          try {
            await work
          } finally {
            under.delete(work)
            wantedHolds.delete(going.id)
          }
        },

        async close() {
          await Promise.allSettled([...under])
        },
      }
    },
  })

export default budgetWith(times)

const noBound: Bound = { input: 0n, output: 0n, request: 0n, inputTokens: 0, outputTokens: 0, limited: true, guessed: true }

/** A percentage that amounts can't be marked up with exactly is told at the start, not at the first request. @throws Error */
function exactMarkup(percent: number): string {
  const text = String(percent)
  try {
    withMarkup(0n, text)
  } catch {
    throw new Error(`markup: ${text} can't be counted exactly; give it at most 12 decimals, and no exponent`)
  }
  return text
}

const background = 'Responses in the background are not offered to accounts that pay: what they use is not known when their reply ends.'

function unpriced(model: string): string {
  const name = JSON.stringify(model.slice(0, 100))
  return `The price of ${name} is not known here, so nothing can be reserved for it. The operator can set its price, or unknown_price.`
}

/** The end user that a body names: OpenAI's `user` and `safety_identifier`, Anthropic's `metadata.user_id`. */
function userOf({ request }: X): string | undefined {
  for (const pointer of ['/safety_identifier', '/user', '/metadata/user_id']) {
    const value: Json | undefined = request.at(pointer)
    if (typeof value === 'string' && value !== '') return value
  }
  return undefined
}
