/** Bun's limit of 256 concurrent fetches is warned of exactly when upstreams are called with fetch. */

import { expect, test } from 'bun:test'
import { proxyWarning } from './proxy-warning.ts'

test('only behind a proxy, and only without a usable limit', () => {
  expect(proxyWarning({})).toBeUndefined()
  expect(proxyWarning({ BUN_CONFIG_MAX_HTTP_REQUESTS: '1' })).toBeUndefined()
  expect(proxyWarning({ HTTPS_PROXY: '' })).toBeUndefined()
  expect(proxyWarning({ http_proxy: 'http://p:1' })).toContain('http_proxy is set and BUN_CONFIG_MAX_HTTP_REQUESTS is not set')
  expect(proxyWarning({ HTTPS_PROXY: 'http://p:1', BUN_CONFIG_MAX_HTTP_REQUESTS: '20000' })).toBeUndefined()
  expect(proxyWarning({ HTTPS_PROXY: 'http://p:1', BUN_CONFIG_MAX_HTTP_REQUESTS: '100000' })).toContain('not a number from 1 to 65535')
})

test('the proxy’s URL, which may hold a password, is not repeated', () => {
  expect(proxyWarning({ HTTPS_PROXY: 'http://user:hunter2@p:1' })).not.toContain('hunter2')
})
