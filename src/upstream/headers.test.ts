/** What crosses the gateway on its way up. */

import { expect, test } from 'bun:test'
import { forwardableQuery, ownHeaders, requestLines } from './headers.ts'

test.each([
  ['beta=true', '?beta=true'],
  ['beta=true&limit=5', '?beta=true&limit=5'],
  ['key=sk-1', ''],
  ['beta=true&key=sk-1&api_key=sk-2&x=%zz', '?beta=true&x=%zz'],
  ['%6bey=sk-1&API-KEY=sk-2&access_token=t&a=monkey', '?a=monkey'],
])('credentials in a query stay here (H01): %s', (query, wanted) => {
  expect(forwardableQuery(query)).toBe(wanted)
})

test('client credentials of any spelling stay here (H01), one version goes up (H03), own headers win', () => {
  const client = new Headers({
    authorization: 'Bearer a',
    'x-api-key': 'b',
    'x-goog-api-key': 'c',
    cookie: 'd',
    'proxy-authorization': 'e',
    'x-forwarded-for': 'f',
    'anthropic-version': '2023-06-01, 2023-06-01',
    'x-team': 'client',
    'x-kept': 'g',
  })
  const { lines } = requestLines(client, ownHeaders([['x-team', 'own']]), [['anthropic-version', '2023-01-01']], true)
  expect(lines.split('\r\n').sort()).toEqual(['', 'anthropic-version: 2023-06-01', 'x-kept: g', 'x-team: own'])
})

test('what means something only to Claude goes nowhere else (H04, H06), and headers of the connection stay on it', () => {
  const client = new Headers({
    'anthropic-beta': 'a',
    'anthropic-version': 'b',
    connection: 'keep-alive, X-Hop',
    'x-hop': 'c',
    'x-kept': 'd',
  })
  expect(requestLines(client, ownHeaders([]), [], false).lines).toBe('x-kept: d\r\n')
})
