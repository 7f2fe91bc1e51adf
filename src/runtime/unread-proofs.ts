/**
 * Encrypted reasoning that an upstream can't read, because another deployment or account made it: called once more without it (D03).
 *
 * Responses clients keep `encrypted_content` and send it back, to whichever deployment serves the model by then. Its maker alone can read it; the others
 * refuse the whole request. The thoughts are lost then, but not the conversation. What was left out is named, like each loss.
 */

import { listOf, objectOf } from '../dialect/shape.ts'
import { asBuffer } from '../dialect/sse.ts'
import type { Branch } from '../pipeline/branch.ts'
import type { ReplyCore } from '../pipeline/reply-core.ts'
import type { Json } from '../plugin/request.ts'
import { callUpstream } from './attempt.ts'
import type { InferenceExchange } from './handle.ts'

const member = Buffer.from('"encrypted_content"')
const refusal = /invalid_encrypted_content|encrypted content\b.*\b(verified|decrypted|parsed|decoded)/is

/** Makes the upstream call of an exchange; once more, if the upstream refused it for proofs that it can't read. Rejects only on a mistake of ours. */
export function callReadably(exchange: InferenceExchange, branch: Branch | undefined): Promise<ReplyCore> {
  const mayHold = exchange.dialect.name === 'openai-responses' && asBuffer(exchange.core.body!.bytes).indexOf(member) >= 0
  return mayHold ? callTwice(exchange, branch) : callUpstream(exchange, branch)
}

async function callTwice(exchange: InferenceExchange, branch: Branch | undefined): Promise<ReplyCore> {
  const reply = await callUpstream(exchange, branch)
  const { core } = exchange
  if (reply.ok || reply.status !== 400 || !saysUnreadable(reply) || core.signal.aborted) return reply
  const body = core.body!
  const found = proofsOf(body.document.value)
  if (found.items.length === 0) return reply
  reply.discard()
  const mark = body.mark()
  for (const pointer of found.pointers) body.remove(pointer, 'headgate')
  const calling = callUpstream(exchange, branch)
  // its bytes are made: a plugin that calls yet another upstream begins with what the client wrote
  body.undo(mark)
  const second = await calling
  const fields = found.items.map((i) => `input[${i}].encrypted_content`)
  if (second.attempt) exchange.alsoDropped(second.attempt, fields)
  return second
}

function saysUnreadable({ message, source }: ReplyCore): boolean {
  const code = source.kind === 'whole' ? Buffer.from(source.body).toString() : source.kind === 'refusal' ? source.upstream?.code : undefined
  return refusal.test(`${code ?? ''} ${message ?? ''}`)
}

const said: ReadonlySet<unknown> = new Set(['function_call', 'custom_tool_call', 'message'])

/**
 * Reasoning items that hold a proof, and pointers of all that goes with them, last first: OpenAI refuses an item under its id when the reasoning that
 * belongs to it is missing.
 */
function proofsOf(body: Json): { readonly items: readonly number[]; readonly pointers: readonly string[] } {
  const items: number[] = []
  const pointers: string[] = []
  for (const [i, value] of listOf(objectOf(body)?.input).entries()) {
    const item = objectOf(value)
    if (!item) continue
    if (item.type === 'reasoning' && typeof item.encrypted_content === 'string') {
      items.push(i)
      pointers.push(`/input/${i}`)
    } else if (items.length > 0 && said.has(item.type) && item.id !== undefined) pointers.push(`/input/${i}/id`)
  }
  return { items, pointers: pointers.reverse() }
}
