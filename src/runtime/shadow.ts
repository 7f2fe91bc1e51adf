/**
 * Shadows: copies of requests that a plugin sends to another target, each an exchange of its own.
 *
 * The copy shares the bytes of the body and nothing else: no slot, no client, no reply to anybody. It begins in a later turn of the event loop, so that the
 * request that it is a copy of goes first, and ends with the gateway. It settles once, for the plugins that say `shadows`.
 */

import { Branch } from '../pipeline/branch.ts'
import type { Arrival } from '../pipeline/core.ts'
import type { Plan } from '../pipeline/plan.ts'
import { RequestCore } from '../pipeline/request-core.ts'
import type { ShadowOptions } from '../plugin/exchange.ts'
import type { Target } from '../plugin/host.ts'
import type { Outcome } from '../plugin/outcome.ts'
import { examine } from './body.ts'
import type { InferenceExchange } from './handle.ts'

/** Makes an exchange by another plan. */
export type MakeExchange = (arrival: Arrival, plan: Plan) => InferenceExchange

const made = new WeakMap<object, number>()

/** Sends a copy of what an exchange asks now to `target`. Resolves to its outcome; never rejects. */
export function sendShadow(
  original: InferenceExchange,
  target: Target,
  options: ShadowOptions,
  by: string,
  make: MakeExchange,
): Promise<Outcome> {
  const { core, services, snapshot } = original
  const body = copyOf(original)
  const number = (made.get(core) ?? 0) + 1
  made.set(core, number)
  const ending = endedBy([services.stopping, options.signal])
  const arrival: Arrival = {
    id: `${core.id}-s${number}`,
    operation: core.operation,
    dialect: core.dialect,
    method: core.method,
    path: core.path,
    query: core.query,
    headers: new Headers(core.headers),
    peer: () => '',
    signal: ending.signal,
    shadowOf: core.id,
  }
  const shadow = make(arrival, snapshot.shadowPlan)
  shadow.core.modelAsked = options.model ?? core.modelAsked
  if (body) {
    body.setModel(target.model, by)
    shadow.core.body = body
    shadow.core.bytesIn = body.bytes.length
  }
  shadow.core.target = target
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  shadow.told = resolve
  // it may reject before anybody waits for it
  options.after?.then(undefined, () => {})
  setImmediate(() => {
    const branch = new Branch(undefined, ending.signal)
    const begun = waited(options.after, ending.signal).then(() => shadow.alone(branch))
    void begun.then(swallow, () => shadow.unsent().then(swallow, swallow))
  })
  return promise.finally(ending.forget)
}

/** The body as it stands, apart from the one that goes to the client's own target. */
function copyOf({ core, dialect, outside, snapshot }: InferenceExchange): RequestCore | undefined {
  const twin = core.body!.twin()
  if (twin) return twin
  const bytes = core.body!.output()
  const top = examine(bytes, snapshot.limits)
  return 'type' in top ? undefined : new RequestCore(bytes, outside ? { ...top, ...outside } : top, dialect.parts, outside !== undefined)
}

/** Rejects when the signal comes first. */
function waited(after: PromiseLike<unknown> | undefined, signal: AbortSignal): Promise<unknown> {
  if (signal.aborted) return Promise.reject(signal.reason as Error)
  if (!after) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const ended = () => reject(signal.reason)
    signal.addEventListener('abort', ended, { once: true })
    if (signal.aborted) ended()
    after.then(resolve, reject)
  })
}

/** Reads an answer to its end, for nobody. */
async function swallow(answer: unknown): Promise<void> {
  if (!(answer instanceof Response) || !answer.body) return
  const reader = answer.body.getReader()
  try {
    while (!(await reader.read()).done);
  } catch {
    // it broke: the outcome says so
  }
}

/** One signal that ends with the first of several, and lets go of all of them. */
function endedBy(signals: readonly (AbortSignal | undefined)[]): { readonly signal: AbortSignal; forget(): void } {
  const own = new AbortController()
  const ends = signals.flatMap((signal) => {
    if (!signal) return []
    const end = () => own.abort(signal.reason)
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
    return [() => signal.removeEventListener('abort', end)]
  })
  return {
    signal: own.signal,
    forget() {
      for (const end of ends) end()
    },
  }
}
