/** `headgate credits`: accounts in the records of a config, for operators and their scripts. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { cli, config, type Folder, folder } from './cli.fixture.ts'

let dir: Folder
let path: string
const plugins = '  - use: budget\n    with: { plans: { team: { included: 5 } } }\n  - use: router'
beforeEach(async () => {
  dir = folder()
  path = await dir.write('gateway.yaml', config(plugins))
})
afterEach(() => dir.remove())

const credits = (...argv: string[]) => cli(['credits', ...argv, '--config', path])

test('topup, adjust, refund: each an entry, with an id only once', async () => {
  expect(await credits('topup', 'acme', '25', '--id', 'pay-1', '--note', 'thanks')).toMatchObject({
    code: 0,
    out: 'acme: 25 USD\n',
    err: '',
  })
  const again = await credits('topup', 'acme', '25', '--id', 'pay-1')
  expect(again).toMatchObject({ code: 0, out: 'acme: 25 USD\n' })
  expect(again.err).toContain('nothing was added')
  expect((await credits('adjust', 'acme', '--usd', '-0.000000000001')).out).toBe('acme: 24.999999999999 USD\n')
  expect((await credits('refund', 'acme', '1.50')).out).toBe('acme: 26.499999999999 USD\n')
  const entries = JSON.parse((await credits('ledger', 'acme', '--json')).out) as { kind: string; note?: string }[]
  expect(entries.map((e) => e.kind).toSorted()).toEqual(['adjust', 'refund', 'topup'])
  expect((await credits('ledger', 'acme')).out).toContain('thanks')
  expect((await credits('list')).out).toMatch(/acme +26\.499999999999/)
})

test('set: plan, caps, and away with them', async () => {
  const set = await credits(
    'set',
    'acme',
    '--plan',
    'team',
    '--until',
    '2099-01-31',
    '--cap',
    '12.50/month',
    '--messages',
    '100/day',
    '--json',
  )
  expect(JSON.parse(set.out)).toMatchObject({
    plan: 'team',
    plan_until: '2099-01-31T00:00:00.000Z',
    balance: 5,
    included: 5,
    caps: [
      { of: 'account', per: 'day', unit: 'messages', limit: 100 },
      { of: 'account', per: 'month', unit: 'usd', limit: 12.5 },
    ],
  })
  const cleared = await credits('set', 'acme', '--clear', 'plan', '--clear', 'caps', '--clear', 'until', '--json')
  expect(JSON.parse(cleared.out)).toMatchObject({ plan: 'prepaid', caps: [] })
  expect((await credits('show', 'acme')).out).toMatch(/plan +prepaid/)
})

test('a plan that is taken away takes its end with it', async () => {
  await credits('set', 'acme', '--plan', 'team', '--until', '2099-01-31')
  expect(JSON.parse((await credits('set', 'acme', '--clear', 'plan', '--json')).out)).not.toHaveProperty('plan_until')
  expect(JSON.parse((await credits('set', 'acme', '--plan', 'team', '--json')).out)).not.toHaveProperty('plan_until')
})

test.each([
  [[], 2, 'say what to do'],
  [['topp'], 2, 'did you mean topup?'],
  [['show'], 2, 'name the account'],
  [['topup', 'acme'], 2, 'give one amount'],
  [['topup', 'acme', '1', '--usd', '2'], 2, 'give one amount'],
  [['topup', 'acme', 'much'], 1, 'not an amount'],
  [['topup', 'acme', '0'], 1, 'other than 0'],
  [['topup', 'acme', '--usd', '-5'], 1, 'use adjust'],
  [['show', 'acme', '--usd', '5'], 2, '--usd does not go with show'],
  [['set', 'acme'], 2, 'say what to set'],
  [['set', 'acme', '--cap', '5/week'], 2, 'is no cap'],
  [['set', 'acme', '--plan', 'nope'], 1, 'plans are: team'],
  [['set', 'acme', '--until', '2027-02-31'], 1, 'of a day that exists'],
  [['set', 'acme', '--clear', 'all'], 2, 'is no field'],
  [['ledger', 'acme', '--limit', 'x'], 1, '--limit'],
  [['list', 'acme'], 2, 'unexpected'],
] as const)('%j: %d, %s', async (argv, code, said) => {
  const ran = await credits(...argv)
  expect(ran.code).toBe(code)
  expect(ran.err).toContain(said)
})

test('a config without the plugin, or with records in memory, says so', async () => {
  await dir.write('gateway.yaml', config('  - use: router'))
  expect((await credits('list')).err).toContain('has no budget plugin')
  await dir.write('gateway.yaml', `${config(plugins)}\nrecords: memory\n`)
  expect((await credits('list')).err).toContain('admin API')
})
