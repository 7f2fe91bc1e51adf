import { expect, test } from 'bun:test'
import { testPlugin } from 'headgate/testkit'
import deprecation from './index.ts'
import { headersOf, momentOf } from './marks.ts'

const day = (text: string) => Date.parse(text)

test('Deprecation is a date of structured fields (RFC 9745), Sunset an HTTP date (RFC 8594)', () => {
  // the examples of the RFCs
  expect(headersOf([{ since: day('2023-06-30T23:59:59Z') }])).toEqual({ deprecation: '@1688169599', links: [] })
  expect(headersOf([{ since: 0, sunset: day('2018-12-31T23:59:59Z') }]).sunset).toBe('Mon, 31 Dec 2018 23:59:59 GMT')
})

test('of a route and a model the earlier dates count, and the links of both stand there', () => {
  const route = { since: day('2026-01-01'), sunset: day('2027-01-01'), link: 'https://a.example/old', successor: '/v2' }
  const model = { since: day('2025-01-01'), sunset: day('2028-01-01'), link: 'https://a.example/old' }
  expect(headersOf([route, model])).toEqual({
    deprecation: `@${day('2025-01-01') / 1000}`,
    sunset: 'Fri, 01 Jan 2027 00:00:00 GMT',
    links: ['<https://a.example/old>; rel="deprecation"', '</v2>; rel="successor-version"'],
  })
})

test('days that do not exist, and ends before the beginning, are told at the start', async () => {
  expect(() => momentOf('2026-02-30', 'routes[0].since')).toThrow('routes[0].since: 2026-02-30 is not a date')
  const routes = [{ path: '/v1/*', since: '2026-02-01', sunset: '2026-01-01' }]
  await expect(testPlugin(deprecation, { with: { routes } })).rejects.toThrow('routes[0]: it ends before it is deprecated')
})
