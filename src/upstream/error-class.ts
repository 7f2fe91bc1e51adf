/**
 * What an upstream's error means, as a code of the catalogue (PROTOCOL §1.7): by its status, and by the words of those errors on which clients act.
 *
 * Clients compact their conversation on a context overflow and show a filter's verdict as such; both come as plain 400s in many spellings (G06).
 */

import type { Family, UpstreamError } from '../dialect/codec.ts'
import type { RefusalCode } from '../plugin/refusal.ts'

/** The catalogue's code for an upstream's HTTP status. */
function codeOfStatus(status: number): RefusalCode {
  switch (status) {
    case 401:
      return 'upstream_auth'
    case 402:
      return 'insufficient_balance'
    case 403:
      return 'permission_denied'
    case 404:
      return 'not_found'
    case 408:
    case 504:
      return 'upstream_timeout'
    case 409:
      return 'conflict'
    case 413:
      return 'request_too_large'
    case 429:
      return 'rate_limited'
    case 503:
    case 529:
      return 'overloaded'
    default:
      return status >= 400 && status < 500 ? 'invalid_request' : 'upstream_error'
  }
}

const overflow =
  /context[_ ](length|window)|maximum context|prompt is too long|input is too long|too many (input )?tokens|token count \(?\d+\)? exceeds|exceeds? the (maximum|max) (number of )?(input )?tokens|input token count|reduce the length of (the|your)|max_prompt_tokens|input length and `?max_tokens`? exceed/i

/** An account that is not paid for, in the words of those who do not say so by 402: OpenAI (429), Anthropic (400). */
function unpaid(status: number, { code, message }: UpstreamError): boolean {
  return (status === 429 && code === 'insufficient_quota') || (status === 400 && /credit balance is too low/i.test(message))
}

/**
 * What an error of an upstream means. `status` = its HTTP status, or the one that it would have had. `insufficient_balance` is that of the account which
 * was called with: whose that is, the caller of this function knows.
 */
export function codeOfError(status: number, error: UpstreamError): RefusalCode {
  if (unpaid(status, error)) return 'insufficient_balance'
  if (status === 400 || status === 413 || status === 422) {
    if (error.code === 'context_length_exceeded' || overflow.test(error.message)) return 'context_length_exceeded'
    if (error.code === 'content_filter' || error.code === 'content_policy_violation') return 'content_filter'
    if (error.code === 'model_not_found') return 'model_not_found'
    // Google answers a bad key with 400
    if (error.type === 'INVALID_ARGUMENT' && /api key not valid/i.test(error.message)) return 'upstream_auth'
  }
  if (status === 404 && /model/i.test(`${error.code ?? ''} ${error.message}`)) return 'model_not_found'
  return codeOfStatus(status)
}

/** What an error inside a reply means; only its words tell. That an account is not paid for is no client's business there. */
export function codeInReply(error: UpstreamError): RefusalCode {
  const code = error.status === undefined ? 'upstream_error' : codeOfError(error.status, error)
  return code === 'insufficient_balance' ? 'upstream_auth' : code
}

/** The sentence of a translated error for a client of `family`, in the wording on which that client acts. */
export function clientWording(code: RefusalCode, message: string, family: Family): string {
  if (code !== 'context_length_exceeded') return message
  if (family === 'anthropic') return message.toLowerCase().includes('prompt is too long') ? message : `prompt is too long: ${message}`
  return /context length|context window/i.test(message) ? message : `This model's maximum context length is exceeded: ${message}`
}
