/**
 * A Messages body as Vertex and Bedrock want it: `anthropic_version` and the beta flags inside, `model` outside.
 *
 * Edits are splices: what is not named here leaves byte for byte and in its order, `cache_control` marks included (F01, F02, F04). The body is parsed
 * only when it holds flags of its own, or marks or blocks that must go.
 */

import { JsonDocument, JsonSyntaxError } from '../../json/document.ts'
import type { Json } from '../../plugin/request.ts'
import { type FlagRules, flagsOf, sortFlags } from './beta-flags.ts'
import { type HostCall, HostError } from './host.ts'

export interface ClaudeHost {
  /** What the host calls the API version 2023-06-01. Later ones have the same name everywhere. */
  readonly version: string
  readonly flags: FlagRules
  /** Top-level members that the host does not take. */
  readonly without: readonly string[]
}

/** Headers that have moved into the body. */
export const movedHeaders = ['anthropic-version', 'anthropic-beta'] as const

export interface ClaudeBody {
  readonly body: Uint8Array
  readonly dropped: readonly string[]
  /** The beta flags that are in it. */
  readonly flags: readonly string[]
}

/** @throws HostError when the body is no JSON, or needs what the host does not have */
export function claudeBody({ body, headers }: Pick<HostCall, 'body' | 'headers'>, host: ClaudeHost): ClaudeBody {
  try {
    return edited(body, headers, host)
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw new HostError(`The body is not valid JSON: ${error.message}`)
    throw error
  }
}

/** The version that clients have named for years, and that is meant when they name none. */
const longStanding = '2023-06-01'

function edited(bytes: Uint8Array, headers: Headers, host: ClaudeHost): ClaudeBody {
  const document = new JsonDocument(bytes)
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  /** A member by name; a search tells that there is none without parsing. */
  const member = (name: string): Json | undefined => (text.includes(`"${name}"`) ? document.at(`/${name}`) : undefined)

  const inside = member('anthropic_beta')
  const given = [
    ...flagsOf(headers.get('anthropic-beta')),
    ...(Array.isArray(inside) ? inside.filter((flag) => typeof flag === 'string') : []),
  ]
  const { kept, denied, wishes, cacheMembers } = sortFlags(given, host.flags, (name) => member(name) !== undefined)
  const removed = [...wishes.filter((pointer) => member(pointer.slice(1)) !== undefined)]
  for (const name of cacheMembers) if (text.includes(`"${name}"`)) removed.push(...cachePointers(document.value, name))

  for (const name of host.without) if (text.includes(`"${name}"`)) document.remove(`/${name}`)
  for (const pointer of removed) document.remove(pointer)
  // last: it moves what comes behind in its list
  if (text.includes(attribution)) for (const pointer of attributions(document.value)) document.remove(pointer)
  if (member('anthropic_version') === undefined) {
    const version = headers.get('anthropic-version') ?? longStanding
    document.set('/anthropic_version', version === longStanding ? host.version : version)
  }
  if (kept.length > 0) document.set('/anthropic_beta', kept)
  else if (inside !== undefined) document.remove('/anthropic_beta')
  return { body: document.output(), dropped: [...denied, ...removed], flags: kept }
}

/**
 * The block by which Claude Code tells Anthropic who is billed. It changes from call to call: at Anthropic it is taken out before the cache
 * looks at the prompt, elsewhere it would make every prompt a new one (F03).
 */
const attribution = 'x-anthropic-billing-header:'

/** Pointers of the system blocks that are such, the last first. */
function attributions(body: Json): string[] {
  const system = (body as { readonly system?: Json } | null)?.system
  if (!Array.isArray(system)) return []
  return system.flatMap((block, i) => (isAttribution(block) ? [`/system/${i}`] : [])).reverse()
}

function isAttribution(block: Json): boolean {
  const text = block !== null && typeof block === 'object' && !Array.isArray(block) ? (block as { readonly text?: Json }).text : undefined
  return typeof text === 'string' && text.trimStart().startsWith(attribution)
}

/** Pointers of a member of every `cache_control` in a Messages body. */
function cachePointers(body: Json, name: string): string[] {
  const found: string[] = []
  const look = (value: Json | undefined, pointer: string): void => {
    if (Array.isArray(value)) {
      for (const [i, item] of value.entries()) look(item, `${pointer}/${i}`)
      return
    }
    if (value === null || typeof value !== 'object') return
    const block = value as { readonly [key: string]: Json }
    const mark = block.cache_control
    if (mark !== null && typeof mark === 'object' && !Array.isArray(mark) && Object.hasOwn(mark, name)) {
      found.push(`${pointer}/cache_control/${name}`)
    }
    look(block.content, `${pointer}/content`)
  }
  if (body === null || typeof body !== 'object' || Array.isArray(body)) return found
  look(body, '') // its own mark; a body has no `content`
  for (const part of ['system', 'tools', 'messages'] as const) look((body as { readonly [key: string]: Json })[part], `/${part}`)
  return found
}
