/** The body to replay of a recorded request: the one that was kept, else one of the same kind that says next to nothing. Pure. */

/** What of a record says what its body was. */
export interface BodyHint {
  readonly endpoint: string
  readonly model: string | undefined
  readonly stream: boolean
}

/** @param kept text of the body as it was kept; redacted, and perhaps cut off */
export function replayBody(hint: BodyHint, kept: string | undefined): { readonly bytes: Uint8Array; readonly kept: boolean } | undefined {
  if (kept !== undefined && isJson(kept)) return { bytes: new TextEncoder().encode(kept), kept: true }
  const body = plainBody(hint)
  return body && { bytes: new TextEncoder().encode(JSON.stringify(body)), kept: false }
}

/** The least that each endpoint takes; undefined for those that are not replayed. */
function plainBody({ endpoint, model, stream }: BodyHint): object | undefined {
  const messages = [{ role: 'user', content: '.' }]
  const streamed = stream ? { stream } : {}
  switch (endpoint) {
    case 'chat':
      return { model, messages, ...streamed }
    case 'messages':
      return { model, messages, max_tokens: 1024, ...streamed }
    case 'responses':
      return { model, input: '.', ...streamed }
    case 'completions':
      return { model, prompt: '.', ...streamed }
    case 'embeddings':
      return { model, input: '.' }
    case 'generate':
      return { contents: [{ role: 'user', parts: [{ text: '.' }] }] }
    default:
      return undefined
  }
}

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object'
  } catch {
    return false // it was cut off
  }
}
