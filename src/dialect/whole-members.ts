/**
 * A few members of a whole reply, without parsing the rest of a large one.
 *
 * Up to 64 KB the body is parsed. Above, its top level is walked by spans and only the wanted members are parsed, so that megabytes of
 * text, embeddings or log probabilities are neither decoded nor copied.
 */

import { bodyStart, checkJson } from '../json/scan.ts'
import { childSpans, rootSpan } from '../json/spans.ts'
import type { Json } from '../plugin/request.ts'
import { decodeText, type JsonObject, objectOf, parseJson } from './shape.ts'

/** Bytes up to which parsing all is cheaper than looking. */
export const parseLimit = 64 * 1024
/** Items of the list that are looked into. */
const itemLimit = 128

export interface ListMembers {
  /** Name of a member that is a list of objects. */
  readonly list: string
  /** Members of its objects that are wanted. */
  readonly members: readonly string[]
}

export interface Members {
  readonly value: Json
  /** Present when the body is an object: all its members, or only the wanted ones of a large body. */
  readonly object: JsonObject | undefined
}

/** The wanted members of a body; undefined when it is not JSON. Of duplicate members the last counts, as in JSON.parse. */
export function readMembers(body: Uint8Array, wanted: readonly string[], list: ListMembers): Members | undefined {
  const start = body.length > parseLimit ? rootSpan(body, bodyStart(body)).start : -1
  if (start === -1 || body[start] !== 0x7b || checkJson(body) !== null) {
    const value = parseJson(decodeText(body))
    return value === undefined ? undefined : { value, object: objectOf(value) }
  }
  const object: Record<string, Json> = {}
  for (const child of childSpans(body, start)) {
    const name = readSpan(body, child.keyStart, child.keyEnd)
    if (typeof name !== 'string') continue
    if (name === list.list && body[child.start] === 0x5b) object[name] = readItems(body, child.start, list.members)
    else if (name === list.list || wanted.includes(name)) object[name] = readSpan(body, child.start, child.end)
  }
  return { value: object, object }
}

function readItems(body: Uint8Array, start: number, members: readonly string[]): Json[] {
  if (members.length === 0) return []
  return childSpans(body, start)
    .slice(0, itemLimit)
    .map((item) => {
      if (body[item.start] !== 0x7b) return null
      const object: Record<string, Json> = {}
      for (const child of childSpans(body, item.start)) {
        const name = readSpan(body, child.keyStart, child.keyEnd)
        if (typeof name === 'string' && members.includes(name)) object[name] = readSpan(body, child.start, child.end)
      }
      return object
    })
}

function readSpan(body: Uint8Array, start: number, end: number): Json {
  return parseJson(decodeText(body.subarray(start, end))) ?? null
}

/** For each item of a top-level list, the JSON text of one of its members as sent; undefined where there is none. Numbers keep their spelling. */
export function itemTexts(body: Uint8Array, list: string, member: string): (string | undefined)[] {
  if (checkJson(body) !== null) return []
  const texts: (string | undefined)[] = []
  for (const child of childSpans(body, rootSpan(body, bodyStart(body)).start)) {
    if (readSpan(body, child.keyStart, child.keyEnd) !== list || body[child.start] !== 0x5b) continue
    texts.length = 0
    for (const item of childSpans(body, child.start)) {
      let text: string | undefined
      if (body[item.start] === 0x7b) {
        for (const inner of childSpans(body, item.start)) {
          if (readSpan(body, inner.keyStart, inner.keyEnd) !== member || body[inner.start] !== 0x7b) continue
          text = decodeText(body.subarray(inner.start, inner.end))
        }
      }
      texts.push(text)
    }
  }
  return texts
}
