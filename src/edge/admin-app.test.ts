import { expect, test } from 'bun:test'
import { isOperator } from './admin-app.ts'

const from = (url: string, headers: Record<string, string> = {}) => isOperator(new Request(url, { headers }))

test('the admin listener answers operators, not web pages', () => {
  expect(from('http://127.0.0.1:8788/config')).toBe(true)
  expect(from('http://localhost:8788/config')).toBe(true)
  expect(from('http://[::1]:8788/config')).toBe(true)
  expect(from('http://gateway:8788/metrics')).toBe(true)
  expect(from('http://gateway.prod.internal:8788/metrics')).toBe(true)
  expect(from('http://127.0.0.1:8788/reload', { origin: 'http://127.0.0.1:8788' })).toBe(true)
  expect(from('http://127.0.0.1:8788/reload', { origin: 'https://evil.example' })).toBe(false)
  expect(from('http://gateway.example.com:8788/metrics')).toBe(true)
  expect(from('http://rebound.evil.example:8788/config')).toBe(false)
})
