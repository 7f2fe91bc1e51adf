import { describe, expect, test } from 'bun:test'
import { Branch } from './branch.ts'

/** A signal that counts who listens to it. */
function watched() {
  const control = new AbortController()
  let listeners = 0
  const { signal } = control
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--
    remove(...args)
  }
  return { signal, abort: (reason?: unknown) => control.abort(reason), listeners: () => listeners }
}

describe('a branch', () => {
  test('ends with its parent and with its signal, once, and says why', () => {
    for (const how of ['parent', 'signal'] as const) {
      const parent = new Branch(undefined, undefined)
      const { signal, abort } = watched()
      const branch = new Branch(parent, signal)
      let told = 0
      branch.listen(() => told++)
      if (how === 'parent') parent.end('because')
      else abort('because')
      branch.end('again')
      expect([branch.ended, branch.reason, told]).toEqual([true, 'because', 1])
      expect(new Branch(branch, undefined).reason).toBe('because')
      expect(new Branch(undefined, AbortSignal.abort('gone')).reason).toBe('gone')
    }
  })

  test('who took back is not told', () => {
    const branch = new Branch(undefined, undefined)
    let told = 0
    branch.listen(() => told++)()
    branch.end()
    expect(told).toBe(0)
  })

  test('hears its signal until it has answered and its call is over, however deep, and lets go of it then', () => {
    const { signal, listeners } = watched()
    const outer = new Branch(undefined, signal)
    const first = new Branch(outer, undefined)
    first.listen(() => {})()
    first.hasAnswered()
    expect(listeners()).toBe(1) // another try may come
    const second = new Branch(outer, undefined)
    const over = second.listen(() => {})
    second.hasAnswered()
    outer.hasAnswered()
    expect(listeners()).toBe(1) // its stream runs on
    over()
    expect(listeners()).toBe(0)
  })
})
