/**
 * One line of a result file, in OpenAI's shape and in Anthropic's. What was replied stands in it as it came. Pure: an item that is done always gives the
 * same line, so that the size of a file is known before anybody asks for it.
 */

import type { ItemOutcome, ItemRow } from './tables.ts'

export type Done = Pick<ItemRow, 'id' | 'custom_id' | 'status' | 'request_id' | 'reply'> & { readonly outcome: ItemOutcome | null }

/** Which of OpenAI's two files an item stands in. */
export function isOutput(outcome: ItemOutcome | null): boolean {
  return outcome === 'succeeded'
}

/** A line with its line break. */
export function openaiLine(item: Done): string {
  const { custom_id, reply, status, request_id } = item
  const response =
    reply === null ? 'null' : `{"status_code":${status ?? 0},"request_id":${JSON.stringify(request_id ?? '')},"body":${reply}}`
  return `{"id":${JSON.stringify(requestName(item.id))},"custom_id":${JSON.stringify(custom_id)},"response":${response},"error":${errorOf(item)}}\n`
}

/** The same for Message Batches. */
export function anthropicLine({ custom_id, outcome, reply }: Done): string {
  const result =
    outcome === 'succeeded'
      ? `{"type":"succeeded","message":${reply}}`
      : outcome === 'errored'
        ? `{"type":"errored","error":${reply}}`
        : JSON.stringify({ type: outcome })
  return `{"custom_id":${JSON.stringify(custom_id)},"result":${result}}\n`
}

/** Id of an item as clients see it. */
export function requestName(id: string): string {
  return `batch_req_${id.replace('/', '_')}`
}

function errorOf({ outcome }: Done): string {
  if (outcome === 'expired')
    return JSON.stringify({ code: 'batch_expired', message: 'This request could not be executed before the batch expired.' })
  if (outcome === 'canceled')
    return JSON.stringify({ code: 'batch_cancelled', message: 'The batch was cancelled before this request was executed.' })
  return 'null'
}
