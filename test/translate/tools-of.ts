/** Tools, calls and results as clients of each dialect send them, and as upstreams of each dialect get them. Written by hand, like `stage.ts`. */

import type { Spoken } from './dialects.ts'
import type { Loose, Name } from './stage.ts'

export const schema = { type: 'object', properties: { z: { type: 'string' }, a: { type: 'number' } }, required: ['z'] }

/** Tools of a client, by name. */
export function toolsOf(client: Spoken, ...tools: readonly (readonly [name: string, schema?: object])[]): Loose {
  switch (client.name) {
    case 'chat':
      return { tools: tools.map(([name, parameters = schema]) => ({ type: 'function', function: { name, parameters } })) }
    case 'responses':
      return { tools: tools.map(([name, parameters = schema]) => ({ type: 'function', name, parameters })) }
    case 'messages':
      return { tools: tools.map(([name, input_schema = schema]) => ({ name, input_schema })) }
    default:
      return { tools: [{ functionDeclarations: tools.map(([name, parametersJsonSchema = schema]) => ({ name, parametersJsonSchema })) }] }
  }
}

/** The tools that an upstream was sent. */
export function sentTools(upstream: Name, body: Loose): { name: string; schema: Loose }[] {
  const list: Loose[] =
    upstream === 'gemini' ? (body.tools ?? []).flatMap((tool: Loose) => tool.functionDeclarations ?? []) : (body.tools ?? [])
  return list.map((tool) => ({
    name: tool.function?.name ?? tool.name,
    schema: tool.function?.parameters ?? tool.parameters ?? tool.input_schema ?? tool.parametersJsonSchema,
  }))
}

/** A history in which the assistant called tools: with results in messages of their own, out of order, and a text behind them. */
export function history(
  client: Spoken,
  made: readonly { id: string; name: string; args: string; result: Loose; error?: boolean }[],
  after = 'And now?',
): Loose {
  const results = [...made].reverse()
  switch (client.name) {
    case 'chat':
      return {
        messages: [
          { role: 'user', content: 'Look.' },
          {
            role: 'assistant',
            content: null,
            tool_calls: made.map((c) => ({ id: c.id, type: 'function', function: { name: c.name, arguments: c.args } })),
          },
          ...results.map((c) => ({ role: 'tool', tool_call_id: c.id, content: c.result })),
          { role: 'user', content: after },
        ],
      }
    case 'responses':
      return {
        input: [
          { role: 'user', content: 'Look.' },
          ...made.map((c) => ({ type: 'function_call', call_id: c.id, name: c.name, arguments: c.args })),
          ...results.map((c) => ({ type: 'function_call_output', call_id: c.id, output: c.result })),
          { role: 'user', content: after },
        ],
      }
    case 'messages':
      return {
        messages: [
          { role: 'user', content: 'Look.' },
          {
            role: 'assistant',
            content: made.map((c) => ({ type: 'tool_use', id: c.id, name: c.name, input: JSON.parse(c.args || '{}') })),
          },
          ...results.map((c) => ({
            role: 'user',
            content: [{ type: 'tool_result', tool_use_id: c.id, content: c.result, ...(c.error && { is_error: true }) }],
          })),
          { role: 'user', content: after },
        ],
      }
    default:
      return {
        contents: [
          { role: 'user', parts: [{ text: 'Look.' }] },
          { role: 'model', parts: made.map((c) => ({ functionCall: { id: c.id, name: c.name, args: JSON.parse(c.args || '{}') } })) },
          { role: 'user', parts: results.map((c) => ({ functionResponse: { id: c.id, name: c.name, response: { output: c.result } } })) },
          { role: 'user', parts: [{ text: after }] },
        ],
      }
  }
}

/** The turn behind the calls as an upstream got it: results in order with the ids of their calls, and the place of the text. */
export function sentResults(upstream: Name, body: Loose): { ids: string[]; resultIds: string[]; texts: string[]; adjacent: boolean } {
  const all = JSON.stringify(body)
  switch (upstream) {
    case 'chat': {
      const at = body.messages.findIndex((m: Loose) => m.tool_calls)
      const ids = body.messages[at].tool_calls.map((c: Loose) => c.id)
      const behind = body.messages.slice(at + 1)
      const results = behind.filter((m: Loose) => m.role === 'tool')
      return {
        ids,
        resultIds: results.map((m: Loose) => m.tool_call_id),
        texts: results.map((m: Loose) => JSON.stringify(m.content)),
        adjacent: behind.slice(0, ids.length).every((m: Loose) => m.role === 'tool'),
      }
    }
    case 'responses': {
      const made = body.input.filter((item: Loose) => item.type === 'function_call')
      const results = body.input.filter((item: Loose) => item.type === 'function_call_output')
      return {
        ids: made.map((c: Loose) => c.call_id),
        resultIds: results.map((c: Loose) => c.call_id),
        texts: results.map((c: Loose) => JSON.stringify(c.output)),
        adjacent: all.lastIndexOf('function_call_output') < all.lastIndexOf('And now?'),
      }
    }
    case 'messages': {
      const at = body.messages.findIndex((m: Loose) => Array.isArray(m.content) && m.content.some((b: Loose) => b.type === 'tool_use'))
      const ids = body.messages[at].content.filter((b: Loose) => b.type === 'tool_use').map((b: Loose) => b.id)
      const { content } = body.messages[at + 1]
      const results = content.filter((b: Loose) => b.type === 'tool_result')
      return {
        ids,
        resultIds: results.map((b: Loose) => b.tool_use_id),
        texts: results.map((b: Loose) => JSON.stringify(b)),
        adjacent: content.slice(0, ids.length).every((b: Loose) => b.type === 'tool_result'),
      }
    }
    default: {
      const at = body.contents.findIndex((c: Loose) => c.parts.some((p: Loose) => p.functionCall))
      const made = body.contents[at].parts.filter((p: Loose) => p.functionCall).map((p: Loose) => p.functionCall)
      const results = body.contents[at + 1].parts.filter((p: Loose) => p.functionResponse).map((p: Loose) => p.functionResponse)
      return {
        ids: made.map((c: Loose) => c.id ?? c.name),
        resultIds: results.map((r: Loose) => r.id ?? r.name),
        texts: results.map((r: Loose) => JSON.stringify(r.response)),
        adjacent: true,
      }
    }
  }
}
