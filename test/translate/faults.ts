/**
 * Failures of upstreams: in the words of each family of providers, and as clients of each family must be told of them (PROTOCOL §1.7).
 */

import type { Spoken } from './dialects.ts'

/** An error as each family of providers words it. */
export interface Fault {
  readonly name: string
  /** HTTP status of the upstream. */
  readonly status: number
  readonly sentence: string
  readonly openai: readonly [type: string, code: string | null]
  readonly anthropic: string
  readonly gemini: string
  /** What a client that speaks another dialect is answered: its status, and its words. */
  readonly told: {
    readonly status: number
    readonly anthropicStatus?: number
    readonly openai: readonly [type: string, code: string | null]
    readonly anthropic: string
    readonly gemini: string
  }
  readonly headers?: Readonly<Record<string, string>>
  /** In the client's own dialect too (the gateway's key). */
  readonly always?: boolean
}

export const invalid = { openai: ['invalid_request_error', null], anthropic: 'invalid_request_error', gemini: 'INVALID_ARGUMENT' } as const
const busy = {
  status: 503,
  anthropicStatus: 529,
  openai: ['server_error', 'overloaded'],
  anthropic: 'overloaded_error',
  gemini: 'UNAVAILABLE',
} as const
const broken = { status: 502, openai: ['server_error', 'upstream_error'], anthropic: 'api_error', gemini: 'INTERNAL' } as const
const late = { status: 504, openai: ['server_error', 'timeout'], anthropic: 'timeout_error', gemini: 'DEADLINE_EXCEEDED' } as const
const limited = {
  status: 429,
  openai: ['rate_limit_error', 'rate_limit_exceeded'],
  anthropic: 'rate_limit_error',
  gemini: 'RESOURCE_EXHAUSTED',
} as const
const ownKey = { status: 502, openai: ['server_error', 'upstream_auth'], anthropic: 'api_error', gemini: 'INTERNAL' } as const
export const unknownModel = {
  status: 404,
  openai: ['invalid_request_error', 'model_not_found'],
  anthropic: 'not_found_error',
  gemini: 'NOT_FOUND',
} as const

export const faults: readonly Fault[] = [
  { name: 'bad request', status: 400, sentence: 'The third message is odd.', ...invalid, told: { status: 400, ...invalid } },
  {
    name: 'our key is rejected (G08)',
    status: 401,
    sentence: 'No such key here.',
    openai: ['invalid_request_error', 'invalid_api_key'],
    anthropic: 'authentication_error',
    gemini: 'UNAUTHENTICATED',
    told: ownKey,
    always: true,
  },
  {
    name: 'our account has no credit',
    status: 402,
    sentence: 'There is no money left.',
    openai: ['insufficient_quota', 'insufficient_quota'],
    anthropic: 'billing_error',
    gemini: 'FAILED_PRECONDITION',
    told: ownKey,
    always: true,
  },
  {
    name: 'forbidden',
    status: 403,
    sentence: 'Not in your region.',
    openai: ['invalid_request_error', 'unsupported_country'],
    anthropic: 'permission_error',
    gemini: 'PERMISSION_DENIED',
    told: { status: 403, openai: ['permission_error', 'permission_denied'], anthropic: 'permission_error', gemini: 'PERMISSION_DENIED' },
  },
  {
    name: 'unknown model',
    status: 404,
    sentence: 'The model m-9 does not exist.',
    openai: ['invalid_request_error', 'model_not_found'],
    anthropic: 'not_found_error',
    gemini: 'NOT_FOUND',
    told: unknownModel,
  },
  {
    name: 'nothing there',
    status: 404,
    sentence: 'No such route.',
    openai: ['invalid_request_error', null],
    anthropic: 'not_found_error',
    gemini: 'NOT_FOUND',
    told: { status: 404, openai: ['invalid_request_error', 'not_found'], anthropic: 'not_found_error', gemini: 'NOT_FOUND' },
  },
  { name: 'the upstream waited too long', status: 408, sentence: 'You were slow.', ...invalid, gemini: 'DEADLINE_EXCEEDED', told: late },
  {
    name: 'conflict',
    status: 409,
    sentence: 'Somebody holds the lock.',
    ...invalid,
    gemini: 'ABORTED',
    told: { status: 409, openai: ['invalid_request_error', 'conflict'], anthropic: 'invalid_request_error', gemini: 'ABORTED' },
  },
  {
    name: 'too large',
    status: 413,
    sentence: 'That is 40 MB.',
    openai: ['invalid_request_error', null],
    anthropic: 'request_too_large',
    gemini: 'INVALID_ARGUMENT',
    told: {
      status: 413,
      openai: ['invalid_request_error', 'request_too_large'],
      anthropic: 'request_too_large',
      gemini: 'INVALID_ARGUMENT',
    },
  },
  { name: 'validation', status: 422, sentence: 'temperature must be a number.', ...invalid, told: { status: 400, ...invalid } },
  {
    name: 'a code of no meaning here (G07)',
    status: 424,
    sentence: 'Something it leans on fell.',
    ...invalid,
    told: { status: 400, ...invalid },
  },
  {
    name: 'rate limit (G01)',
    status: 429,
    sentence: 'Slow down a little.',
    openai: ['tokens', 'rate_limit_exceeded'],
    anthropic: 'rate_limit_error',
    gemini: 'RESOURCE_EXHAUSTED',
    headers: { 'retry-after': '7', 'retry-after-ms': '6500', 'x-should-retry': 'true' },
    told: limited,
  },
  {
    name: 'failed',
    status: 500,
    sentence: 'It fell over.',
    openai: ['server_error', null],
    anthropic: 'api_error',
    gemini: 'INTERNAL',
    told: broken,
  },
  {
    name: 'away',
    status: 503,
    sentence: 'Back soon.',
    openai: ['server_error', null],
    anthropic: 'overloaded_error',
    gemini: 'UNAVAILABLE',
    told: busy,
  },
  {
    name: 'late',
    status: 504,
    sentence: 'It took too long.',
    openai: ['server_error', null],
    anthropic: 'timeout_error',
    gemini: 'DEADLINE_EXCEEDED',
    told: late,
  },
  {
    name: 'overloaded (G02)',
    status: 529,
    sentence: 'Too many of you.',
    openai: ['server_error', 'overloaded'],
    anthropic: 'overloaded_error',
    gemini: 'UNAVAILABLE',
    headers: { 'x-should-retry': 'true' },
    told: busy,
  },
]

export const familyOf = (speaker: Spoken) => speaker.dialect.family

/** The body of an error in the words of an upstream's API. */
export function bodyOf(
  upstream: Spoken,
  fault: Pick<Fault, 'status' | 'sentence' | 'openai' | 'anthropic' | 'gemini'>,
  wait?: string,
): object {
  const { sentence: message } = fault
  switch (familyOf(upstream)) {
    case 'anthropic':
      return { type: 'error', error: { type: fault.anthropic, message }, request_id: 'req_theirs' }
    case 'gemini': {
      const details = wait === undefined ? [] : [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: wait }]
      return { error: { code: fault.status, message, status: fault.gemini, details } }
    }
    default:
      return { error: { message, type: fault.openai[0], param: null, code: fault.openai[1] } }
  }
}
