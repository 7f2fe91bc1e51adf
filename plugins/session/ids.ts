/**
 * Ids of sessions: a keyed hash of what is known of them, so that they reveal nothing, and can be computed again.
 *
 *     key of a caller = HMAC(secret, account and key)        id = "s_" + base32(HMAC(key of the caller, what names the session))[:20]
 *
 * Two callers who name their sessions alike get different ids. The secret is the operator's, or made once and kept (`secret.ts`).
 */

import { createHmac } from 'node:crypto'

/** A caller as ids and chains see it. */
export interface Caller {
  /** Tells callers apart in memory; made of the secret. */
  readonly tag: string
  /** Where chains of this caller begin. */
  readonly seed: bigint
  /** The id of the session with this name. */
  id(name: string): string
  /** A short name of a lane, of whatever it is made of. */
  lane(name: string): string
}

/** Keys of callers that are kept ready. */
const mostCallers = 10_000
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/** Gives callers under one secret. @param secret any text, the longer the better */
export function callers(secret: string): (account: string, key: string) => Caller {
  const known = new Map<string, Caller>()
  return (account, key) => {
    const name = `${account.length}:${account}${key}`
    let caller = known.get(name)
    if (!caller) {
      if (known.size >= mostCallers) known.clear()
      caller = callerOf(createHmac('sha256', secret).update(name).digest())
      known.set(name, caller)
    }
    return caller
  }
}

function callerOf(key: Buffer): Caller {
  const hash = (name: string) => createHmac('sha256', key).update(name).digest()
  const seed = hash('seed of chains')
  const laneSeed = hash('seed of lanes').readBigUInt64LE(0)
  return {
    tag: base32(hash('tag'), 16),
    seed: seed.readBigUInt64LE(0),
    id: (name) => `s_${base32(hash(name), 20)}`,
    // asked for with every request, and shown to operators only: a keyed hash is enough
    lane: (name) => `l_${(Bun.hash(name, laneSeed) as bigint).toString(36)}`,
  }
}

/** The first `length` characters of bytes in base 32. */
function base32(bytes: Uint8Array, length: number): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff
    bits += 8
    while (bits >= 5 && text.length < length) {
      bits -= 5
      text += alphabet[(value >> bits) & 31]
    }
  }
  return text
}
