/**
 * `systemInstruction` and `contents` of a Gemini request as neutral turns (PROTOCOL §1.1–1.3).
 *
 * Calls mostly have no ids: they get one from their place, which is the same in every turn of the conversation, and a response belongs to the first
 * open call of its name. Thoughts that a stream brought in pieces are one thought again. The dummy that stands for a missing signature is
 * no proof.
 */

import type { Json } from '../../plugin/request.ts'
import type { Content, MediaContent, Proof, ReasoningContent, ResultContent, TextContent, Turn } from '../conversation.ts'
import { type JsonObject, jsonText, objectOf, wordOf } from '../shape.ts'
import { member, nameOf } from './names.ts'
import { addCarried, type ReadSignature, readSignature } from './proofs.ts'
import { mediaOf } from './read-media.ts'
import { dialectName, type Reading } from './reading.ts'
import { indexPath, itemsOf } from './repeated.ts'

const roles: Readonly<Record<string, Turn['role']>> = {
  user: 'user',
  function: 'user',
  tool: 'user',
  model: 'assistant',
  assistant: 'assistant',
  system: 'system',
}

const partMembers = new Set(['text', 'thought', 'thoughtSignature', 'inlineData', 'fileData', 'functionCall', 'functionResponse'])
/** What the provider's own tools left in the history. */
const hostedMembers = ['executableCode', 'codeExecutionResult', 'toolCall', 'toolResponse']

/** Google's documented stand-ins for a signature that was never given, as text and as base64. */
const dummies = new Set([
  'skip_thought_signature_validator',
  'c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=',
  'context_engineering_is_the_way_to_go',
  'Y29udGV4dF9lbmdpbmVlcmluZ19pc190aGVfd2F5X3RvX2dv',
])

interface Call {
  readonly id: string
  readonly name: string
  answered: boolean
}

/** Reads the system instruction and the contents as turns. */
export function readTurns(reading: Reading): Turn[] {
  const { json, report } = reading
  const turns: { role: Turn['role']; content: Content[] }[] = []
  const name = nameOf(json, 'systemInstruction')
  if (name !== undefined) {
    const system = systemTexts(json[name], name, reading)
    if (system.length > 0) turns.push({ role: 'system', content: system })
  }
  /** Calls by the turn that made them, latest last. */
  const calls: Call[][] = []
  let made: Call[] = []
  for (const [m, value] of itemsOf(json.contents).entries()) {
    const body = objectOf(value)
    const given = wordOf(body?.role) ?? 'user'
    const role = Object.hasOwn(roles, given) ? roles[given] : undefined
    if (!body || role === undefined) {
      report.refuse(`contents[${m}].role`, `"contents[${m}].role" must be "user" or "model".`)
      continue
    }
    // SDKs keep each chunk of a stream as a content of its own: a thought may go on from one to the next
    const last = turns.at(-1)
    const goesOn = role === 'assistant' && last?.role === 'assistant'
    const content = goesOn ? last.content : []
    if (!goesOn) made = []
    for (const [p, item] of itemsOf(body.parts).entries()) {
      const part = objectOf(item)
      const path = ['contents', ...indexPath(json.contents, m), 'parts', ...indexPath(body.parts, p)]
      if (part) readPart(part, role, { m, p, path, content, made, calls }, reading)
    }
    if (made.length > 0 && calls.at(-1) !== made) calls.push(made)
    if (content.length > 0 && !goesOn) turns.push({ role, content })
  }
  return turns
}

/** A content, a part or a string; each text is a block of its own. */
function systemTexts(value: Json | undefined, at: string, reading: Reading): TextContent[] {
  if (typeof value === 'string') return value === '' ? [] : [{ type: 'text', text: value }]
  const body = objectOf(value)
  const parts = body?.parts === undefined && body?.text !== undefined ? [body] : itemsOf(body ? body.parts : value)
  const texts: TextContent[] = []
  for (const [p, item] of parts.entries()) {
    const text = typeof item === 'string' ? item : objectOf(item)?.text
    if (typeof text !== 'string') reading.extra(`${at}.parts[${p}]`, 'meaning', `"${at}.parts[${p}]" is no text.`)
    else if (text !== '') texts.push({ type: 'text', text })
  }
  return texts
}

/** Where a part stands, and what it adds to. */
interface Place {
  /** Of its content and of itself. */
  readonly m: number
  readonly p: number
  /** Keys that lead to it in the body. */
  readonly path: readonly (string | number)[]
  readonly content: Content[]
  readonly made: Call[]
  readonly calls: readonly Call[][]
}

