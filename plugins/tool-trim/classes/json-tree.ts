/**
 * JSON as a tree that keeps what `JSON.parse` loses: the digits of each number, the order of members and members of the same name.
 *
 * Linear, bounded in depth; undefined for text that is no JSON.
 */

export type Tree =
  | { readonly kind: 'string'; readonly value: string }
  /** A number, `true`, `false` or `null`, as written. */
  | { readonly kind: 'word'; readonly value: string }
  | { readonly kind: 'list'; readonly items: readonly Tree[] }
  | { readonly kind: 'object'; readonly names: readonly string[]; readonly values: readonly Tree[] }

export const deepest = 100
export const numberPattern = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const word = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

class NoJson extends Error {}

/** The tree of a text that is one object or list, and nothing else. */
export function parseTree(text: string): Tree | undefined {
  const first = text.charCodeAt(skip(text, 0))
  if (first !== 123 && first !== 91) return undefined
  const reader = new TreeReader(text)
  try {
    const tree = reader.value(0)
    return skip(text, reader.at) === text.length ? tree : undefined
  } catch (error) {
    if (error instanceof NoJson) return undefined
    throw error
  }
}

class TreeReader {
  at = 0
  constructor(private readonly text: string) {}

  value(depth: number): Tree {
    const { text } = this
    this.at = skip(text, this.at)
    const c = text.charCodeAt(this.at)
    if (c === 34) return { kind: 'string', value: this.string() }
    if (depth > deepest) throw new NoJson()
    if (c === 123) return this.object(depth)
    if (c === 91) return this.list(depth)
    word.lastIndex = this.at
    const found = word.exec(text)
    if (!found) throw new NoJson()
    this.at += found[0].length
    return { kind: 'word', value: found[0] }
  }

  private object(depth: number): Tree {
    const names: string[] = []
    const values: Tree[] = []
    this.at = skip(this.text, this.at + 1)
    if (this.text.charCodeAt(this.at) === 125) this.at++
    else
      do {
        this.at = skip(this.text, this.at)
        names.push(this.string())
        this.expect(58)
        values.push(this.value(depth + 1))
      } while (this.goesOn(125))
    return { kind: 'object', names, values }
  }

  private list(depth: number): Tree {
    const items: Tree[] = []
    this.at = skip(this.text, this.at + 1)
    if (this.text.charCodeAt(this.at) === 93) this.at++
    else
      do items.push(this.value(depth + 1))
      while (this.goesOn(93))
    return { kind: 'list', items }
  }

  /** Past a comma, or past the end. */
  private goesOn(end: number): boolean {
    this.at = skip(this.text, this.at)
    const c = this.text.charCodeAt(this.at++)
    if (c !== 44 && c !== end) throw new NoJson()
    return c === 44
  }

  private expect(code: number): void {
    this.at = skip(this.text, this.at)
    if (this.text.charCodeAt(this.at++) !== code) throw new NoJson()
  }

  private string(): string {
    const { text } = this
    const from = this.at
    if (text.charCodeAt(from) !== 34) throw new NoJson()
    let plain = true
    let i = from + 1
    for (; ; i++) {
      const c = text.charCodeAt(i)
      if (c === 34) break
      if (!(c >= 32)) throw new NoJson() // a control character, or the end
      if (c === 92) {
        plain = false
        i++
      }
    }
    this.at = i + 1
    if (plain) return text.slice(from + 1, i)
    try {
      return JSON.parse(text.slice(from, i + 1)) as string
    } catch {
      throw new NoJson()
    }
  }
}

function skip(text: string, at: number): number {
  for (; ; at++) {
    const c = text.charCodeAt(at)
    if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return at
  }
}

/** As JSON without white space. Two texts of the same tree give the same. */
export function writeTree(tree: Tree): string {
  switch (tree.kind) {
    case 'string':
      return JSON.stringify(tree.value)
    case 'word':
      return tree.value
    case 'list':
      return `[${tree.items.map(writeTree).join(',')}]`
    case 'object':
      return `{${tree.names.map((name, i) => `${JSON.stringify(name)}:${writeTree(tree.values[i]!)}`).join(',')}}`
  }
}
