import { describe, expect, test } from 'bun:test'
import type { AdmitExchange, Exchange, Host, PrincipalValue, Refusal, ReplyHead, TakeResult } from 'headgate/plugin'
import rateLimit from './index.ts'
import { durationText, limitHeaders, refusalMessage, retryAfter } from './limit.ts'
import { addressSubject, callerSubject } from './subject.ts'

interface Request {
  principal?: Partial<PrincipalValue>
  ip?: string
  model?: string
}

/** The plugin over a fixed-window state like the host's; `later` answers in a promise, as a networked store does. */
async function started(options: Record<string, unknown>, later = false) {
  const clock = { now: 600_000 }
  const counts = new Map<string, number>()
  const take = (key: string, amount: number, limit: number, window: number): TakeResult => {
    const resetAt = (Math.floor(clock.now / window) + 1) * window
    const used = counts.get(`${key} ${resetAt}`) ?? 0
    const taken = used + amount <= limit
    if (taken) counts.set(`${key} ${resetAt}`, used + amount)
    return { taken, remaining: limit - used - (taken ? amount : 0), resetAt }
  }
  const host = {
    now: () => clock.now,
    state: { take: (...args: Parameters<typeof take>) => (later ? Promise.resolve().then(() => take(...args)) : take(...args)) },
    catalog: { find: (id: string) => (id.startsWith('known') ? { id: id.split('-')[0] } : undefined) },
  } as unknown as Host
  const hooks = await rateLimit.setup(host, { window: 60_000, by: 'key', headers: true, ...options })
  const exchange = (request: Request) =>
    ({
      ip: request.ip ?? '192.0.2.1',
      request: { model: request.model ?? 'known' },
      state: rateLimit.state?.(),
      peek: () => request.principal && { kind: 'key', account: 'acct', ...request.principal },
      refuse: (code: string, more: object) => ({ type: 'refusal', code, ...more }),
    }) as unknown as Exchange
  const admit = (x: Exchange) => (hooks.admit ? hooks.admit(x as AdmitExchange) : hooks.request?.(x)) as Refusal | undefined
  return {
    hooks,
    clock,
    counts,
    exchange,
    admit,
    /** The code of the refusal, or `ok`. */
    send: async (request: Request = {}) => (await admit(exchange(request)))?.code ?? 'ok',
    /** Headers of the reply to one request. */
    async headers(request: Request = {}) {
      const x = exchange(request)
      await admit(x)
      const head = { headers: new Headers() } as ReplyHead
      await hooks.reply?.(x, head)
      return Object.fromEntries(head.headers)
    },
  }
}

const alice = { id: 'key_a', account: 'acct_1' }
const bob = { id: 'key_b', account: 'acct_1' }

describe('counting', () => {
  test('lets exactly so many in, and again in the next window', async () => {
    const gate = await started({ requests: 2 })
    expect([await gate.send({ principal: alice }), await gate.send({ principal: alice }), await gate.send({ principal: alice })]).toEqual([
      'ok',
      'ok',
      'rate_limited',
    ])
    gate.clock.now += 59_999
    expect(await gate.send({ principal: alice })).toBe('rate_limited')
    gate.clock.now += 1
    expect(await gate.send({ principal: alice })).toBe('ok')
  })

  test.each([false, true])('is exact when 500 come at once (store answers later: %p)', async (later) => {
    const gate = await started({ requests: 60 }, later)
    const codes = await Promise.all(Array.from({ length: 500 }, () => gate.send({ principal: alice })))
    expect(codes.filter((code) => code === 'ok')).toHaveLength(60)
  })

  test('waits for nothing when the store is in this process', async () => {
    const gate = await started({ requests: 1 })
    expect(gate.admit(gate.exchange({}))).toBeUndefined()
    expect(gate.admit(gate.exchange({}))).toMatchObject({ type: 'refusal' })
  })

  test('by key, with the address for who has none of their own', async () => {
    const gate = await started({ requests: 1 })
    expect(await gate.send({ principal: alice })).toBe('ok')
    expect(await gate.send({ principal: bob })).toBe('ok')
    expect(await gate.send({})).toBe('ok')
    expect(await gate.send({ principal: { id: 'anonymous', kind: 'anonymous' } })).toBe('rate_limited')
    expect(await gate.send({ ip: '192.0.2.2' })).toBe('ok')
    expect(await gate.send({ principal: alice, ip: '192.0.2.3' })).toBe('rate_limited')
  })

  test('by account', async () => {
    const gate = await started({ requests: 1, by: 'account' })
    expect(await gate.send({ principal: alice })).toBe('ok')
    expect(await gate.send({ principal: bob })).toBe('rate_limited')
  })

  test('by address', async () => {
    const gate = await started({ requests: 1, by: 'ip' })
    expect(await gate.send({ principal: alice })).toBe('ok')
    expect(await gate.send({ principal: bob })).toBe('rate_limited')
    expect(await gate.send({ principal: alice, ip: '192.0.2.9' })).toBe('ok')
  })

  test('by model, in the body, and invented models are one', async () => {
    const gate = await started({ requests: 1, by: 'model' })
    expect(gate.hooks.admit).toBeUndefined()
    expect(await gate.send({ principal: alice, model: 'known-1' })).toBe('ok')
    expect(await gate.send({ principal: bob, model: 'known-2' })).toBe('rate_limited')
    expect(await gate.send({ model: 'invented-1' })).toBe('ok')
    expect(await gate.send({ model: 'invented-2' })).toBe('rate_limited')
    expect(gate.counts.size).toBe(2)
  })
})

