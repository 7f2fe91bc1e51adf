/**
 * A YAML file as plain values, with the place of each key and value and the exact text of each scalar.
 *
 * Anchors and merge keys work; what they expand to is bounded. Every fault of the parser becomes a diagnostic. Never throws,
 * whatever the text.
 */

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, type Scalar } from 'yaml'
import { type Diagnostic, type Path, type Position, pathText } from './diagnostics.ts'
import { interpolate, type Lookups, unshield } from './interpolate.ts'
import { parseYaml } from './yaml-text.ts'

/** Stands in a value where a variable or file was absent or an interpolation was wrong: a diagnostic exists already. */
export const unresolved: unique symbol = Symbol('unresolved')

/** What the checker asks about a place in the file. */
export interface Places {
  readonly file: string
  /** Start of the value, or of the nearest thing above that exists. */
  locate(path: Path): Position
  /** Start of the key of a map entry; of the value in a list. */
  locateKey(path: Path): Position
  /** Text of a scalar as written (after interpolation) and whether it came from outside the file. */
  scalar(path: Path): { readonly text: string; readonly outside: boolean } | undefined
}

export interface Source extends Places {
  /** Plain values; {@link unresolved} where interpolation failed. */
  readonly value: unknown
  readonly diagnostics: readonly Diagnostic[]
  /** Absent variables and files, apart from `diagnostics` because an optional upstream may forgive them. */
  readonly absent: readonly { readonly path: Path; readonly diagnostic: Diagnostic }[]
  /** The YAML itself is broken: what could be read of it is guesswork and not worth checking. */
  readonly broken: boolean
  /** Texts from outside the file that are secret by their origin. */
  readonly secrets: readonly string[]
}

/** One value with its place: offsets into the text. */
interface Spot {
  readonly at: number
  readonly keyAt?: number
  readonly children?: ReadonlyMap<string | number, Spot>
  readonly scalar?: { readonly text: string; readonly outside: boolean }
}

const maxNodes = 50_000
const maxDepth = 64

