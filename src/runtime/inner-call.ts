/**
 * Calls that a plugin of this gateway makes to the gateway itself: an exchange like all others, whose request came over no network.
 *
 * Who it is for stands in the arrival, where `auth` finds it; no credential is made up.
 */

import type { OperationSpec } from '../dialect/family.ts'
import type { Arrival } from '../pipeline/core.ts'
import type { InnerCall } from '../plugin/exchange.ts'
import { type HandleServices, InferenceExchange, type Outside } from './handle.ts'
import type { Snapshot } from './snapshot.ts'

/** What an inner call is, besides its request. */
export interface InnerArrival {
  readonly id: string
  readonly inner: InnerCall
  /** Cancels it, as a client that leaves does. */
  readonly signal: AbortSignal
}

/** Runs one to its answer, whose body the caller must read or cancel. Never rejects. */
export function runInner(
  snapshot: Snapshot,
  services: HandleServices,
  found: { readonly spec: OperationSpec; readonly outside?: Outside },
  request: Request,
  { id, inner, signal }: InnerArrival,
): Promise<Response> {
  const { spec, outside } = found
  const { pathname, search } = new URL(request.url)
  const arrival: Arrival = {
    id,
    operation: spec.operation,
    dialect: spec.dialect.name,
    method: request.method,
    path: pathname,
    query: search.slice(1),
    headers: request.headers,
    peer: () => '',
    signal,
    inner,
  }
  return new InferenceExchange(snapshot, services, spec, arrival, request, () => {}, outside).run()
}
