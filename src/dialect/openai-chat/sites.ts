/**
 * Where in a Chat chunk or completion each event stands: the one place that knows the format's layout.
 *
 * Decoder, frame rewriting and whole replies all walk a body through `sitesOf`, so that an event and the bytes to edit for it can't
 * disagree. Pure, no state: which call a fragment belongs to and whether a stop was seen before is the decoder's business.
 */

import type { Usage } from '../../plugin/outcome.ts'
import type { Json } from '../../plugin/request.ts'
import type { UpstreamError } from '../codec.ts'
import { countOf, type JsonObject, jsonText, listOf, objectOf, textOf, wordOf } from '../shape.ts'
import { errorOf } from '../upstream-error.ts'
import { chatUsage } from './usage.ts'

export interface TextSite {
  readonly type: 'text' | 'reasoning'
  readonly choice: number
  readonly pointer: string
  readonly text: string
  /** Further places that repeat the same text and change with it (Together's `text`, OpenRouter's `reasoning_details`). */
  readonly mirrors: readonly string[]
}
export interface CallSite {
  readonly type: 'tool_call'
  readonly choice: number
  readonly pointer: string
  /** As the upstream counts, absent at Mistral; in a whole message the place in the list. */
  readonly index: number | undefined
  readonly id: string | undefined
  readonly name: string | undefined
  readonly arguments: string
  /** `arguments` is a JSON object instead of its text. */
  readonly asObject: boolean
}
/** Members that have no neutral word, of one choice. */
export interface NativeSite {
  readonly type: 'native'
  readonly choice: number
  readonly pointers: readonly string[]
  /** A chunk that holds these members alone. */
  readonly data: string
}
export interface StopSite {
  readonly type: 'stop'
  readonly choice: number
  readonly pointer: string
  readonly raw: string
}
export interface UsageSite {
  readonly type: 'usage'
  readonly pointer: string
  readonly usage: Usage
}
export interface ErrorSite {
  readonly type: 'error'
  readonly pointer: string
  readonly error: UpstreamError
}
export type Site = TextSite | CallSite | NativeSite | StopSite | UsageSite | ErrorSite

/** The sites of a chunk (`delta`) or a completion (`message`), in the order of their events. */
export function sitesOf(body: JsonObject, holder: 'delta' | 'message'): Site[] {
  const sites: Site[] = []
  const choices = listOf(body.choices)
  for (let i = 0; i < choices.length; i++) {
    const choice = objectOf(choices[i])
    if (choice) choiceSites(choice, `/choices/${i}`, choiceIndex(choice, i), holder, sites)
  }
  const usage = usageSite(body, choices)
  if (usage) sites.push(usage)
  if (isError(body.error)) sites.push({ type: 'error', pointer: '/error', error: errorOf(body.error!, body) })
  return sites
}

/** What the record needs of a completion, without listing its sites: usage, the first stop reason, an error. */
export function metersOf(body: JsonObject): { usage: Usage | undefined; stop: string | undefined; error: UpstreamError | undefined } {
  const choices = listOf(body.choices)
  let stop: string | undefined
  let error: UpstreamError | undefined
  for (const item of choices) {
    const choice = objectOf(item)
    if (!choice) continue
    stop ??= wordOf(choice.finish_reason)
    if (error === undefined && isError(choice.error)) error = errorOf(choice.error!, choice)
  }
  if (error === undefined && isError(body.error)) error = errorOf(body.error!, body)
  return { usage: usageSite(body, choices)?.usage, stop, error }
}

/** OpenAI allows 128 choices; an index far beyond is a mistake and may not make anybody's tables grow. */
export function choiceIndex(choice: JsonObject, position: number): number {
  const index = countOf(choice.index) ?? position
  return index < 1024 ? index : position
}

/** Usage at the top, else where Groq (`x_groq`) and Moonshot (the choice) put it. */
export function usageSite(body: JsonObject, choices: readonly Json[]): UsageSite | undefined {
  const top = chatUsage(body.usage)
  if (top) return { type: 'usage', pointer: '/usage', usage: top }
  const groq = chatUsage(objectOf(body.x_groq)?.usage)
  if (groq) return { type: 'usage', pointer: '/x_groq/usage', usage: groq }
  for (let i = 0; i < choices.length; i++) {
    const usage = chatUsage(objectOf(choices[i])?.usage)
    if (usage) return { type: 'usage', pointer: `/choices/${i}/usage`, usage }
  }
  return undefined
}

/** The sites of one choice. `at` is its pointer, `index` its own index. */
export function choiceSites(choice: JsonObject, at: string, index: number, holder: 'delta' | 'message', sites: Site[]): void {
  const message = objectOf(choice[holder]) ?? {}
  const inside = `${at}/${holder}`
  reasoningSites(message, inside, index, sites)
  contentSites(choice, message, at, inside, index, sites)
  const extras = extraMembers(choice, message, at, inside)
  const calls = listOf(message.tool_calls)
  for (let k = 0; k < calls.length; k++) {
    const call = objectOf(calls[k])
    if (!call) continue
    const site = callSite(call, `${inside}/tool_calls/${k}`, index, callIndex(call, k, holder))
    if (site) sites.push(site)
    else extras.push([`${inside}/tool_calls/${k}`, 'tool_calls', [call]])
  }
  if (extras.length > 0) sites.push(nativeSite(index, extras))
  const raw = wordOf(choice.finish_reason)
  if (raw !== undefined) sites.push({ type: 'stop', choice: index, pointer: `${at}/finish_reason`, raw })
  if (isError(choice.error)) sites.push({ type: 'error', pointer: `${at}/error`, error: errorOf(choice.error!, choice) })
}

