/**
 * Accounts for the command line, in the same words and with the same checks as the admin API. Everything that is given back is JSON.
 */

import type { Json, Records } from 'headgate/plugin'
import { accountsOf } from './accounts.ts'
import type { BudgetConfig } from './config.ts'
import { plansOf } from './plan.ts'
import { accountAlone, changesOf, entryOf } from './routes.ts'
import { migrations } from './tables.ts'
import { accountJson, entryJson, rowJson } from './told.ts'

type JsonMap = { readonly [key: string]: Json }

/** What `headgate credits` can do. Fields are named as in the admin API; a wrong one is an error with a sentence for its user. */
export interface Credits {
  list(after?: string): Promise<{ readonly items: readonly JsonMap[]; readonly next?: string }>
  show(account: string): Promise<JsonMap>
  ledger(account: string, limit: number): Promise<readonly JsonMap[]>
  /** False when there is an entry with this id already. */
  enter(account: string, entry: Readonly<Record<string, unknown>>): Promise<boolean>
  set(account: string, changes: Readonly<Record<string, unknown>>): Promise<JsonMap>
}

/** Opens the accounts in a gateway's records. `config` is the `with` of its budget plugin, checked. */
export async function openCredits(records: Records, config: unknown): Promise<Credits> {
  await records.migrate(migrations)
  const plans = plansOf(config as BudgetConfig)
  const accounts = accountsOf(records, plans, Date.now)
  const show = async (account: string) => accountJson(await accounts.view(accountAlone(account))) as JsonMap
  return {
    async list(after) {
      const { items, next } = await accounts.list({ limit: 1000, ...(after !== undefined && { after }) })
      return { items: items.map((row) => rowJson(row) as JsonMap), ...(next !== undefined && { next }) }
    },
    show,
    ledger: async (account, limit) => (await accounts.ledger(account, { limit })).items.map((entry) => entryJson(entry) as JsonMap),
    enter: async (account, entry) => await accounts.enter({ account, ...entryOf(entry) }),
    async set(account, changes) {
      await accounts.set(account, changesOf(changes, plans))
      return await show(account)
    },
  }
}
