/**
 * Parameters as members of a body of OpenAI's: hints that an upstream does not know are dropped and disclosed, what changes the answer is refused.
 *
 * What Chat and Responses spell alike is written here, the rest by each of them.
 */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, Params } from '../conversation.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'

/** Writes a parameter under the name of a member, where it is given and `known`. */
export type WriteParam = (key: keyof Params, member: string, value: Writable, known: boolean) => void

export interface ParamWriter {
  /** What has been written. */
  readonly out: { [member: string]: Writable }
  /** The client's name of a parameter. */
  name(key: keyof Params): string
  /** Writes a hint where it is understood. */
  readonly hint: WriteParam
  /** Writes what may not be left out. */
  readonly need: WriteParam
}

/** Begins the parameters of one request. */
export function paramWriter({ names }: Conversation, report: LossReport): ParamWriter {
  const out: ParamWriter['out'] = {}
  const name = (key: keyof Params): string => names[key] ?? key
  return {
    out,
    name,
    hint(key, member, value, known) {
      if (value === undefined) return
      if (known) out[member] = value
      else report.drop(name(key))
    },
    need(key, member, value, known) {
      if (value === undefined) return
      if (known) out[member] = value
      else report.refuse(name(key))
    },
  }
}

/** How the next token is chosen, and where to stop. */
export function writeSampling({ hint, need }: ParamWriter, params: Params, can: WriteTarget['can']): void {
  need('stop', 'stop', params.stop && params.stop.length > 0 ? params.stop : undefined, can.stop)
  const temperature = params.temperature === undefined ? undefined : Math.min(2, Math.max(0, params.temperature))
  hint('temperature', 'temperature', temperature, can.sampling)
  hint('topP', 'top_p', params.topP, can.sampling && (can.temperatureWithTopP || temperature === undefined))
  hint('topK', 'top_k', params.topK, can.sampling && can.topK)
  hint('frequencyPenalty', 'frequency_penalty', params.frequencyPenalty, can.penalties)
  hint('presencePenalty', 'presence_penalty', params.presencePenalty, can.penalties)
  hint('seed', 'seed', params.seed, can.seed)
}

/** What the provider may do with the request besides answering it. Tiers and metadata of other families mean other things. */
export function writeService({ hint }: ParamWriter, { params, source }: Conversation, can: WriteTarget['can']): void {
  const related = source.startsWith('openai-')
  hint('cacheKey', 'prompt_cache_key', params.cacheKey, can.cacheKey)
  hint('cacheRetention', 'prompt_cache_retention', params.cacheRetention, can.cacheKey)
  hint('serviceTier', 'service_tier', params.serviceTier, related)
  hint('metadata', 'metadata', params.metadata, can.metadata && related)
}

/** At most 64 characters; Claude Code names its users by a JSON text of 150 (H11). */
export function shortUser(user: string): string {
  return user.length <= 64 ? user : new Bun.CryptoHasher('sha256').update(user).digest('hex')
}