/** Parses and interpolates a YAML text. */
export function readSource(file: string, text: string, lookups: Lookups): Source {
  const lines = new LineCounter()
  const diagnostics: Diagnostic[] = []
  const absent: { path: Path; diagnostic: Diagnostic }[] = []
  const secrets: string[] = []

  const at = (offset: number): Position => {
    const place = lines.linePos(Math.min(Math.max(offset, 0), text.length))
    return { line: Math.max(place.line, 1), column: Math.max(place.col, 1) }
  }
  const report = (offset: number, path: Path, message: string, fix: string): Diagnostic => {
    return { severity: 'error', file, ...at(offset), path: pathText(path), message, fix }
  }
  const fail = (offset: number, path: Path, message: string, fix: string): void => {
    diagnostics.push(report(offset, path, message, fix))
  }

  let root: Spot = { at: 0 }
  let value: unknown
  const { doc, faults, broken } = parseYaml(text, lines)
  for (const fault of faults) fail(fault.offset, [], fault.message, fault.fix)
  if (doc) {
    let budget = maxNodes
    /** Turns a node into its value and spot. `key` is where its key stands. */
    const visit = (node: Node | null, path: Path, keyAt: number | undefined, depth: number): { value: unknown; spot: Spot } => {
      const offset = node?.range?.[0] ?? keyAt ?? 0
      const place = keyAt === undefined ? {} : { keyAt }
      if (--budget <= 0 || depth > maxDepth) {
        if (budget >= 0) {
          const what = depth > maxDepth ? `nested deeper than ${maxDepth}` : `more than ${maxNodes} values`
          fail(offset, path, `the file is too large: ${what}`, 'remove repeated or self-referencing anchors')
          budget = -1
        }
        return { value: unresolved, spot: { at: offset, ...place } }
      }
      if (isAlias(node)) {
        const target = node.resolve(doc)
        if (!target) {
          if (doc.errors.length === 0) fail(offset, path, `no anchor is called \`${node.source}\` above`, 'quote text that starts with *')
          return { value: unresolved, spot: { at: offset, ...place } }
        }
        return visit(target, path, keyAt, depth + 1)
      }
      if (isSeq(node)) {
        const children = new Map<string | number, Spot>()
        const list = node.items.map((item, i) => {
          const made = visit(item as Node | null, [...path, i], undefined, depth + 1)
          children.set(i, made.spot)
          return made.value
        })
        return { value: list, spot: { at: offset, ...place, children } }
      }
      if (isMap(node)) {
        const children = new Map<string | number, Spot>()
        const map: Record<string, unknown> = {}
        for (const pair of node.items as Pair<Node, Node | null>[]) addPair(pair, map, children, path, depth)
        return { value: map, spot: { at: offset, ...place, children } }
      }
      if (isScalar(node)) return visitScalar(node, path, offset, place)
      return { value: null, spot: { at: offset, ...place } }
    }

    const addPair = (
      pair: Pair<Node, Node | null>,
      map: Record<string, unknown>,
      children: Map<string | number, Spot>,
      path: Path,
      depth: number,
    ): void => {
      const keyNode = isAlias(pair.key) ? pair.key.resolve(doc) : pair.key
      const keyAt = pair.key?.range?.[0] ?? 0
      if (!isScalar(keyNode)) {
        fail(keyAt, path, 'a key must be plain text', 'write key: value; quote a value that starts with { or [')
        return
      }
      const key = unshield(keyText(keyNode))
      if (key === '<<' && keyNode.type === 'PLAIN') {
        merge(pair.value, map, children, path, depth)
        return
      }
      const made = visit(pair.value, [...path, key], keyAt, depth + 1)
      children.delete(key)
      children.set(key, made.spot)
      put(map, key, made.value)
    }

    /** `<<: *anchor` or `<<: [*a, *b]`: entries of other maps; keys that are written out win, and so do earlier maps. */
    const merge = (
      from: Node | null,
      map: Record<string, unknown>,
      children: Map<string | number, Spot>,
      path: Path,
      depth: number,
    ): void => {
      const offset = from?.range?.[0] ?? 0
      for (const one of isSeq(from) ? (from.items as Node[]) : [from]) {
        const made = visit(one, path, undefined, depth + 1)
        if (made.value === unresolved) continue
        if (made.value === null || typeof made.value !== 'object' || Array.isArray(made.value)) {
          fail(offset, path, '<< needs a map or a list of maps', 'name an anchor of a map: <<: *name')
          continue
        }
        for (const [key, item] of Object.entries(made.value)) {
          if (Object.hasOwn(map, key)) continue
          put(map, key, item)
          const spot = made.spot.children?.get(key)
          if (spot) children.set(key, spot)
        }
      }
    }

    const visitScalar = (node: Scalar, path: Path, offset: number, place: { keyAt?: number }): { value: unknown; spot: Spot } => {
      if (typeof node.value !== 'string') {
        return { value: node.value, spot: { at: offset, ...place, scalar: { text: node.source ?? String(node.value), outside: false } } }
      }
      const found = interpolate(unshield(node.value), lookups)
      if (found.kind === 'text') {
        secrets.push(...found.secrets)
        return { value: found.text, spot: { at: offset, ...place, scalar: { text: found.text, outside: found.outside } } }
      }
      if (found.kind === 'wrong') fail(offset, path, found.message, found.fix)
      else absent.push({ path, diagnostic: report(offset, path, found.message, found.fix) })
      return { value: unresolved, spot: { at: offset, ...place } }
    }

    const made = visit(doc.contents as Node | null, [], undefined, 0)
    value = made.value
    root = made.spot
  }

  const find = (path: Path): { spot: Spot; whole: boolean } => {
    let spot = root
    for (const step of path) {
      const next = spot.children?.get(step)
      if (!next) return { spot, whole: false }
      spot = next
    }
    return { spot, whole: true }
  }

  return {
    file,
    value,
    diagnostics,
    absent,
    broken,
    secrets,
    locate: (path) => at(find(path).spot.at),
    locateKey: (path) => {
      const { spot } = find(path)
      return at(spot.keyAt ?? spot.at)
    },
    scalar: (path) => {
      const { spot, whole } = find(path)
      return whole ? spot.scalar : undefined
    },
  }
}

function keyText(node: Scalar): string {
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))
}

/** Sets an own entry whatever the key, `__proto__` included. */
export function put(map: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true })
  else map[key] = value
}
