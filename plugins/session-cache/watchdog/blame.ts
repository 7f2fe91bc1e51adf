/**
 * Why a prompt that should have been in the provider's cache was not there: who changed what, at which byte. Pure.
 *
 * The prompt as it left is compared with the one that left last, and the same is done with the client's own bytes: what differs only in the first was
 * changed on the way, by the plugin whose edit lies there now or lay there last time.
 */

import type { Outcome, PromptUnit } from 'headgate/plugin'
import type { CallNote } from '../prompt/prompt-cache.ts'
import { type EditedUnit, editsOf } from './edits.ts'
import { compare } from './sent.ts'

/** `client`, `plugin`, `translation`: who changed the prompt. `route`: it went elsewhere. `provider`: nothing was changed. */
export type Cause = 'client' | 'plugin' | 'translation' | 'route' | 'provider'

export interface Blame {
  readonly cause: Cause
  /** Id of the plugin. */
  readonly plugin?: string
  /** What was changed: `system`, `message 12`, `/tool_choice`, or from where to where it went. */
  readonly what?: string
  /** Offset of the first byte that differs in the body as it left, before marks. */
  readonly byte?: number
  /** False: `byte` is where the piece begins. */
  readonly exact?: boolean
  /** Index of the piece. */
  readonly unit?: number
}

export interface Request {
  readonly bytes: Uint8Array
  readonly units: readonly PromptUnit[]
}

/** @param self id of this plugin's instance */
export function blame(note: CallNote, request: Request, outcome: Pick<Outcome, 'edits' | 'verdicts'>, self: string): Blame {
  const { before, change, sent } = note
  if (!before) return { cause: 'provider' }
  if (!note.sameRoute) return { cause: 'route', what: `${before.upstream}/${before.model} to ${note.upstream}/${note.model}` }
  if (change) {
    const where = { what: nameOf(sent.units[change.unit]), byte: change.at, exact: change.exact, unit: change.unit }
    const mine = compare(before.client ?? before.sent, request.bytes, request.units).change
    if (before.client || !note.translated) {
      // pieces of a translated prompt are not those of the client's: there, any change of the client's explains it
      const byClient = mine && (note.translated || mine.unit <= change.unit)
      if (byClient) return { cause: 'client', ...where, what: nameOf(request.units[mine.unit]) }
    }
    const plugin = editorOf(note, change.unit, editsOf(request.units, outcome.edits), before.edits) ?? callEditor(outcome, self)
    if (plugin !== undefined) return { cause: 'plugin', plugin, ...where }
    return { cause: mine && !note.translated ? 'client' : 'translation', ...where }
  }
  const member = changedMember(note)
  if (member !== undefined) {
    const plugin = outcome.edits?.find(({ where }) => where === `/${member}` || where.startsWith(`/${member}/`))?.plugin
    return { cause: plugin === undefined ? 'client' : 'plugin', ...(plugin !== undefined && { plugin }), what: `/${member}` }
  }
  const plugin = callEditor(outcome, self)
  if (plugin !== undefined) return { cause: 'plugin', plugin, what: 'the call itself, behind this plugin' }
  return { cause: 'provider' }
}

/** Who edited the piece, now or last time. Of a translated prompt, or of very many edits, the piece is not known: then it is whoever edited anything. */
function editorOf({ translated }: CallNote, unit: number, now: readonly EditedUnit[], before: readonly EditedUnit[]): string | undefined {
  const at = (edits: readonly EditedUnit[]) => edits.find(([edited]) => translated || edited === unit)?.[1]
  const all = new Set([...now, ...before].map(([, plugin]) => plugin))
  return at(now) ?? at(before) ?? (all.size > 0 ? [...all].join(', ') : undefined)
}

/** A plugin that changed the bytes of a call in its `attempt` hook. */
function callEditor({ verdicts }: Pick<Outcome, 'verdicts'>, self: string): string | undefined {
  return verdicts.find(({ hook, did, plugin }) => hook === 'attempt' && did === 'edited' && plugin !== self)?.plugin
}

function nameOf(unit: PromptUnit | undefined): string {
  if (!unit) return 'the end of the prompt'
  return unit.kind === 'message' ? `message ${unit.message}` : unit.kind
}

/** A member outside the prompt whose change costs the entries of the messages at this provider. */
function changedMember({ before, facts, sent }: CallNote): string | undefined {
  const kept = before?.sent.kept
  if (!kept || facts.invalidators.length === 0) return undefined
  const [was, is] = [outline(kept.body, kept.units), outline(sent.body, sent.units)]
  return was && is && facts.invalidators.find((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]))
}

/** The request with null for each piece of its prompt. */
function outline(body: Uint8Array, units: readonly PromptUnit[]): Readonly<Record<string, unknown>> | undefined {
  const pieces: Uint8Array[] = []
  let from = 0
  for (const { start, end } of [...units].sort((a, b) => a.start - b.start)) {
    pieces.push(body.subarray(from, start), Buffer.from('null'))
    from = end
  }
  pieces.push(body.subarray(from))
  try {
    return JSON.parse(Buffer.concat(pieces).toString()) as Readonly<Record<string, unknown>>
  } catch {
    return undefined
  }
}
