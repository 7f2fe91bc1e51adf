/**
 * What is known of a provider's prompt cache for one model of one upstream. Shapes only: the data stands in the catalogue, each piece with its date and
 * source, and the operator may correct it (`prompt_cache_facts` of an upstream).
 */

/** How a cache mark is spelled on the wire. */
export type CacheMarkStyle = 'cache_control' | 'cachePoint' | 'prompt_cache_breakpoint'

export interface CacheFacts {
  /** `marks`: only what the request marks is cached. `auto`: the provider caches by itself, the longest prefix. `none`: nothing, or nothing is known. */
  readonly caching: 'marks' | 'auto' | 'none'
  /** Marks that requests may carry; with `auto` they come on top. Absent: none are understood. */
  readonly marks?: CacheMarkStyle | undefined
  /** Marks in one request, at most. */
  readonly maxMarks: number
  /** How many blocks before a mark an earlier entry is still found; absent = no limit. */
  readonly lookBack?: number | undefined
  /** Where marks may stand. */
  readonly places: readonly ('tools' | 'system' | 'messages')[]
  /** Types of content blocks that may bear a mark. */
  readonly blocks: readonly string[]
  /** Tokens of the shortest prefix that is cached. */
  readonly minimum: number
  /** Milliseconds that an entry lives after its last use. */
  readonly lifetime: number
  /** Milliseconds of the longer lifetime that a mark may ask for; absent = there is none. */
  readonly longLifetime?: number | undefined
  /** What the longer lifetime is called on the wire. */
  readonly longName?: string | undefined
  /** Price of a written and of a read token, as a share of one of plain input. `writeLong` is that of the longer lifetime. */
  readonly write: number
  readonly writeLong: number
  readonly read: number
  /** `prompt_cache_key` in the body leads requests of one conversation to one machine. */
  readonly key: boolean
  /** A header that does the same. */
  readonly conversationHeader?: string | undefined
  /** Requests per minute with one prefix and key, beyond which they are spread over cold machines. */
  readonly perKeyPerMinute: number
  /** An entry can be read only once the reply of the request that wrote it has begun: requests at the same time all write. */
  readonly slowEntries: boolean
  /** Top-level members of a request outside the prompt whose change costs the entries of the messages. */
  readonly invalidators: readonly string[]
  /** Since when this is known to be so: a date. */
  readonly asOf: string
  readonly source: string
}

/** A correction of what is known. */
export type CacheFactsEdit = Partial<CacheFacts>
