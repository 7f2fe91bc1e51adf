/** Ids of batches and files: nobody can guess one. */

import { randomBytes } from 'node:crypto'

export type IdPrefix = 'batch_' | 'msgbatch_' | 'file-'

export function newId(prefix: IdPrefix): string {
  return `${prefix}${randomBytes(16).toString('hex')}`
}
