/**
 * The secret under which ids of sessions are made, where the operator gave none: made once, and kept where all instances find it.
 *
 * With shared state that is the state, for it is what the instances have in common; else it is the records, so that ids outlive a restart. Until a store
 * has answered, ids are made with a secret of this process's own.
 */

import type { Host } from 'headgate/plugin'

const key = 'secret'
/** It is written anew at each start. */
const life = 400 * 86_400_000

/** The kept secret; undefined when its store can't be reached now. @param own what this process goes by, kept where there is none */
export async function keptSecret(host: Host, isShared: boolean, own?: string): Promise<string | undefined> {
  try {
    return isShared ? await inState(host, own) : await inRecords(host)
  } catch (error) {
    if (own !== undefined) return own
    host.log.warn("the secret of session ids is not at hand: ids are this instance's own for now", { error: String(error) })
    return undefined
  }
}

async function inState({ state }: Host, own: string | undefined): Promise<string> {
  const made = own ?? randomSecret()
  if (await state.setIfAbsent(key, made, life)) return made
  const kept = await state.get<unknown>(key)
  if (typeof kept !== 'string' || kept.length < 32) throw new Error('what stands in the place of the secret is none')
  if (own === undefined) await state.set(key, kept, life)
  return kept
}

async function inRecords({ records }: Host): Promise<string> {
  await records.migrate([{ id: 'session-secret', statements: ['CREATE TABLE session_secret (id TEXT PRIMARY KEY, secret TEXT NOT NULL)'] }])
  const made = randomSecret()
  await records.sql`INSERT INTO session_secret (id, secret) VALUES (${key}, ${made}) ON CONFLICT (id) DO NOTHING`
  const [row] = await records.sql<{ secret: string }>`SELECT secret FROM session_secret WHERE id = ${key}`
  if (!row) throw new Error('the secret was not kept')
  return row.secret
}

function randomSecret(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex')
}

/** True when the state lives outside this process: then other instances may have it, too. */
export async function isShared({ state }: Host): Promise<boolean> {
  // takes are synchronous where the store is in this process
  const taken = state.take('probe', 0, 1, 60_000)
  if (!(taken instanceof Promise)) return false
  await taken.catch(() => {})
  return true
}
