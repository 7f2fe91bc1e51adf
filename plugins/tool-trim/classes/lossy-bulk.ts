/**
 * `lossy-entry`: bulk that is no reading: the middle of very long outputs, base64, and the tags of web pages. Never in the text of a file. There is no way back.
 */

import type { Trimmer } from '../trimmer.ts'
import { showsFile } from './shows-file.ts'

const longest = 24_000
const keptHead = 9000
const keptTail = 9000

/** The beginning and the end of an output. Reads are never cut: edits have to match what they show. */
export const headAndTail: Trimmer = {
  name: 'head-and-tail',
  class: 'lossy-entry',
  encode(result) {
    const { text, kind } = result
    if (text.length <= longest || kind === 'file' || showsFile(result)) return undefined
    const to = lineEnd(text, keptHead)
    const from = lineStart(text, text.length - keptTail)
    const left = text.slice(to, from)
    return `${text.slice(0, to)}\n[${left.length} characters left out here: the middle of a long output]\n${text.slice(from)}`
  },
  decode: () => undefined,
}

/** So far a line's end is looked for. */
const nearby = 1000

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end >= 0 && end < at + nearby ? end : whole(text, at)
}
function lineStart(text: string, at: number): number {
  const end = text.lastIndexOf('\n', at)
  return end > at - nearby ? end + 1 : whole(text, at)
}
/** Not between the halves of a pair. */
function whole(text: string, at: number): number {
  const c = text.charCodeAt(at)
  return c >= 0xdc00 && c <= 0xdfff ? at - 1 : at
}

const shortestRun = 400

export const base64Runs: Trimmer = {
  name: 'base64',
  class: 'lossy-entry',
  encode(result) {
    const { text, kind } = result
    if (kind === 'file' || showsFile(result) || text.length < shortestRun) return undefined
    let out = ''
    let done = 0
    for (let at = 0; at < text.length; at++) {
      const from = at
      while (isBase64(text.charCodeAt(at))) at++
      if (at - from < shortestRun || !looksEncoded(text.slice(at - 200, at))) continue
      out += `${text.slice(done, from)}[base64, ${at - from} characters, left out]`
      done = at
    }
    return done === 0 ? undefined : out + text.slice(done)
  },
  decode: () => undefined,
}

function isBase64(c: number): boolean {
  return (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= 47 && c <= 57) || c === 43
}

/** Both cases and digits: one letter many times is something else. */
function looksEncoded(run: string): boolean {
  return /[A-Z]/.test(run) && /[a-z]/.test(run) && /\d/.test(run)
}

const page = /^\s{0,20}(?:<!doctype html|<html)/i
const silent = new Set(['script', 'style', 'svg', 'noscript', 'template', 'head'])
const breaking = /^(?:p|div|br|li|ul|ol|tr|table|h[1-6]|section|article|header|footer|nav|main|form|pre|blockquote|dt|dd|title)$/

/** The text of a web page that an API tool brought. */
export const htmlText: Trimmer = {
  name: 'html-text',
  class: 'lossy-entry',
  encode({ text, kind }) {
    if (kind !== 'api' || !page.test(text)) return undefined
    const title = /<title[^>]{0,200}>([^<]{0,300})<\/title/i.exec(text.slice(0, 20_000))?.[1]?.trim()
    return `[text of a web page${title ? `: ${title.replace(/\s+/g, ' ')}` : ''}; tags left out]\n${textOf(text)}`
  },
  decode: () => undefined,
}

function textOf(html: string): string {
  let out = ''
  /** Elements without an end: looked for once. */
  const endless = new Set<string>()
  for (let at = 0; at < html.length; ) {
    const open = html.indexOf('<', at)
    if (open < 0) {
      out += html.slice(at)
      break
    }
    out += html.slice(at, open)
    if (html.startsWith('<!--', open)) {
      const end = html.indexOf('-->', open)
      at = end < 0 ? html.length : end + 3
      continue
    }
    const close = html.indexOf('>', open)
    if (close < 0) break
    at = close + 1
    const name = /^\/?([a-z][a-z0-9]{0,15})/i.exec(html.slice(open + 1, open + 20))?.[1]?.toLowerCase() ?? ''
    if (silent.has(name) && !endless.has(name) && html.charCodeAt(open + 1) !== 47) {
      const end = endOf(html, name, at)
      if (end < 0) endless.add(name)
      else at = end
    } else if (breaking.test(name)) out += '\n'
  }
  return out
    .replace(/&(nbsp|amp|lt|gt|quot|#39);/g, (_, name: string) => entities[name]!)
    .replace(/[ \t\r]+/g, ' ')
    .replace(/ ?\n[ \n]*/g, '\n')
    .trim()
}

/** Behind the end tag of an element that says nothing; -1 when it has none nearby. */
function endOf(html: string, name: string, from: number): number {
  const end = html.indexOf(`</${name}`, from)
  const close = end < 0 ? -1 : html.indexOf('>', end)
  return close < 0 ? -1 : close + 1
}

const entities: Readonly<Record<string, string>> = { nbsp: ' ', amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
