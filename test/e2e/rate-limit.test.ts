/** What the limits of the rate-limit plugin say on endpoints that are no inference, over real HTTP (ANYR-9). */

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { authPlugin, clientKey, gatewayConfig } from '../support/gateway-config.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'

let gateway: LocalGateway
beforeAll(async () => {
  const limits = [
    { requests: 3, window: '1h' },
    { tokens: 5000, window: '1h' },
  ]
  const plugins = [authPlugin, { use: 'rate-limit', with: { limits } }, { use: 'router' }]
  gateway = await startLocalGateway(gatewayConfig({ upstream: 'http://127.0.0.1:9', plugins }))
})
afterAll(() => gateway.stop())

const get = async (path: string, init: RequestInit = {}, key = clientKey) => {
  const response = await fetch(`${gateway.url}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
  })
  await response.arrayBuffer()
  const { headers, status } = response
  return {
    status,
    limit: headers.get('x-ratelimit-limit'),
    remaining: headers.get('x-ratelimit-remaining'),
    reset: headers.get('x-ratelimit-reset'),
  }
}

test('model lists are counted and say so; calls that fail upstream say so too; refusals above the plugin do not', async () => {
  const hour = 3_600_000
  if (hour - (Date.now() % hour) < 5000) await Bun.sleep(5000) // a window that ends now would start anew
  const reset = String((Math.floor(Date.now() / hour) + 1) * 3600)
  expect(await get('/v1/models')).toEqual({ status: 200, limit: '3', remaining: '2', reset })
  expect(await get('/v1/models', {}, 'sk-hg-unknown')).toMatchObject({ status: 401, limit: null })
  const long = JSON.stringify({ model: 'cat/known', max_tokens: 10, messages: [{ role: 'user', content: 'x'.repeat(30_000) }] })
  expect(await get('/v1/chat/completions', { method: 'POST', body: long })).toMatchObject({ status: 413, limit: '3', remaining: '2' })
  const small = JSON.stringify({ model: 'cat/known', max_tokens: 10, messages: [] })
  expect(await get('/v1/chat/completions', { method: 'POST', body: small })).toMatchObject({ status: 502, limit: '3', remaining: '1' })
  expect(await get('/v1/models')).toMatchObject({ status: 200, remaining: '0' })
  expect(await get('/v1/models')).toEqual({ status: 429, limit: '3', remaining: '0', reset })
})
