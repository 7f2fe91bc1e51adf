/**
 * The endpoints: callers see their own account, operators see and change all.
 *
 *   GET  <path>                             the caller's own account
 *   GET  /budget/accounts                   accounts, by id
 *   GET  /budget/accounts/:account          one account          PATCH: its plan and caps
 *   GET  /budget/accounts/:account/ledger   its entries, the newest first
 *   POST /budget/accounts/:account/entries  a topup, refund or adjustment
 */

import type { Host, PrincipalCap } from 'headgate/plugin'
import { parseMoment, parseUsd } from 'headgate/plugin'
import type { Accounts, SettingChanges } from './accounts.ts'
import { NotEntered } from './ledger.ts'
import { capsOf, type Plans } from './plan.ts'
import { callerOf } from './takes.ts'
import { accountJson, entryJson, rowJson, totalsJson } from './told.ts'

/** A mistake in what an operator sent. */
class Mistake extends Error {}

export interface RouteOptions {
  readonly path: string
  /** What went into an account and out of it since it began is told too. */
  readonly totals: boolean
  readonly accounts: Accounts
  readonly plans: Plans
  /** An account was changed: what is remembered of it is no longer true. */
  readonly changed: (account: string) => void
}

export function addRoutes(host: Host, { path, totals, accounts, plans, changed }: RouteOptions): void {
  host.route({
    method: 'GET',
    path,
    summary: "The caller's balance, plan and caps",
    async handler(_request, _params, { principal }) {
      const view = await accounts.view(callerOf(principal, undefined, undefined))
      const told = accountJson(view)
      const all = totals ? { ...(told as object), data: totalsJson(view.balance, await chargedTo(host, view.account)) } : told
      return Response.json(all, { headers: { 'cache-control': 'no-store' } })
    },
  })
  host.admin({
    method: 'GET',
    path: '/budget/accounts',
    summary: 'Accounts and their balances',
    handler: (request) =>
      answered(async () => {
        const { items, next } = await accounts.list(pageOf(request))
        return { accounts: items.map(rowJson), ...(next !== undefined && { next }) }
      }),
  })
  host.admin({
    method: 'GET',
    path: '/budget/accounts/:account',
    summary: 'One account',
    handler: (_request, { account }) => answered(async () => accountJson(await accounts.view(accountAlone(account!)))),
  })
  host.admin({
    method: 'PATCH',
    path: '/budget/accounts/:account',
    summary: 'Sets plan, plan_until and caps of an account; null takes one away',
    handler: (request, { account }) =>
      answered(async () => {
        await accounts.set(account!, changesOf(await bodyOf(request), plans))
        changed(account!)
        return accountJson(await accounts.view(accountAlone(account!)))
      }),
  })
  host.admin({
    method: 'GET',
    path: '/budget/accounts/:account/ledger',
    summary: 'Entries of an account, the newest first',
    handler: (request, { account }) =>
      answered(async () => {
        const { items, next } = await accounts.ledger(account!, pageOf(request))
        return { entries: items.map(entryJson), ...(next !== undefined && { next }) }
      }),
  })
  host.admin({
    method: 'POST',
    path: '/budget/accounts/:account/entries',
    summary: 'Adds a topup, refund or adjustment: {"kind":"topup","usd":"10.00","id":"…","note":"…"}; what has an id is entered once',
    handler: (request, { account }) =>
      answered(async () => {
        const body = await bodyOf(request)
        const entered = await accounts.enter({ account: account!, ...entryOf(body) })
        changed(account!)
        return { entered, account: accountJson(await accounts.view(accountAlone(account!))) }
      }),
  })
}

/** An account seen by an operator: no key, no user. */
export function accountAlone(account: string): ReturnType<typeof callerOf> {
  return { ...callerOf({ id: account, account, kind: 'key', tags: [] }, undefined, undefined) }
}

