import { describe, expect, test } from 'bun:test'
import { excerptLimit, readUpstreamError, wordStatus } from './upstream-error.ts'

const read = (status: number, body: string) => readUpstreamError(status, Buffer.from(body))

describe('G05 G11: the words of an upstream', () => {
  test('known envelopes', () => {
    expect(read(429, '{"error":{"message":"slow","type":"requests","param":null,"code":"rate_limit_exceeded"}}')).toEqual({
      message: 'slow',
      type: 'requests',
      code: 'rate_limit_exceeded',
      status: 429,
    })
    expect(read(529, '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}')).toEqual({
      message: 'Overloaded',
      type: 'overloaded_error',
      status: 529,
    })
    expect(read(402, '{"error":{"message":"pay","code":402}}')).toEqual({ message: 'pay', code: '402', status: 402 })
    expect(read(400, '[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]')).toEqual({
      message: 'bad',
      type: 'INVALID_ARGUMENT',
      code: '400',
      status: 400,
    })
    expect(read(200, '{"type":"response.failed","response":{"error":{"code":"invalid_prompt","message":"no"}}}')).toEqual({
      message: 'no',
      code: 'invalid_prompt',
      status: 400,
    })
    expect(read(400, '{"message":"too long"}').message).toBe('too long')
    expect(read(401, '{"detail":"Not authenticated"}').message).toBe('Not authenticated')
    expect(read(422, '{"detail":[{"loc":["body","messages",0],"msg":"field required"},{"msg":"b"}]}').message).toBe(
      'body.messages.0: field required; b',
    )
    expect(read(500, '{"error":"boom"}').message).toBe('boom')
    expect(read(500, '{"errors":[{"message":"a"},{"message":"b"}]}').message).toBe('a; b')
  })
  test('pages, plain text, nothing', () => {
    const page = `<!DOCTYPE html><html><head><title>502 Bad Gateway</title><style>p{color:red}</style></head><body><script>alert(1)</script><h1>Bad gateway</h1><p>The web &amp; server</p></body></html>`
    expect(read(502, page)).toEqual({ message: '502 Bad Gateway Bad gateway The web & server', status: 502 })
    expect(read(503, 'upstream connect error').message).toBe('upstream connect error')
    expect(read(500, '').message).toBe('The upstream answered 500 without a message.')
    expect(read(500, 'null').message).toBe('The upstream answered 500 without a message.')
    expect(read(500, 'x'.repeat(5000)).message.length).toBe(excerptLimit)
    expect(read(500, '{"weird":true}').message).toBe('{"weird":true}')
  })
  test('a hostile page is read in bounded time', () => {
    for (const bomb of ['<head'.repeat(400_000), '<!--'.repeat(500_000), '<'.repeat(2_000_000)]) {
      const before = process.cpuUsage()
      expect(read(500, bomb).message.length).toBeLessThanOrEqual(excerptLimit)
      expect(process.cpuUsage(before).user).toBeLessThan(2_000_000)
    }
  })
  test('B07: a 200 tells the status by its words', () => {
    expect(read(200, '{"error":{"type":"overloaded_error","message":"m"}}').status).toBe(529)
    expect(read(200, '{"error":{"message":"m","status_code":418}}').status).toBe(418)
    expect(read(200, '{"error":{"message":"m"}}').status).toBeUndefined()
    expect(
      ['rate_limit_error', 'authentication_error', 'invalid_request_error', 'api_error', '503', 'constructor', undefined].map(wordStatus),
    ).toEqual([429, 401, 400, 500, 503, undefined, undefined])
  })
})
