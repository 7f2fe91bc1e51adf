/**
 * What is remembered of each line of turns: what was sent last, what the provider billed for it, and what was decided for it.
 *
 * In this process first. What other instances need to decide alike is put into shared state as well, without anybody waiting for it; a lane that another
 * instance served last is read from there. A store that can't be reached costs a cache read, never an error. Bounded in lanes and in bytes.
 */

import type { Host } from 'headgate/plugin'
import type { SeenPrompt } from '../watchdog/sent.ts'

export interface Lane {
  /** When its last request came: milliseconds since the epoch. */
  readonly at: number
  /** Requests so far. */
  readonly turns: number
  /** When it was over. */
  readonly until: number
  readonly upstream: string
  readonly model: string
  /** Ask for the longer lifetime from now on. */
  readonly long: boolean
  /** Milliseconds that what was read or written lives. */
  readonly lifetime: number
  /** Tokens of the last prompt as billed, and how many of them the provider then had in its cache; -1 when it did not say. */
  readonly input: number
  readonly cached: number
  /** The prompt bore marks of its client. */
  readonly marked: boolean
  /** The prompt as it left, before marks. */
  readonly sent: SeenPrompt
  /** The prompt as the client sent it, where that is something else. */
  readonly client?: SeenPrompt | undefined
  /** Which plugin edited which piece of the client's prompt. */
  readonly edits: readonly (readonly [unit: number, plugin: string])[]
  /** Misses in a row that began in the same piece. */
  readonly misses: number
  readonly missUnit: number
  /** From this piece on the prompt changes each time. */
  readonly stop?: number | undefined
  /** The key that was given to the provider, where it is not the session's. */
  readonly key?: string | undefined
}

interface Wire extends Omit<Lane, 'sent' | 'client'> {
  readonly sent: WirePrompt
  readonly client?: WirePrompt
}
interface WirePrompt {
  readonly units: number
  readonly size: number
  readonly hashes: string
}

export interface Lanes {
  /** The lane, from here or, when somebody else may have served it, from shared state. `after`: it was served at that time at the latest. */
  find(key: string, after: number | undefined, fresh: boolean): Lane | undefined | Promise<Lane | undefined>
  put(key: string, lane: Lane): void
  /** Those of whom something was heard since then. */
  recent(since: number): Iterable<readonly [key: string, lane: Lane]>
  readonly size: number
  readonly bytes: number
}

/** Milliseconds that a look into shared state may take. */
const patience = 250
const ttl = 2 * 3_600_000
/** Milliseconds by which two plugins may differ on when an exchange was over. */
const slack = 2000

export function createLanes(host: Host, most: number, mostBytes: number): Lanes {
  const lanes = new Map<string, Lane>()
  /** Those whose bytes are kept, the oldest first. */
  const whole = new Map<string, number>()
  let bytes = 0

  const forget = (key: string) => {
    bytes -= whole.get(key) ?? 0
    whole.delete(key)
  }
  const remember = (key: string, lane: Lane) => {
    lanes.delete(key)
    forget(key)
    if (lanes.size >= most) {
      const oldest = lanes.keys().next().value!
      lanes.delete(oldest)
      forget(oldest)
    }
    lanes.set(key, lane)
    const size = sizeOf(lane)
    if (size > 0) {
      whole.set(key, size)
      bytes += size
    }
    for (const [old] of whole) {
      if (bytes <= mostBytes) break
      lanes.set(old, hashesOnly(lanes.get(old)!))
      forget(old)
    }
  }
  const look = async (key: string, known: Lane | undefined): Promise<Lane | undefined> => {
    try {
      const shared = fromWire(await Promise.race([host.state.get<Wire>(`lane:${key}`), Bun.sleep(patience).then(() => undefined)]))
      if (!shared || (known && known.at >= shared.at)) return known
      remember(key, shared)
      return shared
    } catch {
      return known
    }
  }

  return {
    find(key, after, fresh) {
      const known = lanes.get(key)
      if (fresh && !known) return undefined
      if (known && (after === undefined || known.until >= after - slack)) return known
      return look(key, known)
    },
    put(key, lane) {
      remember(key, lane)
      host.state.set(`lane:${key}`, toWire(lane), ttl).catch(() => {})
    },
    *recent(since) {
      for (const entry of lanes) if (entry[1].at >= since) yield entry
    },
    get size() {
      return lanes.size
    },
    get bytes() {
      return bytes
    },
  }
}

function sizeOf({ sent, client }: Lane): number {
  return (sent.kept?.body.length ?? 0) + (client?.kept?.body.length ?? 0)
}

function hashesOnly(lane: Lane): Lane {
  return { ...lane, sent: { ...lane.sent, kept: undefined }, client: lane.client && { ...lane.client, kept: undefined } }
}

function toWire({ sent, client, ...rest }: Lane): Wire {
  return { ...rest, sent: wirePrompt(sent), ...(client && { client: wirePrompt(client) }) }
}

function wirePrompt({ units, size, hashes }: SeenPrompt): WirePrompt {
  return { units, size, hashes: Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength).toString('base64') }
}

/** Another version of this plugin may have written it: what does not fit is as good as nothing. */
function fromWire(wire: Wire | undefined): Lane | undefined {
  if (typeof wire !== 'object' || wire === null || typeof wire.at !== 'number' || typeof wire.lifetime !== 'number') return undefined
  const sent = seenOf(wire.sent)
  if (!sent || !Array.isArray(wire.edits)) return undefined
  return { ...wire, sent, client: seenOf(wire.client) }
}

function seenOf(wire: WirePrompt | undefined): SeenPrompt | undefined {
  if (typeof wire?.hashes !== 'string' || typeof wire.units !== 'number') return undefined
  const bytes = new Uint8Array(Buffer.from(wire.hashes, 'base64'))
  return { units: wire.units, size: wire.size, hashes: new BigUint64Array(bytes.buffer, 0, bytes.length >> 3) }
}
