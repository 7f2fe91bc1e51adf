/**
 * Frames without content: those that only give a stream its shape, or repeat what was told, in the dialects of clients.
 *
 * Whoever goes on with a stream must know all that was said in it. A frame that is not known here may have said something. Pure.
 */

type Members = Readonly<Record<string, unknown>>

const objectOf = (value: unknown): Members | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : undefined
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0)

/** True for the data of a frame that says nothing. */
export function saysNothing(dialect: string, data: string): boolean {
  let body: Members | undefined
  try {
    body = objectOf(JSON.parse(data))
  } catch {
    return false
  }
  if (!body) return false
  switch (dialect) {
    case 'openai-chat':
      return listOf(body.choices).every((choice) => saysNothingInChat(objectOf(choice) ?? {}))
    case 'anthropic-messages':
      return saysNothingInMessages(body)
    case 'openai-responses':
      return saysNothingInResponses(body)
    default:
      return false
  }
}

function saysNothingInChat({ delta, text }: Members): boolean {
  return (
    isEmpty(text) &&
    Object.entries(objectOf(delta) ?? {}).every(([name, value]) => {
      if (name === 'role' || name === 'token_id' || isEmpty(value)) return true
      // the same thought once more, as OpenRouter tells it; what is signed or encrypted is a proof
      return name === 'reasoning_details' && listOf(value).every((one) => isPlainThought(objectOf(one) ?? {}))
    })
  )
}

function isPlainThought({ type, signature, data }: Members): boolean {
  return (type === 'reasoning.text' || type === 'reasoning.summary') && isEmpty(signature) && isEmpty(data)
}

function saysNothingInMessages({ type, content_block: given }: Members): boolean {
  if (type === 'ping' || type === 'content_block_stop' || type === 'message_delta') return true
  const block = type === 'content_block_start' ? objectOf(given) : undefined
  if (block?.type === 'text') return isEmpty(block.text) && isEmpty(block.citations)
  return block?.type === 'thinking' && isEmpty(block.signature)
}

const repeating = new Set([
  'response.in_progress',
  'response.queued',
  'response.content_part.added',
  'response.content_part.done',
  'response.output_text.done',
  'response.reasoning_summary_part.added',
  'response.reasoning_summary_part.done',
  'response.reasoning_summary_text.done',
  'response.reasoning_text.done',
  'keepalive',
])

function saysNothingInResponses({ type, item: given }: Members): boolean {
  if (repeating.has(String(type))) return true
  const item = type === 'response.output_item.added' || type === 'response.output_item.done' ? objectOf(given) : undefined
  return item?.type === 'message' || (item?.type === 'reasoning' && isEmpty(item.encrypted_content))
}
