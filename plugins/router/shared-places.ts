/**
 * Where conversations are, told between instances through shared state (opt-in).
 *
 * Asked only for conversations that this instance does not know, and told when they move, or now and then. A store that is away costs no request: then each
 * instance goes by what it knows itself.
 */

import type { Host } from 'headgate/plugin'
import type { Homes } from './homes.ts'

export interface SharedPlaces {
  /** Learns where a conversation is, if another instance has told. Never rejects. */
  find(session: string): Promise<void>
  /** Tells where it is. `moved`: it was elsewhere before. */
  tell(session: string, place: string, moved: boolean): void
}

/** Conversations of which is known when they were told last. */
const maxTold = 20_000

export function sharedPlaces({ log, now, state }: Pick<Host, 'log' | 'now' | 'state'>, ttl: number, homes: Homes): SharedPlaces {
  const told = new Map<string, number>()
  const keyOf = (session: string): string => `home:${Bun.hash(session).toString(36)}`
  const away = (error: unknown): void => log.debug('where conversations are is not told', { error: String(error) })
  return {
    async find(session) {
      try {
        const place = await state.get<string>(keyOf(session))
        if (typeof place === 'string') homes.learn(session, place, now())
      } catch (error) {
        away(error)
      }
    },
    tell(session, place, moved) {
      if (!moved && now() - (told.get(session) ?? 0) < ttl / 4) return
      told.delete(session)
      if (told.size >= maxTold) told.delete(told.keys().next().value!)
      told.set(session, now())
      state.set(keyOf(session), place, ttl).catch(away)
    },
  }
}
