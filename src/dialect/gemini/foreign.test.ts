import { expect, test } from 'bun:test'
import { tagProof } from '../proof.ts'
import { foreignParts, signatureInstead } from './foreign.ts'

const tagged = tagProof({ dialect: 'anthropic-messages', upstream: 'claude', value: 'sig' })

test('D03: a call keeps some signature, a text only loses a foreign one, a thought goes', () => {
  const body = {
    contents: [
      { role: 'user', parts: [{ text: 'hi' }] },
      {
        role: 'model',
        parts: [
          { text: 'hm', thought: true, thoughtSignature: tagged },
          { text: 'said', thoughtSignature: tagged },
          { functionCall: { name: 'f', args: {} }, thoughtSignature: tagged },
          { functionCall: { name: 'g', args: {} }, thoughtSignature: 'of Google' },
        ],
      },
    ],
  }
  const pointers = foreignParts(body)
  expect(pointers).toEqual(['/contents/1/parts/2/thoughtSignature', '/contents/1/parts/1/thoughtSignature', '/contents/1/parts/0'])
  expect(pointers.map((pointer) => signatureInstead(body, pointer))).toEqual(['skip_thought_signature_validator', undefined, undefined])
})

test('D03: proofs in a content or part that stands alone', () => {
  const call = { functionCall: { name: 'f', args: {} }, thoughtSignature: tagged }
  const one = { contents: { role: 'model', parts: call } }
  expect(foreignParts(one)).toEqual(['/contents/parts/thoughtSignature'])
  expect(signatureInstead(one, '/contents/parts/thoughtSignature')).toBe('skip_thought_signature_validator')
  const many = { contents: [{ role: 'model', parts: call }] }
  expect(foreignParts(many)).toEqual(['/contents/0/parts/thoughtSignature'])
  expect(signatureInstead(many, '/contents/0/parts/thoughtSignature')).toBe('skip_thought_signature_validator')
})
