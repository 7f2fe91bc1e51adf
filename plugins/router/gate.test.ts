import { describe, expect, test } from 'bun:test'
import { Gate, NoRoom } from './gate.ts'

const stays = new AbortController()
const gone = () => {
  const client = new AbortController()
  client.abort()
  return client
}

describe('a gate', () => {
  test('lets in as many as it may, then one for each that leaves, account by account', async () => {
    const gate = new Gate({ limit: 2, queue: 10, wait: 1000 })
    expect([gate.enter('a', stays), gate.enter('a', stays), gate.full]).toEqual([undefined, undefined, true])
    const order: string[] = []
    const waiting = ['a1', 'a2', 'a3', 'b1', 'c1', 'c2'].map((who) => gate.enter(who[0]!, stays)!.then(() => order.push(who)))
    expect([gate.active, gate.waiting]).toEqual([2, 6])
    for (let i = 0; i < 6; i++) gate.leave()
    await Promise.all(waiting)
    expect(order).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3'])
    expect([gate.active, gate.waiting]).toEqual([2, 0])
  })

  test('sends away whom it has no place for, who waits too long, and who has gone', async () => {
    const gate = new Gate({ limit: 1, queue: 1, wait: 20 })
    gate.enter('a', stays)
    const late = gate.enter('a', stays)!
    expect(await gate.enter('b', stays)!.catch((error: NoRoom) => [error.message, error.waited])).toEqual(['the queue is full', false])
    expect(await late.catch((error: NoRoom) => [error.message, error.waited])).toEqual(['no place became free in time', true])
    expect(await gate.enter('a', gone())!.catch((error: unknown) => error)).toBeInstanceOf(NoRoom)
    const leaves = new AbortController()
    const left = gate.enter('a', leaves)!
    leaves.abort()
    expect(await left.catch((error: NoRoom) => error.message)).toBe('the client has gone')
    expect([gate.active, gate.waiting]).toEqual([1, 0])
    gate.leave()
    expect([gate.active, gate.full]).toEqual([0, false])
  })
})
