/**
 * A model that plays a fixed script, for tests of clients: what it says depends only on what it was sent.
 *
 *   asked for a schema                        ─▶ an object that fits it
 *   tools offered, last turn is no result     ─▶ a thought, then a call of the first tool with arguments that fit its schema
 *   otherwise                                 ─▶ "The answer is <results>."
 *
 * Dialects read their requests into `Asked` and write `Said`; they share nothing with the gateway's codecs. A proof that the model gave with its
 * thought must come back with the next turn, unchanged (D01): `problems` says what was wrong.
 */

export interface Asked {
  readonly model: string
  readonly stream: boolean
  readonly system: readonly string[]
  /** Texts of the last user turn. */
  readonly prompt: string
  readonly tools: readonly { readonly name: string; readonly schema: unknown }[]
  /** A tool must be called, this one if named. */
  readonly forced?: string | true | undefined
  readonly schema?: unknown
  /** Results of the last turn, in order, as text. */
  readonly results: readonly string[]
  /** Calls of the last assistant turn, with the proofs that came back with them. */
  readonly calls: readonly { readonly id: string; readonly name: string; readonly args: unknown }[]
  readonly proofs: readonly string[]
}

export interface SaidCall {
  readonly name: string
  readonly args: Record<string, unknown>
}

export interface Said {
  readonly thought: string
  /** Opaque; belongs to the thought or the first call. */
  readonly proof: string
  readonly text: string
  readonly calls: readonly SaidCall[]
}

/** Tokens that every reply reports: input, of which cached; output, of which reasoning. */
export const tokens = { input: 120, cached: 20, output: 30, reasoning: 10 } as const

export const thought = 'Let me look.'
/** As base64, for some clients look whether it is. */
export const proof = 'c/vv/7/+aWc6MQ=='

/** Arguments that a test wants for the next call, by tool name; else made up from the schema. */
export type Arguments = Readonly<Record<string, Record<string, unknown>>>

/** What the model says. */
export function answer(asked: Asked, args: Arguments = {}, parallel = 1): Said {
  const nothing = { thought: '', proof: '', text: '', calls: [] }
  if (asked.schema !== undefined) return { ...nothing, text: JSON.stringify(exampleOf(asked.schema)) }
  if (asked.results.length > 0) return { ...nothing, text: `The answer is ${asked.results.join(' and ')}.` }
  const named = typeof asked.forced === 'string' ? asked.tools.find((tool) => tool.name === asked.forced) : undefined
  const wanted = asked.tools.find((tool) => tool.name in args)
  const tool = named ?? wanted ?? asked.tools[0]
  if (!tool) return { ...nothing, text: `You said: ${asked.prompt}` }
  const call = { name: tool.name, args: args[tool.name] ?? (exampleOf(tool.schema) as Record<string, unknown>) }
  return { ...nothing, thought, proof, calls: Array.from({ length: parallel }, () => call) }
}

/** A value that fits a JSON schema, as far as tests use it. */
export function exampleOf(schema: unknown): unknown {
  const s = (typeof schema === 'object' && schema !== null ? schema : {}) as Record<string, unknown>
  if ('const' in s) return s.const
  if (Array.isArray(s.enum)) return s.enum[0]
  const [option] = [s.anyOf, s.oneOf].find(Array.isArray) ?? []
  if (option) return exampleOf(option)
  const type = String(Array.isArray(s.type) ? s.type[0] : (s.type ?? (s.properties ? 'object' : 'string'))).toLowerCase()
  switch (type) {
    case 'object': {
      const properties = (s.properties ?? {}) as Record<string, unknown>
      const required = Array.isArray(s.required) ? (s.required as string[]) : Object.keys(properties)
      return Object.fromEntries(required.map((key) => [key, exampleOf(properties[key])]))
    }
    case 'array':
      return [exampleOf(s.items)]
    case 'integer':
    case 'number':
      return typeof s.minimum === 'number' ? s.minimum : 7
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return 'word'
  }
}

type Shape = Record<string, unknown>
export const shape = (value: unknown): Shape =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Shape) : {}
export const items = (value: unknown): Shape[] => (Array.isArray(value) ? value.map(shape) : [])
export const word = (value: unknown): string => (typeof value === 'string' ? value : '')

/** The text of a content that is a string or a list of parts. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  return items(content)
    .map((part) => word(part.text))
    .join('')
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
