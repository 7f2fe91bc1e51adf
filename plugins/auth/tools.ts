/** What the command line uses of this plugin: keys are made and kept by the same code as in a running gateway. */

import type { Records } from 'headgate/plugin'
import { migrations, recordsKeyStore } from './key-records.ts'
import type { KeyStore } from './key-store.ts'

export { fieldProblem, parseCap, parseLimit } from './key-fields.ts'
export { fileKeyStore } from './key-store.ts'
export { addKeyToFile, createKey, readKeys, removeKeyFromFile } from './keys.ts'

/** Keys in records, whose tables are made where they are not there yet. @throws StoreUnavailable */
export async function openKeyStore(records: Records, realm: string): Promise<KeyStore> {
  await records.migrate(migrations)
  return recordsKeyStore(records, realm, Date.now)
}
