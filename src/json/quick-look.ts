/**
 * A look at a large body that reads only its two ends: enough to know `model` and `stream` of what clients really send.
 *
 * Checking the whole grammar of 100 KB costs a third of forwarding it. A body whose model stands at one end and whose `stream` stands at one
 * end or nowhere needs no such check to be routed: two native searches prove that no other member can be meant. What is not certain is left
 * to `scanTopLevel`. A body that passes here may still be broken in the middle; whoever parses it finds out, and else the provider does.
 */

import type { TopLevel } from './scan.ts'

/** Bodies up to this size, in bytes, are always checked whole. */
export const quickLookFrom = 32 * 1024

/** Longest string, in bytes, that is walked over at an end. */
const longest = 256
const modelKey = Buffer.from('"model"')
const streamKey = Buffer.from('"stream"')
/** Every spelling of `model` with escapes holds this: its letters are U+0064 to U+006F. */
const escapedLetter = Buffer.from('\\u006')
/** Those of `stream` hold this or that: its other letters are U+0072 to U+0074. */
const escapedOther = Buffer.from('\\u007')

interface Member {
  readonly key: string
  readonly start: number
  readonly end: number
}

/** The two members, when they can be told for certain without reading the middle; else undefined. */
export function quickLook(bytes: Uint8Array): TopLevel | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (buffer[0] !== 0x7b) return undefined
  const tail = walkBack(buffer)
  if (tail === undefined) return undefined
  const head = walkOn(buffer)
  const model = tail.find((m) => m.key === 'model') ?? head.findLast((m) => m.key === 'model')
  if (model === undefined || buffer[model.start] !== 0x22) return undefined
  const name = plainString(buffer, model.start, model.end)
  if (name === undefined) return undefined
  // The same member a second time, or spelled with escapes: not for here. Searches from the end take half the time of those from the start.
  if (buffer.lastIndexOf(modelKey) !== buffer.indexOf(modelKey) || buffer.lastIndexOf(escapedLetter) >= 0) return undefined

  let stream = false
  // walked from the end: the first one met is the last, which counts
  const last = tail.find((m) => m.key === 'stream')
  const told = last ?? head.findLast((m) => m.key === 'stream')
  if (told) {
    const byte = buffer[told.start]
    if (byte === 0x74) stream = true
    else if (byte !== 0x66 && byte !== 0x6e) return undefined
  }
  if (!last && (buffer.lastIndexOf(streamKey) >= (told ? told.end : 0) || buffer.lastIndexOf(escapedOther) >= 0)) return undefined
  return { ok: true, model: name, modelStart: model.start, modelEnd: model.end, modelCount: 1, stream, checked: false }
}

/** Members with short plain values from the start on, up to the first that is not. */
function walkOn(b: Buffer): Member[] {
  const members: Member[] = []
  let at = skip(b, 1)
  for (;;) {
    const keyEnd = stringEnd(b, at)
    if (keyEnd < 0) return members
    const colon = skip(b, keyEnd)
    if (b[colon] !== 0x3a) return members
    const start = skip(b, colon + 1)
    const end = b[start] === 0x22 ? stringEnd(b, start) : wordEnd(b, start)
    if (end <= start) return members
    const next = skip(b, end)
    if (b[next] !== 0x2c) return members
    members.push({ key: b.toString('latin1', at + 1, keyEnd - 1), start, end })
    at = skip(b, next + 1)
  }
}

/** The same from the end backwards, last member first; undefined when the body does not end as an object does. */
function walkBack(b: Buffer): Member[] | undefined {
  const members: Member[] = []
  let at = skipBack(b, b.length - 1)
  if (b[at] !== 0x7d) return undefined
  at = skipBack(b, at - 1)
  for (;;) {
    const end = at + 1
    const start = b[at] === 0x22 ? stringStart(b, at) : wordStart(b, at)
    if (start < 0 || start >= end) return members
    const colon = skipBack(b, start - 1)
    if (b[colon] !== 0x3a) return members
    const keyLast = skipBack(b, colon - 1)
    const keyStart = b[keyLast] === 0x22 ? stringStart(b, keyLast) : -1
    if (keyStart < 0) return members
    const comma = skipBack(b, keyStart - 1)
    if (b[comma] !== 0x2c) return members
    members.push({ key: b.toString('latin1', keyStart + 1, keyLast), start, end })
    at = skipBack(b, comma - 1)
  }
}

function skip(b: Buffer, at: number): number {
  while (b[at] === 0x20 || b[at] === 0x0a || b[at] === 0x0d || b[at] === 0x09) at++
  return at
}
function skipBack(b: Buffer, at: number): number {
  while (b[at] === 0x20 || b[at] === 0x0a || b[at] === 0x0d || b[at] === 0x09) at--
  return at
}

/** First byte behind the plain string that begins at `at`; -1 when it is long, has escapes, or is none. */
function stringEnd(b: Buffer, at: number): number {
  if (b[at] !== 0x22) return -1
  for (let i = at + 1; i < at + longest; i++) {
    if (b[i] === 0x22) return i + 1
    if (b[i] === 0x5c) return -1
  }
  return -1
}

/** Where the plain string begins whose closing quote stands at `at`; -1 as above. */
function stringStart(b: Buffer, at: number): number {
  for (let i = at - 1; i > at - longest; i--) {
    if (b[i] === 0x5c) return -1
    // a quote after a backslash is part of the string, or the end of an escaped backslash: not for here
    if (b[i] === 0x22) return b[i - 1] === 0x5c ? -1 : i
  }
  return -1
}

/** Numbers, true, false, null: letters, digits and signs. */
function isWord(byte: number | undefined): boolean {
  return (
    byte !== undefined &&
    ((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x2d || byte === 0x2b || byte === 0x2e || byte === 0x45)
  )
}
function wordEnd(b: Buffer, at: number): number {
  let i = at
  while (i < at + 40 && isWord(b[i])) i++
  return i
}
function wordStart(b: Buffer, at: number): number {
  let i = at
  while (i > at - 40 && isWord(b[i])) i--
  return i + 1
}

function plainString(b: Buffer, start: number, end: number): string | undefined {
  for (let i = start + 1; i < end - 1; i++) if (b[i]! < 0x20 || b[i]! > 0x7e) return undefined
  return b.toString('latin1', start + 1, end - 1)
}
