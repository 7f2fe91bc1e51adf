import { expect, test } from 'bun:test'
import type { Gateway } from '../runtime/gateway.ts'
import { adminApp, isOperator } from './admin-app.ts'
import type { RouteTable } from './route-table.ts'

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

test('what a page of a plugin throws stands in the log, and not in the reply', async () => {
  const logged: unknown[] = []
  const gateway = { log: { error: (...said: unknown[]) => logged.push(said) } } as unknown as Gateway
  const route = { method: 'GET', path: '/broken', summary: '', handler: () => Promise.reject(new Error('geheim-7')) }
  const app = adminApp(gateway, { admin: [{ route }] } as unknown as RouteTable, () => Promise.reject(new Error()))
  const reply = await app.fetch(new Request('http://127.0.0.1:8788/broken'))
  expect(reply.status).toBe(500)
  expect(await reply.json()).toEqual({ error: { message: 'This endpoint failed; the log says why.' } })
  expect(JSON.stringify(logged)).toContain('geheim-7')
  expect((await app.fetch(new Request('http://127.0.0.1:8788/nothing'))).status).toBe(404)
})