function reasoningSites(message: JsonObject, inside: string, choice: number, sites: Site[]): void {
  const content = textOf(message.reasoning_content)
  const plain = textOf(message.reasoning)
  if (content === '' && plain === '') return
  const text = content || plain
  const mirrors: string[] = []
  if (content !== '' && plain !== '') mirrors.push(`${inside}/reasoning`)
  const details = listOf(message.reasoning_details)
  for (let i = 0; i < details.length; i++) {
    const detail = objectOf(details[i])
    for (const member of ['text', 'summary']) {
      if (detail?.[member] === text) mirrors.push(`${inside}/reasoning_details/${i}/${member}`)
    }
  }
  const pointer = `${inside}/${content !== '' ? 'reasoning_content' : 'reasoning'}`
  sites.push({ type: 'reasoning', choice, pointer, text, mirrors })
}

function contentSites(choice: JsonObject, message: JsonObject, at: string, inside: string, index: number, sites: Site[]): void {
  const content = message.content
  if (typeof content === 'string') {
    if (content === '') return
    const mirrors = choice.text === content ? [`${at}/text`] : []
    sites.push({ type: 'text', choice: index, pointer: `${inside}/content`, text: content, mirrors })
    return
  }
  const items = listOf(content)
  for (let i = 0; i < items.length; i++) {
    const item = objectOf(items[i])
    if (!item) continue
    const text = wordOf(item.text)
    if (text !== undefined && item.type !== 'thinking') {
      sites.push({ type: 'text', choice: index, pointer: `${inside}/content/${i}/text`, text, mirrors: [] })
      continue
    }
    // Mistral: thinking as a list of texts.
    const thoughts = listOf(item.thinking)
    for (let k = 0; k < thoughts.length; k++) {
      const thought = wordOf(objectOf(thoughts[k])?.text)
      if (thought === undefined) continue
      const pointer = `${inside}/content/${i}/thinking/${k}/text`
      sites.push({ type: 'reasoning', choice: index, pointer, text: thought, mirrors: [] })
    }
  }
}

/** Which call of its choice this is. A message holds each call once, so that only its place counts: an index in it may be 0 on all. */
export function callIndex(call: JsonObject, place: number, holder: 'delta' | 'message'): number | undefined {
  return holder === 'message' ? place : countOf(call.index)
}

function callSite(call: JsonObject, pointer: string, choice: number, index: number | undefined): CallSite | undefined {
  const f = objectOf(call.function)
  if (!f && call.custom !== undefined) return undefined
  const given = f?.arguments
  const asObject = typeof given === 'object' && given !== null
  return {
    type: 'tool_call',
    choice,
    pointer,
    index,
    id: wordOf(call.id),
    name: wordOf(f?.name),
    arguments: asObject ? jsonText(given) : textOf(given),
    asObject,
  }
}

type Extra = [pointer: string, member: string, value: Json]
const known = new Set(['role', 'content', 'reasoning', 'reasoning_content', 'tool_calls'])

/** Members that carry something of their own: lists, objects and a refusal's text. Scalars such as token ids travel with the frame. */
function extraMembers(choice: JsonObject, message: JsonObject, at: string, inside: string): Extra[] {
  const extras: Extra[] = []
  for (const member in message) {
    if (known.has(member)) continue
    const value = message[member]!
    const carries = typeof value === 'object' ? hasMembers(value) : member === 'refusal' && typeof value === 'string' && value !== ''
    if (carries) extras.push([`${inside}/${member.replaceAll('~', '~0').replaceAll('/', '~1')}`, member, value])
  }
  const logprobs = choice.logprobs
  if (typeof logprobs === 'object' && logprobs !== null && listOf(objectOf(logprobs)?.content).length > 0) {
    extras.push([`${at}/logprobs`, '', logprobs])
  }
  return extras
}

function hasMembers(value: Json): boolean {
  return typeof value === 'object' && value !== null && (Array.isArray(value) ? value.length > 0 : Object.keys(value).length > 0)
}

function nativeSite(choice: number, extras: readonly Extra[]): NativeSite {
  const delta: Record<string, Json> = {}
  let logprobs: Json | undefined
  for (const [, member, value] of extras) {
    if (member === '') logprobs = value
    else if (member === 'tool_calls') delta.tool_calls = [...listOf(delta.tool_calls), ...listOf(value)]
    else delta[member] = value
  }
  const data = jsonText({ choices: [{ index: choice, delta, ...(logprobs !== undefined && { logprobs }) }] })
  return { type: 'native', choice, pointers: extras.map(([pointer]) => pointer), data }
}

/** True for the value of an `error` member that says something. */
export function isError(value: Json | undefined): boolean {
  return (typeof value === 'object' && value !== null) || (typeof value === 'string' && value !== '')
}
