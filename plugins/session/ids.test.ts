import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import { callers } from './ids.ts'

setDefaultTimeout(30_000)

describe('ids', () => {
  test('two callers never meet, whatever they are called and whatever they send', () => {
    const of = callers('secret')
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.string(), fc.string(), (account, key, otherAccount, otherKey, name) => {
        if (account === otherAccount && key === otherKey) return
        const [one, two] = [of(account, key), of(otherAccount, otherKey)]
        expect(one.id(name)).not.toBe(two.id(name))
        expect(one.tag).not.toBe(two.tag)
        expect(one.seed).not.toBe(two.seed)
        expect(one.lane(name)).not.toBe(two.lane(name))
      }),
      { numRuns: 500 },
    )
    // where the account ends and the key begins is no matter of taste
    expect(of('a', 'bc').id('x')).not.toBe(of('ab', 'c').id('x'))
  })
  test('the same on every instance with the secret, others with another', () => {
    const [a, b, c] = ['one', 'one', 'two'].map((secret) => callers(secret)('acct', 'key').id('client A'))
    expect(a).toMatch(/^s_[a-z2-7]{20}$/)
    expect(b).toBe(a!)
    expect(c).not.toBe(a)
  })
})
