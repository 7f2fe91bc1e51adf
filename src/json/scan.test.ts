import { describe, expect, test } from 'bun:test'
import { scanTopLevel } from './scan.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('scanTopLevel', () => {
  test('finds model and stream', () => {
    const text = '{"a":[{"model":"no"}], "model" : "yes", "stream":true}'
    const found = scanTopLevel(encode(text))
    if (!found.ok) throw new Error(found.message)
    expect(found.model).toBe('yes')
    expect(text.slice(found.modelStart, found.modelEnd)).toBe('"yes"')
    expect(found.stream).toBe(true)
  })
})
