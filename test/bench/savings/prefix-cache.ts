/**
 * A provider's prompt cache, simulated by the rules that Anthropic publishes (platform.claude.com/docs/en/build-with-claude/prompt-caching).
 *
 * A prompt is a chain of blocks. An entry exists only where a mark was, holds everything up to there, and lives for its lifetime after its last use.
 * A mark finds the longest living entry among its own block and the 20 before it. What lies between the longest entry found and the last mark is
 * written; what comes after the last mark is billed plainly. Prompts up to a mark that are shorter than the model's minimum make no entry.
 */

export interface Block {
  /** Of everything up to and including this block. */
  readonly chain: bigint
  readonly tokens: number
  /** Lifetime in milliseconds of the mark on it; absent = no mark. */
  readonly mark?: number
}

export interface CacheUse {
  readonly uncached: number
  readonly read: number
  /** Written with a lifetime of five minutes, and of an hour. */
  readonly write5m: number
  readonly write1h: number
  /** Last block that was read; -1 for none. */
  readonly readTo: number
  /** Last block that was read or written; -1 for none. */
  readonly markedTo: number
}

const lookBack = 20
const fiveMinutes = 300_000
const maxMarks = 4

export class PrefixCache {
  /** When each entry ends, and how long it lives after a use. */
  private readonly entries = new Map<bigint, { until: number; readonly lifetime: number; readonly from: number }>()

  /** @param minimum tokens below which nothing is cached */
  constructor(private readonly minimum: number) {}

  /**
   * Bills one request.
   * @param now milliseconds
   * @param readyAt when its reply begins: until then nobody can read what it writes
   * @throws Error for more marks than a provider takes, or an hour behind five minutes
   */
  use(blocks: readonly Block[], now: number, readyAt = now): CacheUse {
    const marks: number[] = []
    let total = 0
    const upTo = blocks.map((block, i) => {
      if (block.mark !== undefined) marks.push(i)
      return (total += block.tokens)
    })
    if (marks.length > maxMarks) throw new Error(`${marks.length} marks; at most ${maxMarks} are allowed`)
    for (let i = 1; i < marks.length; i++) {
      if (blocks[marks[i]!]!.mark! > blocks[marks[i - 1]!]!.mark!) throw new Error('a mark of an hour comes behind one of five minutes')
    }
    let readTo = -1
    for (const mark of marks) {
      for (let i = mark; i >= 0 && i >= mark - lookBack && i > readTo; i--) {
        const entry = this.entries.get(blocks[i]!.chain)
        if (entry && entry.until > now && entry.from <= now) {
          readTo = i
          entry.until = now + entry.lifetime
          break
        }
      }
    }
    const read = readTo < 0 ? 0 : upTo[readTo]!
    let write5m = 0
    let write1h = 0
    let markedTo = readTo
    let written = read
    for (const mark of marks) {
      const { chain, mark: lifetime = fiveMinutes } = blocks[mark]!
      if (upTo[mark]! < this.minimum) continue
      if (mark > markedTo) {
        const tokens = upTo[mark]! - written
        if (lifetime > fiveMinutes) write1h += tokens
        else write5m += tokens
        written = upTo[mark]!
        markedTo = mark
      }
      const known = this.entries.get(chain)
      // a longer mark on an entry that is there makes it live no longer than it was paid for
      if (!known || known.until <= now) this.entries.set(chain, { until: now + lifetime, lifetime, from: readyAt })
    }
    return { uncached: total - written, read, write5m, write1h, readTo, markedTo }
  }
}

/** Prices relative to a token of plain input, in thousandths. */
export const relativePrice = { uncached: 1000, read: 100, write5m: 1250, write1h: 2000 } as const

/** What a use costs, in thousandths of a plain input token. */
export function costOfUse(use: CacheUse): number {
  return (
    use.uncached * relativePrice.uncached +
    use.read * relativePrice.read +
    use.write5m * relativePrice.write5m +
    use.write1h * relativePrice.write1h
  )
}
