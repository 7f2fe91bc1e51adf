/** From the setting in gateway.yaml to a store of shared state; loads only the one that is used. */

import type { Logger } from '../plugin/host.ts'
import type { StateStore } from './state.ts'
import { MemoryState } from './state-memory.ts'

/** Opens shared state at `memory` or the URL of a Redis. Resolves within a second or two, also when the Redis can't be reached. */
export async function openState(where: string, options: { readonly now: () => number; readonly log: Logger }): Promise<StateStore> {
  if (where === 'memory') return new MemoryState({ now: options.now })
  const { openRedisState } = await import('./redis/state.ts')
  return await openRedisState({ url: where, log: options.log })
}
