/**
 * The one catalogue of refusals: for each code its HTTP status, its spelling in each API family and a default sentence.
 *
 * Every error that leaves the gateway has a code from here. The sentence says what to do next. Statuses and types follow
 * PROTOCOL §1.7. This file formats nothing: the dialects do.
 */

import type { RefusalCode } from './plugin/refusal.ts'

export interface ErrorEntry {
  readonly status: number
  /** `error.type` and `error.code` for OpenAI-speaking clients. */
  readonly openai: readonly [type: string, code: string | null]
  /** `error.type` for Anthropic-speaking clients. */
  readonly anthropic: string
  /** `error.status` for Gemini-speaking clients. */
  readonly gemini: string
  /** Said when the refusing place gives no sentence of its own. */
  readonly message: string
  /** Status for Anthropic-speaking clients where it differs. */
  readonly anthropicStatus?: number
  /** Sent as `x-should-retry`, which both SDKs obey. */
  readonly retry?: boolean
}

export const errorCatalogue: Readonly<Record<RefusalCode, ErrorEntry>> = {
  invalid_request: entry(400, 'invalid_request_error', null, 'invalid_request_error', 'The request is not valid.'),
  invalid_json: entry(400, 'invalid_request_error', 'invalid_json', 'invalid_request_error', 'The body is not valid JSON.'),
  invalid_parameter: entry(400, 'invalid_request_error', null, 'invalid_request_error', 'A field of the request is not what it must be.'),
  unsupported_media_type: entry(
    415,
    'invalid_request_error',
    'unsupported_media_type',
    'invalid_request_error',
    'Send the body as application/json, plain or gzip, deflate, br or zstd encoded.',
  ),
  unsupported_parameter: entry(
    400,
    'invalid_request_error',
    'unsupported_parameter',
    'invalid_request_error',
    'A parameter is not supported.',
  ),
  invalid_api_key: entry(
    401,
    'invalid_request_error',
    'invalid_api_key',
    'authentication_error',
    'The API key is not known to this gateway.',
  ),
  missing_api_key: entry(
    401,
    'invalid_request_error',
    'invalid_api_key',
    'authentication_error',
    'No API key. Send it as "Authorization: Bearer <key>" or "x-api-key: <key>".',
  ),
  expired_api_key: entry(401, 'invalid_request_error', 'expired_api_key', 'authentication_error', 'This credential has expired.'),
  invalid_signature: entry(
    401,
    'invalid_request_error',
    'invalid_signature',
    'authentication_error',
    'The signature of this token is not that of its issuer.',
  ),
  insufficient_balance: entry(402, 'insufficient_quota', 'insufficient_quota', 'billing_error', 'The balance does not cover this request.'),
  subscription_required: entry(
    402,
    'insufficient_quota',
    'subscription_required',
    'billing_error',
    'This account has no active subscription.',
  ),
  quota_exceeded: entry(402, 'insufficient_quota', 'quota_exceeded', 'billing_error', 'What this account may spend or send is used up.'),
  permission_denied: entry(403, 'permission_error', 'permission_denied', 'permission_error', 'This key may not do that.'),
  model_not_found: entry(404, 'invalid_request_error', 'model_not_found', 'not_found_error', 'This gateway does not serve that model.'),
  not_found: entry(404, 'invalid_request_error', 'not_found', 'not_found_error', 'There is nothing at this path.'),
  method_not_allowed: entry(
    405,
    'invalid_request_error',
    'method_not_allowed',
    'invalid_request_error',
    'This path does not answer that method.',
  ),
  request_too_large: entry(413, 'invalid_request_error', 'request_too_large', 'request_too_large', 'The request is too large.'),
  context_length_exceeded: entry(
    400,
    'invalid_request_error',
    'context_length_exceeded',
    'invalid_request_error',
    'prompt is too long: it exceeds the context window of the model.',
  ),
  conflict: entry(409, 'invalid_request_error', 'conflict', 'invalid_request_error', 'The request conflicts with another one.'),
  rate_limited: entry(
    429,
    'rate_limit_error',
    'rate_limit_exceeded',
    'rate_limit_error',
    'Too many requests. Wait as Retry-After says, then try again.',
  ),
  content_filter: entry(
    400,
    'invalid_request_error',
    'content_filter',
    'invalid_request_error',
    'A policy of this gateway blocks this content.',
  ),
  internal_error: entry(
    500,
    'server_error',
    'internal_error',
    'api_error',
    'The gateway failed. Try again; if it goes on, name the request id to the operator.',
  ),
  plugin_failed: entry(
    500,
    'server_error',
    'plugin_failed',
    'api_error',
    'A plugin of this gateway failed. Name the request id to the operator.',
  ),
  store_unavailable: entry(
    503,
    'server_error',
    'store_unavailable',
    'overloaded_error',
    'A store of this gateway is away. Try again in a moment.',
    { anthropicStatus: 529 },
  ),
  upstream_auth: entry(502, 'server_error', 'upstream_auth', 'api_error', "The model provider rejected the gateway's own key.", {
    retry: false,
  }),
  upstream_error: entry(502, 'server_error', 'upstream_error', 'api_error', 'The model provider failed.'),
  upstream_bad_reply: entry(
    502,
    'server_error',
    'upstream_bad_reply',
    'api_error',
    'The model provider answered with something that is not a reply.',
  ),
  upstream_unreachable: entry(502, 'server_error', 'upstream_unreachable', 'api_error', 'The model provider could not be reached.'),
  upstream_timeout: entry(504, 'server_error', 'timeout', 'timeout_error', 'The model provider did not answer in time.'),
  overloaded: entry(503, 'server_error', 'overloaded', 'overloaded_error', 'Overloaded. Try again in a moment.', { anthropicStatus: 529 }),
  shutting_down: entry(503, 'server_error', 'overloaded', 'overloaded_error', 'This instance is shutting down. Try again.', {
    anthropicStatus: 529,
  }),
  client_closed: entry(499, 'invalid_request_error', 'client_closed', 'invalid_request_error', 'The client closed the connection.'),
}

function entry(
  status: number,
  openaiType: string,
  openaiCode: string | null,
  anthropic: string,
  message: string,
  more: { anthropicStatus?: number; retry?: boolean } = {},
): ErrorEntry {
  return { status, openai: [openaiType, openaiCode], anthropic, gemini: geminiStatus(status), message, ...more }
}

/** Google's word for a status (google.rpc.Code). */
function geminiStatus(status: number): string {
  switch (status) {
    case 401:
      return 'UNAUTHENTICATED'
    case 403:
      return 'PERMISSION_DENIED'
    case 402:
    case 429:
      return 'RESOURCE_EXHAUSTED'
    case 404:
      return 'NOT_FOUND'
    case 409:
      return 'ABORTED'
    case 499:
      return 'CANCELLED'
    case 500:
    case 502:
      return 'INTERNAL'
    case 503:
      return 'UNAVAILABLE'
    case 504:
      return 'DEADLINE_EXCEEDED'
    default:
      return 'INVALID_ARGUMENT'
  }
}
