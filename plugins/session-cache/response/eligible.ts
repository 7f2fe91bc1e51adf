/**
 * Which requests may be answered from a cache at all.
 *
 * An answer is given again only where the same words mean the same: nothing that a provider keeps or looks up, nothing that is meant to differ each time, and
 * nothing of which a part would be lost between a stream and a whole reply. This file knows the members of every dialect by which that can be told.
 */

import type { Json, Operation } from 'headgate/plugin'

const operations: ReadonlySet<Operation> = new Set(['chat', 'completions', 'responses', 'messages', 'generate'])

/** Members that make a reply depend on more than the request, or hold more than text and calls. */
const forbidden = [
  'previous_response_id',
  'conversation',
  'background',
  'logprobs',
  'top_logprobs',
  'modalities',
  'audio',
  'web_search_options',
  'mcp_servers',
  'container',
  'context_management',
  'cachedContent',
  'cached_content',
] as const

/** Why not; undefined when it may. `anyTemperature`: a sampled answer will do. */
export function unfit(operation: Operation, body: { readonly [key: string]: Json }, anyTemperature: boolean): string | undefined {
  if (!operations.has(operation)) return 'operation'
  for (const name of forbidden) {
    const value = body[name]
    if (value !== undefined && value !== null && value !== false && value !== 0 && !isTextOnly(value)) return name
  }
  // Responses are kept by the provider unless told otherwise: a copy under another id could not be gone on from
  if (operation === 'responses' ? body.store !== false : body.store === true) return 'store'
  const generation = objectOf(body.generationConfig) ?? objectOf(body.generation_config) ?? {}
  if (above(body.n, 1) || above(body.best_of, 1) || above(generation.candidateCount, 1)) return 'n'
  if (Array.isArray(generation.responseModalities) && !isTextOnly(generation.responseModalities)) return 'responseModalities'
  if (generation.responseLogprobs === true) return 'responseLogprobs'
  if (!anyTemperature && (body.temperature ?? generation.temperature) !== 0) return 'temperature'
  if (hasServerTool(body.tools)) return 'tools'
  if (holdsInexactNumber(body, 0)) return 'numbers'
  return undefined
}

/** Tools that the provider itself runs look something up: the next answer may be another one. */
function hasServerTool(tools: Json | undefined): boolean {
  if (tools === undefined || tools === null) return false
  // Google takes one tool alone for a list of it
  return (Array.isArray(tools) ? tools : [tools]).some((tool: Json) => {
    const own = objectOf(tool)
    if (!own) return true
    if (typeof own.type === 'string') return own.type !== 'function' && own.type !== 'custom'
    // Gemini names what a tool is by its member; Anthropic's own tools of clients have no type
    return !('functionDeclarations' in own || 'function_declarations' in own || 'input_schema' in own || 'function' in own)
  })
}

/** Numbers that two spellings could mean: their value would not tell two requests apart. */
function holdsInexactNumber(value: Json, depth: number): boolean {
  if (typeof value === 'number')
    return !Number.isSafeInteger(value) && (!Number.isFinite(value) || Number.isInteger(value) || String(Math.abs(value)).length > 16)
  if (typeof value !== 'object' || value === null) return false
  if (depth > 100) return true
  return Object.values(value).some((inner: Json) => holdsInexactNumber(inner, depth + 1))
}

function isTextOnly(value: Json): boolean {
  return Array.isArray(value) && value.every((item: Json) => typeof item === 'string' && item.toLowerCase() === 'text')
}

function above(value: Json | undefined, limit: number): boolean {
  return typeof value === 'number' && value > limit
}

function objectOf(value: Json | undefined): { readonly [key: string]: Json } | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as { readonly [key: string]: Json }) : undefined
}
