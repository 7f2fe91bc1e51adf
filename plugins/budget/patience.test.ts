import { expect, test } from 'bun:test'
import { StoreUnavailable } from 'headgate/plugin'
import { inTime } from './patience.ts'

test('work that is done in time gives its result or its error', async () => {
  expect(await inTime(Promise.resolve(7))).toBe(7)
  await expect(inTime(Promise.reject(new RangeError('x')))).rejects.toBeInstanceOf(RangeError)
})

test('work that takes too long is a store that is away; what becomes of it later harms nobody', async () => {
  const { promise, reject } = Promise.withResolvers<number>()
  const [result] = await Promise.allSettled([inTime(promise, 5)])
  expect(result).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailable) })
  reject(new Error('late')) // unhandled, it would end the process
  await Promise.resolve()
})
