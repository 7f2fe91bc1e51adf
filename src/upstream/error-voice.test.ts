/** Errors in an operator's spelling: words, statuses and envelopes over those of the dialects. */

import { describe, expect, test } from 'bun:test'
import type { WireError } from '../dialect/codec.ts'
import { families } from '../dialect/family.ts'
import { errorVoice, type Spelling } from './error-voice.ts'

const openai = families.openai.operations[0]!.dialect
const anthropic = families.anthropic.operations[0]!.dialect
const limited: WireError = { code: 'rate_limited', message: 'Too fast.', requestId: 'req_1', retryAfter: 29.2, extra: { limit: 5 } }
const told = (spelling: Partial<Spelling>, error: WireError, dialect = openai, status = 400) =>
  JSON.parse(errorVoice({ style: 'client', codes: {}, ...spelling }).body(dialect, error, status)) as Record<string, unknown>

test('without a spelling nothing is touched', () => {
  const voice = errorVoice({ style: 'client', codes: {} })
  expect(voice.spelled(limited, 'openai')).toBe(limited)
  expect(voice.status({ code: 'overloaded' }, 'anthropic')).toBe(529)
  expect(voice.status({ code: 'invalid_request', status: 422 }, 'openai')).toBe(422)
  expect(voice.respells('rate_limited', 'openai')).toBe(false)
})

describe('codes', () => {
  const codes: Spelling['codes'] = {
    rate_limited: { code: 'slow_down', type: 'usage', message: 'Slow down.', extra: { kind: 'usage', limit: 1 } },
    upstream_timeout: { status: 408 },
  }
  test('words, sentence and more members of one code', () => {
    expect(told({ codes }, limited)).toEqual({
      error: { message: 'Slow down.', type: 'usage', param: null, code: 'slow_down', kind: 'usage', limit: 5 },
    })
  })
  test("the operator's words win over the upstream's, of the codes that are named", () => {
    const upstream = { upstreamType: 'requests', upstreamCode: 'rate_limit_exceeded' }
    expect(told({ codes }, { ...limited, ...upstream })).toMatchObject({ error: { type: 'usage', code: 'slow_down' } })
    expect(told({ codes }, { ...limited, ...upstream, code: 'conflict' })).toMatchObject({
      error: { type: 'requests', code: 'rate_limit_exceeded' },
    })
  })
  test('a code alone leaves the type as it would be', () => {
    expect(told({ codes: { rate_limited: { code: 'x' } } }, limited)).toMatchObject({ error: { type: 'rate_limit_error', code: 'x' } })
    expect(told({ codes: { rate_limited: { type: 'x' } } }, limited)).toMatchObject({ error: { type: 'x', code: 'rate_limit_exceeded' } })
  })
  test('a status, also over that of the upstream', () => {
    const voice = errorVoice({ style: 'client', codes })
    expect(voice.status({ code: 'upstream_timeout' }, 'openai')).toBe(408)
    expect(voice.restated('upstream_timeout', 504, 'anthropic')).toBe(408)
    expect(voice.restated('conflict', 418, 'openai')).toBe(418)
  })
  test("Anthropic's callers keep Anthropic's types, on which they act, and are told all the rest", () => {
    expect(told({ codes }, limited, anthropic)).toMatchObject({
      type: 'error',
      error: { type: 'rate_limit_error', message: 'Slow down.', kind: 'usage' },
      request_id: 'req_1',
    })
  })
})

describe('style', () => {
  test('one API for all', () => {
    expect(told({ style: 'openai' }, { ...limited, upstreamType: 'overloaded_error' }, anthropic)).toEqual({
      error: { message: 'Too fast.', type: 'rate_limit_error', param: null, code: 'rate_limit_exceeded', limit: 5 },
    })
    expect(told({ style: 'anthropic' }, limited, openai)).toMatchObject({ type: 'error', error: { type: 'rate_limit_error' } })
    expect(errorVoice({ style: 'openai', codes: {} }).status({ code: 'overloaded' }, 'anthropic')).toBe(503)
    expect(errorVoice({ style: 'openai', codes: {} }).restated('overloaded', 529, 'anthropic')).toBe(503)
    for (const family of ['anthropic', 'openai'] as const)
      expect(errorVoice({ style: 'openai', codes: {} }).respells('conflict', family)).toBe(true)
  })
  test('in a stream too', () => {
    const voice = errorVoice({ style: 'openai', codes: { rate_limited: { code: 'slow_down' } } })
    const frames = anthropic.errorFrames(voice.spelled(limited, 'anthropic'))
    expect(frames).toStartWith('event: error\ndata: {"error":{')
    expect(frames).toContain('"code":"slow_down"')
  })
})

describe('body', () => {
  const body = {
    ok: false,
    error: {
      code: '<code>',
      status: '<status>',
      said: '<status_text>',
      message: '<message>',
      param: '<param>',
      retry_after_seconds: '<retry_after>',
      request_id: '<request_id>',
    },
    see: 'https://example.com/errors/<code>?type=<type>',
    list: ['<param>', 1],
  }
  test('figures keep their kind; what is not there is left out; extras stand beside the message', () => {
    expect(told({ body }, limited, openai, 429)).toEqual({
      ok: false,
      error: {
        code: 'rate_limit_exceeded',
        status: 429,
        said: '429',
        message: 'Too fast.',
        retry_after_seconds: 30,
        request_id: 'req_1',
        limit: 5,
      },
      see: 'https://example.com/errors/rate_limit_exceeded?type=rate_limit_error',
      list: [1],
    })
  })
  test('what is said of one code stands in the place of what is said of all', () => {
    const body = { error: { kind: 'any', message: '<message>' } }
    expect(told({ body, codes: { conflict: { extra: { kind: 'own' } } } }, { ...limited, code: 'conflict' })).toMatchObject({
      error: { kind: 'own' },
    })
    expect(told({ body }, { ...limited, extra: { kind: 'of a plugin' } })).toMatchObject({ error: { kind: 'any' } })
  })
  test('is that of OpenAI, or of the style', () => {
    expect(told({ body }, limited, anthropic)).toMatchObject({ type: 'error' })
    expect(told({ body, style: 'openai' }, limited, anthropic)).toMatchObject({ ok: false })
    expect(told({ body, style: 'anthropic' }, limited, anthropic)).toMatchObject({
      see: 'https://example.com/errors/rate_limit_exceeded?type=rate_limit_error',
    })
  })
  test('what a client wrote into a message fills no figure', () => {
    const made = told({ body: { error: { message: 'Sorry: <message>' } } }, { ...limited, message: 'no model <request_id>' })
    expect(made).toEqual({ error: { message: 'Sorry: no model <request_id>' } })
  })
})
