/**
 * Arguments of a function call that arrive value by value (Vertex, `streamFunctionCallArguments`): `partialArgs` with JSON paths.
 *
 * A string may come in pieces of one path. The whole object is told when the call is complete; nothing is guessed before.
 */

import type { Json } from '../../plugin/request.ts'
import { jsonText, listOf, objectOf, textOf } from '../shape.ts'

type Node = { [key: string]: Node } | Node[] | Json

export interface ArgumentCollector {
  /** Takes the `partialArgs` of one fragment. Odd ones are skipped. */
  add(partialArgs: Json | undefined): void
  /** Members of an `args` object that came with a fragment. */
  merge(args: Json | undefined): void
  /** The JSON text of all arguments so far. */
  text(): string
}

/** Deepest path and largest index of a list that are followed. */
const maxSteps = 64
const maxIndex = 10_000

/** The collector of one call's arguments. */
export function argumentCollector(): ArgumentCollector {
  const root: { [key: string]: Node } = Object.create(null)
  /** The path whose string goes on in the next fragment. */
  let going = ''
  return {
    add(partialArgs) {
      for (const item of listOf(partialArgs)) {
        const arg = objectOf(item)
        const path = textOf(arg?.jsonPath)
        const steps = stepsOf(path)
        if (!arg || steps.length === 0 || steps.length > maxSteps) continue
        const value = argumentValue(arg)
        if (value !== undefined) put(root, steps, value, path === going)
        going = arg.willContinue === true ? path : ''
      }
    },
    merge(args) {
      const members = objectOf(args)
      for (const key in members) root[key] = members[key] as Node
    },
    text: () => jsonText(root as Json),
  }
}

function argumentValue(arg: { readonly [key: string]: Json }): Json | undefined {
  if (typeof arg.stringValue === 'string') return arg.stringValue
  if (typeof arg.numberValue === 'number') return arg.numberValue
  if (typeof arg.boolValue === 'boolean') return arg.boolValue
  return arg.nullValue === undefined ? undefined : null
}

/** `$.a[0].b` → ['a', 0, 'b']; empty for what is no such path. */
function stepsOf(path: string): (string | number)[] {
  if (!path.startsWith('$')) return []
  const steps: (string | number)[] = []
  for (const match of path.matchAll(/\.([^.[\]]+)|\[(\d+)\]|\['([^']*)'\]|\["([^"]*)"\]/g)) {
    if (match[2] !== undefined) steps.push(Math.min(Number(match[2]), maxIndex))
    else steps.push(match[1] ?? match[3] ?? match[4] ?? '')
  }
  return steps
}

function put(root: { [key: string]: Node }, steps: readonly (string | number)[], value: Json, append: boolean): void {
  let node: Node = root
  for (const [i, step] of steps.entries()) {
    const holder = node as { [key: string | number]: Node }
    if (i === steps.length - 1) {
      const before = holder[step]
      holder[step] = append && typeof before === 'string' && typeof value === 'string' ? before + value : value
      return
    }
    const next: Node | undefined = holder[step]
    if (typeof next === 'object' && next !== null) node = next
    else node = holder[step] = typeof steps[i + 1] === 'number' ? [] : (Object.create(null) as { [key: string]: Node })
  }
}
