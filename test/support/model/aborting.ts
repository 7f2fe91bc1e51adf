/** Clients that leave: a stream that stops in its middle, and when its upstream notices. */

import { until } from '../within.ts'
import type { ScriptedModel } from './server.ts'

/** Streams stop after so many frames, in mid-text whatever the dialect. */
const before = 5

/**
 * A client that leaves a stream in its middle.
 * @param begin starts the stream, waits for its first content and gives what aborts it
 * @returns milliseconds from the abort until the upstream was left
 */
export async function leave(model: ScriptedModel, begin: () => Promise<() => void>): Promise<number> {
  let frames = 0
  let goOn = () => {}
  const held = new Promise<void>((resolve) => {
    goOn = resolve
  })
  model.between = () => (++frames > before ? held : Promise.resolve())
  try {
    const abort = await begin()
    const started = performance.now()
    abort()
    await until(5000, 'the end of the upstream call', () => model.left > 0)
    return performance.now() - started
  } finally {
    goOn()
  }
}

/** What a promise, or what looks like one, is rejected with. */
export async function failureOf(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}
