/**
 * Request bodies of a wanted size that look like real chat traffic, the same bytes in every run.
 *
 * Owns their content: a system prompt, tools, then turns of prose, code, tool calls and tool results, full of the escapes that
 * code and nested JSON bring; `model` first and `stream` last, as SDKs write them. Knows nothing of what is measured.
 */

export type BodySize = '1k' | '100k' | '500k'

const bytesOf: Readonly<Record<BodySize, number>> = { '1k': 1024, '100k': 100 * 1024, '500k': 500 * 1024 }

const sentences = [
  'Please look at the failing test first and tell me what you think before you change anything.',
  'The queue drains twice when the consumer restarts; “at least once” was promised, not “exactly once”.',
  'I read src/queue/consumer.ts and the tests beside it; the offset is committed before the handler has finished.',
  'Größere Änderungen bitte in kleinen Schritten, damit wir sie einzeln prüfen können.',
  'Keep the public interface as it is, and add a note to the changelog when behaviour changes.',
  'Run it three times: the failure shows up only when two consumers share a partition.',
]

const code = `export async function drain(queue: Queue<Job>, handle: (job: Job) => Promise<void>): Promise<number> {
\tlet done = 0
\tfor await (const job of queue) {
\t\tif (job.payload.includes("\\n")) console.warn(\`odd payload: \${JSON.stringify(job.payload)}\`)
\t\tawait handle(job) // "at least once": commit after the handler
\t\tawait queue.commit(job.offset)
\t\tdone += 1
\t}
\treturn done
}
`

function tool(name: string): unknown {
  return {
    type: 'function',
    function: {
      name,
      description: `${name}: ${sentences[2]} Use absolute paths.`,
      parameters: {
        type: 'object',
        properties: {
          path: { type: 'string', description: 'Absolute path of the file' },
          offset: { type: 'integer', minimum: 0, description: 'First line, from 0' },
          pattern: { type: 'string', description: 'A regular expression such as "^export (async )?function \\\\w+"' },
        },
        required: ['path'],
        additionalProperties: false,
      },
    },
  }
}

/** The turns of a conversation, one after the other, without end. */
function* turns(): Generator<unknown> {
  for (let i = 0; ; i++) {
    const prose = Array.from({ length: 4 }, (_, k) => sentences[(i + k) % sentences.length]).join(' ')
    const id = `call_${String(i).padStart(20, '0')}`
    const args = JSON.stringify({ path: `/srv/app/src/queue/part-${i}.ts`, pattern: '"commit\\(.*\\)"' })
    yield { role: 'user', content: `${prose}\n\n\`\`\`ts\n${code}\`\`\`\n` }
    yield { role: 'assistant', content: null, tool_calls: [{ id, type: 'function', function: { name: 'read_file', arguments: args } }] }
    yield { role: 'tool', tool_call_id: id, content: JSON.stringify({ path: `/srv/app/part-${i}.ts`, lines: 10, text: code }) }
    yield { role: 'assistant', content: `${prose}\n\n1. Commit after \`handle\`.\n2. Make the handler idempotent.\n` }
  }
}

/** JSON of exactly the wanted size (the last text is cut or padded to fit). */
export function chatBody(size: BodySize, model: string, stream: boolean): Uint8Array {
  const wanted = bytesOf[size]
  const system = { role: 'system', content: `You are a careful engineer.\n${sentences.slice(0, size === '1k' ? 1 : 6).join('\n')}` }
  const names = size === '1k' ? [] : ['read_file', 'write_file', 'search', 'run_tests', 'list_files', 'git_diff', 'apply_patch', 'open_url']
  const tools = names.map(tool)
  const messages: unknown[] = [system]
  const json = (last: string): string =>
    JSON.stringify({
      model,
      messages: [...messages, { role: 'user', content: last }],
      ...(tools.length > 0 ? { tools, tool_choice: 'auto' } : {}),
      temperature: 0.2,
      max_tokens: 4096,
      stream,
    })
  let used = Buffer.byteLength(json(''))
  for (const turn of turns()) {
    const more = Buffer.byteLength(JSON.stringify(turn)) + 1
    if (used + more > wanted - 64) break
    messages.push(turn)
    used += more
  }
  const words = `${sentences.join(' ').replace(/[^ -~]/g, 'x')} `
  const missing = wanted - used
  return Buffer.from(json(words.repeat(Math.ceil(missing / words.length)).slice(0, missing)))
}
