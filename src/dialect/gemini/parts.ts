/**
 * The texts of a Gemini request, with their pointers.
 *
 * Tools come first, as in the other dialects. Thoughts, code and media are no texts of this kind. Of a function's response every string inside
 * is a part. Nothing is `cached`: a cached content lies outside the body. Both spellings of names are read, and one value for a list;
 * odd shapes are skipped.
 */

import type { Json, Part, PartKind } from '../../plugin/request.ts'
import { type PartCollector, partCollector } from '../part-collector.ts'
import { type JsonObject, jsonText, objectOf, wordOf } from '../shape.ts'
import { member, nameOf } from './names.ts'
import { indexPointer, itemsOf } from './repeated.ts'

/** By all roles that the reader takes. */
const kinds: Readonly<Record<string, PartKind>> = {
  user: 'user',
  function: 'user',
  tool: 'user',
  model: 'assistant',
  assistant: 'assistant',
  system: 'system',
}

/** Strings of one response that are told, and how deep they are looked for. */
const maxTexts = 256
const maxDepth = 8

/** The parts of a request body. A request for a count may hold the request in `generateContentRequest`. */
export function geminiParts(body: Json): Part[] {
  const parts = partCollector(() => false)
  const outer = objectOf(body)
  const inside = nameOf(outer, 'generateContentRequest')
  const inner = inside === undefined ? undefined : objectOf(outer?.[inside])
  if (outer) requestParts(outer, '', parts)
  if (inner) requestParts(inner, `/${inside}`, parts)
  return parts.done()
}

function requestParts(request: JsonObject, at: string, parts: PartCollector): void {
  for (const [i, value] of itemsOf(request.tools).entries()) {
    const tool = objectOf(value)
    const declared = nameOf(tool, 'functionDeclarations')
    for (const name in tool) {
      const pointer = `${at}/tools${indexPointer(request.tools, i)}/${name}`
      if (name !== declared) parts.add('tool_schema', jsonText(tool[name]!), pointer, -1, name)
      else {
        for (const [f, item] of itemsOf(tool[name]).entries()) {
          const declaration = objectOf(item)
          if (declaration)
            parts.add('tool_schema', jsonText(declaration), `${pointer}${indexPointer(tool[name], f)}`, -1, wordOf(declaration.name))
        }
      }
    }
  }
  const system = nameOf(request, 'systemInstruction')
  if (system !== undefined) content(request[system], 'system', `${at}/${system}`, -1, parts)
  for (const [m, value] of itemsOf(request.contents).entries()) {
    const role = wordOf(objectOf(value)?.role) ?? 'user'
    if (Object.hasOwn(kinds, role)) content(value, kinds[role]!, `${at}/contents${indexPointer(request.contents, m)}`, m, parts)
  }
}

/** A content with parts; a system instruction may also be a string, a single part or a list of them. */
function content(value: Json | undefined, kind: PartKind, at: string, m: number, parts: PartCollector): void {
  if (typeof value === 'string') {
    parts.add(kind, value, at, m)
    return
  }
  const body = objectOf(value)
  if (body && typeof body.text === 'string') parts.add(kind, body.text, `${at}/text`, m)
  const list = body ? body.parts : value
  const listAt = body ? `${at}/parts` : at
  for (const [p, item] of itemsOf(list).entries()) {
    const pointer = listAt + indexPointer(list, p)
    if (typeof item === 'string') parts.add(kind, item, pointer, m)
    const part = objectOf(item)
    if (!part || part.thought === true) continue
    if (typeof part.text === 'string') parts.add(kind, part.text, `${pointer}/text`, m)
    const name = nameOf(part, 'functionResponse')
    const response = name === undefined ? undefined : objectOf(part[name])
    if (response?.response === undefined) continue
    const left = { count: maxTexts }
    texts(response.response, `${pointer}/${name}/response`, m, wordOf(member(response, 'id')) ?? wordOf(response.name), parts, left, 0)
  }
}

function texts(
  value: Json,
  at: string,
  m: number,
  name: string | undefined,
  parts: PartCollector,
  left: { count: number },
  depth: number,
): void {
  if (left.count <= 0 || depth > maxDepth) return
  if (typeof value === 'string') {
    left.count--
    parts.add('tool_result', value, at, m, name)
  } else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) texts(item, `${at}/${i}`, m, name, parts, left, depth + 1)
  } else if (typeof value === 'object' && value !== null) {
    const object = value as JsonObject
    for (const key in object) {
      texts(object[key]!, `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, m, name, parts, left, depth + 1)
    }
  }
}