function readPart(part: JsonObject, role: Turn['role'], place: Place, reading: Reading): void {
  const { m, p, path, content } = place
  const field = `contents[${m}].parts[${p}]`
  const { proof, thoughts } = signatureIn(part)
  reading.unknown(without(part, [...hostedMembers, 'videoMetadata']), partMembers, field)
  if (member(part, 'videoMetadata') !== undefined) {
    reading.extra(`${field}.videoMetadata`, 'meaning', `"${field}" is a piece of a video, which only Gemini can cut out.`)
  }
  const callName = nameOf(part, 'functionCall')
  const responseName = nameOf(part, 'functionResponse')
  const call = callName === undefined ? undefined : objectOf(part[callName])
  const response = responseName === undefined ? undefined : objectOf(part[responseName])
  if (call) {
    const id = wordOf(call.id) ?? `call_${m}_${p}`
    const name = wordOf(call.name) ?? ''
    place.made.push({ id, name, answered: false })
    const args = objectOf(call.args) ? reading.source.raw(...path, callName!, 'args') : undefined
    addCarried(content, thoughts)
    content.push({ type: 'call', id, name, kind: 'function', arguments: args ?? '', proof })
  } else if (response) {
    content.push(resultOf(response, [...path, responseName!, 'response'], field, place, reading))
  } else if (part.thought === true) {
    if (role === 'assistant') addThought(content, part, proof)
  } else if (typeof part.text === 'string') {
    if (part.text !== '' || proof) content.push({ type: 'text', text: part.text, proof })
  } else {
    const media = mediaOf(part, field)
    const hosted = hostedMembers.find((name) => nameOf(part, name) !== undefined)
    if (media) content.push(media)
    else if (hosted !== undefined) reading.extra(`${field}.${hosted}`, 'hint')
    else if (proof) content.push({ type: 'text', text: '', proof })
    else if (nameOf(part, 'inlineData') ?? nameOf(part, 'fileData')) reading.extra(field, 'meaning', `"${field}" holds no data.`)
  }
}

function without(part: JsonObject, names: readonly string[]): JsonObject {
  const rest: Record<string, Json> = { ...part }
  for (const name of names) {
    const found = nameOf(part, name)
    if (found !== undefined) delete rest[found]
  }
  return rest
}

function signatureIn(part: JsonObject): ReadSignature {
  const value = wordOf(member(part, 'thoughtSignature'))
  return value === undefined || dummies.has(value) ? { proof: undefined, thoughts: [] } : readSignature(value, dialectName)
}

/** A thought without any text is a hidden one. A signature closes the thought that it proves. */
function addThought(content: Content[], part: JsonObject, proof: Proof | undefined): void {
  const redacted = part.text === undefined
  const text = typeof part.text === 'string' ? part.text : ''
  const last = content.at(-1)
  const thought: ReasoningContent = { type: 'reasoning', text, proof, ...(redacted && { redacted }) }
  if (!redacted && last?.type === 'reasoning' && !last.proof) content[content.length - 1] = { ...thought, text: last.text + text }
  else if (text !== '' || proof) content.push(thought)
}

function resultOf(
  response: JsonObject,
  path: readonly (string | number)[],
  field: string,
  { calls, made }: Place,
  reading: Reading,
): ResultContent {
  const name = wordOf(response.name)
  const call = callFor(wordOf(response.id), name, [...calls, made])
  if (call) call.answered = true
  const { text, error } = responseText(response.response, path, reading)
  const content: (TextContent | MediaContent)[] = text === '' ? [] : [{ type: 'text', text }]
  for (const [i, item] of itemsOf(response.parts).entries()) {
    const part = objectOf(item)
    const media = part && mediaOf(part, `${field}.functionResponse.parts[${i}]`)
    if (media) content.push(media)
  }
  const id = call?.id ?? wordOf(response.id) ?? name ?? field
  return { type: 'result', id, name, content, ...(error && { error }) }
}

/** By id, else the first open call of that name, of the latest turn that has one. */
function callFor(id: string | undefined, name: string | undefined, groups: readonly (readonly Call[])[]): Call | undefined {
  const latest = groups.toReversed()
  if (id !== undefined) {
    for (const group of latest) for (const call of group) if (call.id === id) return call
  }
  for (const group of latest) for (const call of group) if (!call.answered && call.name === name) return call
  return undefined
}

/** `{output}`, `{result}` and `{error}` are conventions of Google's; all else is told as its JSON text. */
function responseText(value: Json | undefined, path: readonly (string | number)[], reading: Reading): { text: string; error: boolean } {
  if (typeof value === 'string') return { text: value, error: false }
  const response = objectOf(value)
  const raw = (...inside: string[]): string => reading.source.raw(...path, ...inside) ?? jsonText(value ?? null)
  if (!response) return { text: value === undefined || value === null ? '' : raw(), error: false }
  const keys = Object.keys(response)
  const [only] = keys
  if (keys.length !== 1 || (only !== 'output' && only !== 'result' && only !== 'error')) return { text: raw(), error: false }
  const inner = response[only]
  return { text: typeof inner === 'string' ? inner : raw(only), error: only === 'error' }
}