describe('what the caller is told', () => {
  test('headers on each reply', async () => {
    const gate = await started({ requests: 2 })
    const reset = '660'
    expect(await gate.headers()).toEqual({ 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '1', 'x-ratelimit-reset': reset })
    expect(await gate.headers()).toMatchObject({ 'x-ratelimit-remaining': '0' })
    expect(await gate.headers()).toMatchObject({ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset })
  })

  test('none of them when the operator wants none', async () => {
    const gate = await started({ requests: 1, headers: false })
    expect(await gate.headers()).toEqual({})
    expect(gate.hooks.reply).toBeUndefined()
    expect(gate.admit(gate.exchange({}))?.headers).toBeUndefined()
  })

  test('none on a reply to a request that another plugin refused before it was counted', async () => {
    const gate = await started({ requests: 1 })
    const head = { headers: new Headers() } as ReplyHead
    await gate.hooks.reply?.(gate.exchange({}), head)
    expect([...head.headers]).toEqual([])
  })

  test('a refusal that says limit, window and when', async () => {
    const gate = await started({ requests: 1 })
    gate.clock.now += 30_500
    await gate.send({ principal: alice })
    expect(gate.admit(gate.exchange({ principal: alice }))).toMatchObject({
      code: 'rate_limited',
      retryAfter: 30,
      message: 'Rate limit reached: 1 request per 1m for this API key. Try again in 30 s.',
      headers: { 'x-ratelimit-limit': '1', 'x-ratelimit-remaining': '0' },
    })
    await gate.send({})
    expect(gate.admit(gate.exchange({}))?.message).toContain('for this address.')
  })

  test('times are rounded up, so that who waits as told is let in', () => {
    const result = { taken: false, remaining: 0, resetAt: 60_001 }
    expect(retryAfter(result, 59_999)).toBe(1)
    expect(retryAfter(result, 60_001)).toBe(1)
    expect(retryAfter(result, 0)).toBe(61)
    expect(limitHeaders(5, result)['x-ratelimit-reset']).toBe('61')
  })

  test('durations as people write them', () => {
    expect([60_000, 90_000, 250, 1500, 3_600_000, 86_400_000, 172_800_000].map(durationText)).toEqual([
      '1m',
      '90s',
      '250ms',
      '1500ms',
      '1h',
      '1d',
      '2d',
    ])
    expect(refusalMessage(60, 60_000, 'this account', 9)).toBe('Rate limit reached: 60 requests per 1m for this account. Try again in 9 s.')
  })
})

describe('subjects', () => {
  test.each([
    ['192.0.2.1', 'ip:192.0.2.1'],
    ['::ffff:192.0.2.1', 'ip:192.0.2.1'],
    ['::FFFF:192.0.2.1', 'ip:192.0.2.1'],
    ['', 'ip:unknown'],
    ['::1', 'ip:0:0:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', 'ip:2001:db8:1:2::/64'],
    ['2001:DB8:1:2::', 'ip:2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::9', 'ip:2001:db8:1:2::/64'],
    ['2001:db8::5', 'ip:2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'ip:fe80:0:0:0::/64'],
  ])('address %s is counted as %s', (ip, subject) => {
    expect(addressSubject(ip)).toBe(subject)
  })

  test('a key that is named like an address is not counted as one', () => {
    const principal: PrincipalValue = { id: '192.0.2.1', kind: 'key', account: 'key:192.0.2.1', tags: [] }
    expect(callerSubject('key', principal, '')).toBe('key:192.0.2.1')
    expect(callerSubject('account', principal, '')).toBe('account:key:192.0.2.1')
  })
})

test('a window of nothing stops the start', async () => {
  await expect(started({ requests: 1, window: 0 })).rejects.toThrow('window must be longer than 0')
})
