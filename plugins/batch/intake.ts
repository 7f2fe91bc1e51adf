/**
 * What a submission asks for: each request checked before any is run, and written as one line of JSON (`custom_id`, `path`, `body`), which is what a
 * batch is made of whatever shape it came in. Pure.
 */

import { exactJson } from './exact-json.ts'

/** A request of a batch. */
export interface Wanted {
  readonly custom_id: string
  /** Path in this gateway. */
  readonly path: string
  /** JSON text. */
  readonly body: string
}

/** What is wrong with a submission. */
export interface Problem {
  readonly code: string
  readonly message: string
  /** Field at fault, as the client spells it. */
  readonly param: string | null
  /** Line of a file, from 1. */
  readonly line: number | null
}

/** Operations that a batch may ask for, as they end a path. */
export const operations = ['chat/completions', 'completions', 'embeddings', 'responses', 'messages'] as const
const longestId = 256

/** The path in this gateway of what a client calls `/v1/chat/completions`, below `prefix`; undefined when a batch can't ask for it. */
export function pathOf(url: string, prefix: string): string | undefined {
  const found = operations.find((operation) => [`/v1/${operation}`, `/${operation}`, operation, `${prefix}/${operation}`].includes(url))
  return found && `${prefix}/${found}`
}

/** The requests of a submission, one by one; the first problem ends it. Ids must differ. */
export function intake(maxRequests: number) {
  const seen = new Set<string>()
  const add = (
    customId: string,
    path: string,
    body: unknown,
    at: { readonly line: number | null; readonly where: string; readonly body?: string },
  ): Wanted | Problem => {
    const wrong = (code: string, message: string, param: string): Problem => ({
      code,
      message,
      param: `${at.where}${param}`.replace(/\.$/, ''),
      line: at.line,
    })
    if (seen.size >= maxRequests) return wrong('too_many_requests', `A batch holds ${maxRequests} requests at most.`, '')
    if (customId === '' || customId.length > longestId)
      return wrong('invalid_custom_id', `custom_id is a text of 1 to ${longestId} characters.`, 'custom_id')
    if (seen.has(customId)) return wrong('duplicate_custom_id', `The custom_id ${JSON.stringify(customId)} is there twice.`, 'custom_id')
    if (!isMap(body)) return wrong('invalid_request', 'The body of a request is a JSON object.', at.body ?? 'body')
    if (body.stream === true)
      return wrong('invalid_request', 'A request of a batch has nobody to stream to: leave "stream" out.', `${at.body ?? 'body'}.stream`)
    seen.add(customId)
    return { custom_id: customId, path, body: JSON.stringify(body) }
  }
  return {
    get count() {
      return seen.size
    },
    /** A line of OpenAI's input file. `endpoint` is that of the batch. */
    openaiLine(text: string, line: number, endpoint: string, prefix: string): Wanted | Problem {
      const wrong = (code: string, message: string, param: string | null = null): Problem => ({ code, message, param, line })
      let value: unknown
      try {
        value = exactJson(text)
      } catch {
        return wrong('invalid_json_line', 'This line is not valid JSON.')
      }
      if (!isMap(value)) return wrong('invalid_json_line', 'This line is not a JSON object.')
      const { custom_id: customId, method = 'POST', url, body } = value
      if (typeof customId !== 'string') return wrong('missing_required_parameter', 'custom_id is missing.', 'custom_id')
      if (method !== 'POST') return wrong('invalid_method', 'method is POST.', 'method')
      if (url !== endpoint) return wrong('mismatched_endpoint', `url is that of the batch: ${endpoint}.`, 'url')
      return add(customId, pathOf(endpoint, prefix)!, body, { line, where: '' })
    },
    /** A request of the plain shape: `{custom_id?, url?, body}`, or the body alone. */
    simple(value: unknown, index: number, endpoint: string, prefix: string): Wanted | Problem {
      const where = `requests[${index}]`
      const wrong = (message: string, param: string): Problem => ({ code: 'invalid_request', message, param, line: null })
      if (!isMap(value)) return wrong('A request is a JSON object.', where)
      const { custom_id: customId = String(index), url = endpoint, method = 'POST', ...alone } = value
      if (typeof customId !== 'string') return wrong('custom_id is a text.', `${where}.custom_id`)
      const path = typeof url === 'string' ? pathOf(url, prefix) : undefined
      if (path === undefined || method !== 'POST')
        return wrong(`url is one of: ${operations.map((one) => `/${one}`).join(', ')}; method is POST.`, `${where}.url`)
      const body = 'body' in alone && Object.keys(alone).length === 1 ? alone.body : alone
      return add(customId, path, body, { line: null, where: `${where}.` })
    },
    /** A request of Message Batches. */
    anthropic(value: unknown, index: number, prefix: string): Wanted | Problem {
      const where = `requests.${index}`
      if (!isMap(value) || typeof value.custom_id !== 'string' || !isMap(value.params))
        return { code: 'invalid_request', message: 'A request has a custom_id and params.', param: where, line: null }
      return add(value.custom_id, `${prefix}/v1/messages`, value.params, { line: null, where: `${where}.`, body: 'params' })
    },
  }
}

export type Intake = ReturnType<typeof intake>

export function isProblem(value: Wanted | Problem): value is Problem {
  return 'code' in value
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
