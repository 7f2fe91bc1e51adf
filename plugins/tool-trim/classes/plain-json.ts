/**
 * `value`: JSON of API and MCP tools without white space and needless quotes, and lists of objects that have the same members as rows.
 *
 * `[{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bo"}]` becomes `[2 rows: id,name` `1,Ann` `2,Bo]`. Digits of numbers, order of members and members of the
 * same name stay. Never for shells and files: there the layout is what a later edit has to match.
 */

import type { Trimmer } from '../trimmer.ts'
import { jsonTokens } from './json-tokens.ts'
import { deepest, numberPattern, parseTree, type Tree, writeTree } from './json-tree.ts'

const fewestRows = 2

export const plainJson: Trimmer = {
  name: 'plain-json',
  class: 'value',
  encode({ text, kind }) {
    if (kind !== 'api') return undefined
    const tree = parseTree(text)
    if (!tree) return undefined
    const written = write(tree, true)
    return written.length < text.length ? written : undefined
  },
  decode(text) {
    const tree = new PlainReader(text).all()
    return tree && writeTree(tree)
  },
  equal(a, b) {
    const tree = parseTree(a)
    if (!tree) return false
    const written = writeTree(tree)
    if (written === b) return true
    const other = parseTree(b)
    return other !== undefined && written === writeTree(other)
  },
  saved: (before, after) => jsonTokens(before) - jsonTokens(after),
}

/** @param open whether lists may become rows here: not inside of rows */
function write(tree: Tree, open: boolean): string {
  if (tree.kind === 'word') return tree.value
  if (tree.kind === 'string') return writeString(tree.value)
  if (tree.kind === 'list') return rows(tree.items, open) ?? `[${tree.items.map((item) => write(item, open)).join(',')}]`
  return `{${tree.names.map((name, i) => `${writeName(name)}:${write(tree.values[i]!, open)}`).join(',')}}`
}

function rows(items: readonly Tree[], open: boolean): string | undefined {
  const first = items[0]
  if (!open || items.length < fewestRows || first?.kind !== 'object' || first.names.length < 2) return undefined
  const names = first.names.map(writeName).join(',')
  const out: string[] = [`[${items.length} rows: ${names}`]
  for (const item of items) {
    if (item.kind !== 'object' || item.names.length !== first.names.length || item.names.some((name, i) => name !== first.names[i]))
      return undefined
    out.push(item.values.map((value) => write(value, false)).join(','))
  }
  return `${out.join('\n')}]`
}

const plainName = /^[A-Za-z_$][\w$.-]{0,100}$/
/** Nothing that ends a value, opens one or breaks a line, and no white space at the ends. */
const plainText = /^[^\s,:{}[\]"\p{C}\p{Z}](?:[^,{}[\]"\p{C}\p{Zl}\p{Zp}]{0,198}[^\s,{}[\]"\p{C}\p{Z}])?$/u
const rowsHead = /^(\d{1,7}) rows: /

const writeName = (name: string): string => (plainName.test(name) ? name : JSON.stringify(name))

function writeString(text: string): string {
  return plainText.test(text) && !isWord(text) && !rowsHead.test(text) ? text : JSON.stringify(text)
}

function isWord(text: string): boolean {
  return text === 'true' || text === 'false' || text === 'null' || numberPattern.test(text)
}

class PlainReader {
  private at = 0
  constructor(private readonly text: string) {}

  all(): Tree | undefined {
    const tree = this.value(0)
    return this.at === this.text.length ? tree : undefined
  }

  private value(depth: number): Tree | undefined {
    if (depth > deepest + 1) return undefined
    const c = this.text[this.at]
    if (c === '{') return this.object(depth)
    if (c === '[') return this.list(depth)
    if (c === '"') {
      const value = this.quoted()
      return value === undefined ? undefined : { kind: 'string', value }
    }
    const value = this.until(',{}[]"\n')
    if (value === '') return undefined
    return { kind: isWord(value) ? 'word' : 'string', value }
  }

  private object(depth: number): Tree | undefined {
    const names: string[] = []
    const values: Tree[] = []
    this.at++
    if (this.take('}')) return { kind: 'object', names, values }
    do {
      const name = this.name(':')
      if (name === undefined || !this.take(':')) return undefined
      const value = this.value(depth + 1)
      if (!value) return undefined
      names.push(name)
      values.push(value)
    } while (this.take(','))
    return this.take('}') ? { kind: 'object', names, values } : undefined
  }

  private list(depth: number): Tree | undefined {
    this.at++
    const head = rowsHead.exec(this.text.slice(this.at, this.at + 16))
    if (head) return this.rows(Number(head[1]), head[0].length, depth)
    const items: Tree[] = []
    if (this.take(']')) return { kind: 'list', items }
    do {
      const item = this.value(depth + 1)
      if (!item) return undefined
      items.push(item)
    } while (this.take(','))
    return this.take(']') ? { kind: 'list', items } : undefined
  }

  private rows(count: number, head: number, depth: number): Tree | undefined {
    this.at += head
    const names: string[] = []
    do {
      const name = this.name(',\n')
      if (name === undefined) return undefined
      names.push(name)
    } while (this.take(','))
    const items: Tree[] = []
    while (this.take('\n')) {
      const values: Tree[] = []
      do {
        const value = this.value(depth + 2)
        if (!value) return undefined
        values.push(value)
      } while (this.take(','))
      if (values.length !== names.length) return undefined
      items.push({ kind: 'object', names, values })
    }
    return items.length === count && this.take(']') ? { kind: 'list', items } : undefined
  }

  private name(ends: string): string | undefined {
    if (this.text[this.at] === '"') return this.quoted()
    const name = this.until(ends)
    return plainName.test(name) ? name : undefined
  }

  private take(c: string): boolean {
    if (this.text[this.at] !== c) return false
    this.at++
    return true
  }

  private until(ends: string): string {
    const from = this.at
    while (this.at < this.text.length && !ends.includes(this.text[this.at]!)) this.at++
    return this.text.slice(from, this.at)
  }

  private quoted(): string | undefined {
    const from = this.at
    let i = from + 1
    while (i < this.text.length && this.text.charCodeAt(i) !== 34) i += this.text.charCodeAt(i) === 92 ? 2 : 1
    this.at = i + 1
    try {
      return JSON.parse(this.text.slice(from, i + 1)) as string
    } catch {
      return undefined
    }
  }
}