/** What is to be entered. `id` names it, so that it is entered once. @throws Mistake */
export function entryOf(body: Readonly<Record<string, unknown>>) {
  // a misspelt id would let a payment be entered twice
  const stray = Object.keys(body).find((name) => !['kind', 'usd', 'id', 'note'].includes(name))
  if (stray !== undefined) throw new Mistake(`there is no ${JSON.stringify(stray)}; an entry has kind, usd, id and note`)
  const { kind = 'topup', usd, id, note } = body
  if (kind !== 'topup' && kind !== 'refund' && kind !== 'adjust') throw new Mistake('kind is topup, refund or adjust')
  const amount = amountOf(usd)
  if (amount === 0n) throw new Mistake('usd is an amount other than 0')
  if (amount < 0n && kind !== 'adjust') throw new Mistake(`a ${kind} is more than 0; use adjust to take away`)
  if (id !== undefined && (typeof id !== 'string' || !/^[\x21-\x7e]{1,200}$/.test(id)))
    throw new Mistake('id is a text without spaces, 200 characters at most')
  if (note !== undefined && (typeof note !== 'string' || note.length > 1000)) throw new Mistake('note is a text of 1000 characters at most')
  return { id: `${kind}:${id ?? crypto.randomUUID()}`, kind, amount, note } as const
}

/** What is to be set for an account. @throws Mistake */
export function changesOf(body: Readonly<Record<string, unknown>>, plans: Plans): SettingChanges {
  const stray = Object.keys(body).find((name) => !['plan', 'plan_until', 'caps'].includes(name))
  if (stray !== undefined) throw new Mistake(`there is no ${JSON.stringify(stray)}; set plan, plan_until or caps`)
  const { plan, plan_until: until, caps } = body
  if (plan !== undefined && plan !== null && !plans.names.includes(plan as string))
    throw new Mistake(`there is no plan ${JSON.stringify(plan)}; plans are: ${plans.names.join(', ') || '(none)'}`)
  const ends = typeof until === 'string' ? parseMoment(until) : undefined
  if (until !== undefined && until !== null && ends === undefined)
    throw new Mistake('plan_until is a time such as 2027-01-31T00:00:00Z, of a day that exists')
  return {
    ...(plan !== undefined && { plan: plan as string | null }),
    // the end of a plan that is taken away would end the next one, too
    ...((until !== undefined || plan === null) && { until: ends ?? null }),
    ...(caps !== undefined && { caps: caps === null ? null : givenCaps(caps) }),
  }
}

function givenCaps(caps: unknown): PrincipalCap[] {
  const wrong = new Mistake('caps is a list such as [{"per":"day","usd":"5","messages":100}], 16 at most')
  if (!Array.isArray(caps) || caps.length > 16) throw wrong
  const list = caps.map((cap: { per?: unknown; usd?: unknown; messages?: unknown } | null): PrincipalCap => {
    const { per, usd, messages } = cap ?? {}
    if (per !== 'day' && per !== 'month' && per !== 'total') throw wrong
    if (usd === undefined && messages === undefined) throw wrong
    if (messages !== undefined && !(typeof messages === 'number' && Number.isSafeInteger(messages) && messages >= 0)) throw wrong
    return { per, ...(usd !== undefined && { usd: String(usd) }), ...(messages !== undefined && { messages: messages as number }) }
  })
  try {
    if (capsOf(list, 'account').some((cap) => (cap.usd ?? 0n) < 0n)) throw wrong
  } catch {
    throw wrong
  }
  return list
}

function amountOf(usd: unknown): bigint {
  if (typeof usd !== 'string' && typeof usd !== 'number') throw new Mistake('usd is an amount such as "12.50"')
  try {
    return parseUsd(String(usd))
  } catch (error) {
    throw new Mistake(`usd: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function bodyOf(request: Request): Promise<Readonly<Record<string, unknown>>> {
  const body: unknown = await request.json().catch(() => undefined)
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Mistake('send a JSON object')
  return body as Record<string, unknown>
}

function pageOf(request: Request): { after?: string; limit: number } {
  const query = new URL(request.url).searchParams
  const limit = Number(query.get('limit') ?? 100)
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= 1000)) throw new Mistake('limit is a number from 1 to 1000')
  const after = query.get('after')
  return { limit, ...(after !== null && { after }) }
}

async function answered(work: () => Promise<unknown>): Promise<Response> {
  try {
    return Response.json(await work(), { headers: { 'cache-control': 'no-store' } })
  } catch (error) {
    if (!(error instanceof Mistake || error instanceof NotEntered)) throw error
    return Response.json({ error: { type: 'invalid_request_error', message: error.message } }, { status: 400 })
  }
}

/** Picodollars that an account was charged since it began. */
async function chargedTo(host: Host, account: string): Promise<bigint> {
  const [row] = await host.records.sql<{ sum: bigint | null }>`SELECT sum(amount) AS sum FROM budget_ledger
    WHERE account = ${account} AND kind = ${'charge'}`
  return -BigInt(row?.sum ?? 0n)
}
