/** Signatures against those that AWS publishes: the IAM user guide's example and the Signature Version 4 test suite. */

import { describe, expect, test } from 'bun:test'
import { amzTime, encode, type Signing, signRequest } from './sigv4.ts'

const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const now = Date.UTC(2015, 7, 30, 12, 36, 0)

const suite = (more: Partial<Signing>): Signing => ({
  method: 'GET',
  host: 'example.amazonaws.com',
  path: '/',
  headers: [],
  body: new Uint8Array(),
  region: 'us-east-1',
  service: 'service',
  keys,
  now,
  ...more,
})

const signatureOf = (signing: Signing) => signRequest(signing).set.find(([name]) => name === 'authorization')![1]

describe('Signature Version 4', () => {
  test("the user guide's example: IAM ListUsers", () => {
    const signing = suite({
      host: 'iam.amazonaws.com',
      path: '/?Action=ListUsers&Version=2010-05-08',
      headers: [['content-type', 'application/x-www-form-urlencoded; charset=utf-8']],
      service: 'iam',
    })
    expect(signatureOf(signing)).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    )
  })

  test.each([
    ['get-vanilla', {}, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['post-vanilla', { method: 'POST' }, '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
    [
      'get-vanilla-query-order-key-case',
      { path: '/?Param2=value2&Param1=value1' },
      'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    ],
    [
      'post-x-www-form-urlencoded',
      {
        method: 'POST',
        headers: [['content-type', 'application/x-www-form-urlencoded']] as const,
        body: Buffer.from('Param1=value1'),
      },
      'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
    ],
  ])('test suite: %s', (_name, more, signature) => {
    expect(signatureOf(suite(more as Partial<Signing>))).toEndWith(`Signature=${signature}`)
  })

  test('a session token is sent and signed', () => {
    const { set } = signRequest(suite({ keys: { ...keys, sessionToken: 'token' } }))
    expect(set.map(([name]) => name)).toEqual(['x-amz-date', 'x-amz-security-token', 'authorization'])
    expect(set[2]![1]).toContain('SignedHeaders=host;x-amz-date;x-amz-security-token,')
  })

  test('the key of another secret, day or region is another one', () => {
    const all = [
      suite({}),
      suite({ keys: { ...keys, secretAccessKey: 'other' } }),
      suite({ region: 'eu-west-1' }),
      suite({ now: now + 864e5 }),
    ]
    expect(new Set([...all, ...all].map(signatureOf)).size).toBe(4)
  })

  test('the body is under the signature', () => {
    expect(signatureOf(suite({ body: Buffer.from('a') }))).not.toBe(signatureOf(suite({ body: Buffer.from('b') })))
  })

  test('times and encodings', () => {
    expect(amzTime(now)).toBe('20150830T123600Z')
    expect(encode("a b/c~d+e$é!'()*")).toBe('a%20b%2Fc~d%2Be%24%C3%A9%21%27%28%29%2A')
  })
})
