/**
 * What one request would become: it runs down the real pipeline and stops where the upstream begins.
 *
 * The edge's own route table says what the path means, as it does for a client. Nothing is sent, nothing settles.
 */

import { nearest } from '../config/suggest.ts'
import { routeTable } from '../edge/route-table.ts'
import { InferenceExchange } from '../runtime/handle.ts'
import { responseOrigins } from '../runtime/response-origins.ts'
import type { Capture, Captured } from './capture.ts'
import { CommandError } from './command.ts'
import type { Rehearsed } from './rehearsal.ts'
import { type TracedStep, tracedPlan } from './trace.ts'

export interface RequestInput {
  readonly body: Uint8Array
  /** Path and query; the first inference endpoint of the config when absent. */
  readonly path: string | undefined
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** An upstream request that would be sent. */
export interface PlannedCall extends Captured {
  readonly upstream: string
  readonly model: string
}

export interface RequestReport {
  readonly outcome: 'sent' | 'refused' | 'answered'
  readonly path: string
  readonly operation: string
  readonly dialect: string
  readonly bytesIn: number
  readonly steps: readonly TracedStep[]
  /** Plugins none of whose hooks was called on the way down, and why. */
  readonly idle: readonly { readonly plugin: string; readonly why: string }[]
  readonly model?: { readonly asked: string; readonly sent: string }
  readonly stream?: boolean
  readonly calls: readonly PlannedCall[]
  /** Byte offset of the first change to the client's body; -1 when it leaves as it came. */
  readonly firstEdit?: number
  /** What the client would get, when nothing is sent. */
  readonly answer?: {
    readonly status: number
    readonly headers: readonly (readonly [string, string])[]
    readonly body: string
    readonly by?: string
  }
}

/**
 * Runs a request.
 * @throws CommandError when the path is none of the config's inference endpoints.
 */
export async function explainRequest(rehearsed: Rehearsed, capture: Capture, input: RequestInput): Promise<RequestReport> {
  const { gateway } = rehearsed
  const { snapshot } = gateway
  const table = routeTable(snapshot)
  const given = input.path ?? table.inference[0]?.path ?? ''
  const [path = '', query = ''] = split(given)
  const route = table.find(path)
  if (!route) {
    const known = table.inference.map((r) => r.path)
    const near = nearest(path, known)
    throw new CommandError(
      `there is no inference endpoint at ${JSON.stringify(path)}${near === undefined ? '' : `; did you mean ${near}?`}\nThere are: ${known.join(', ')}`,
    )
  }
  const headers = new Headers({ 'content-type': 'application/json' })
  const named = new Set(input.headers.map(([name]) => name.toLowerCase()))
  for (const name of named) headers.delete(name)
  for (const [name, value] of input.headers) headers.append(name, value)
  const request = new Request(`http://127.0.0.1${given}`, { method: 'POST', headers, body: input.body as Uint8Array<ArrayBuffer> })
  const gone = new AbortController()
  const trace = tracedPlan(snapshot.plan)
  const exchange = new InferenceExchange(
    { ...snapshot, plan: trace.plan },
    {
      transport: capture.transport,
      log: gateway.log,
      now: gateway.services.now,
      origins: responseOrigins(gateway.services.state, gateway.log),
      stopping: gateway.stopping,
    },
    route.spec,
    {
      id: 'req_explained',
      operation: route.spec.operation,
      dialect: route.spec.dialect.name,
      method: 'POST',
      path,
      query,
      headers,
      peer: () => '127.0.0.1',
      signal: gone.signal,
    },
    request,
    () => {},
  )
  const running = exchange.run()
  const response = await Promise.race([running, capture.first.then(settleDown)])
  trace.finish()
  const { core, steps } = trace
  const body = core?.body
  const attempts = (core?.attempts ?? []).filter((a) => a.failure !== 'refused')
  const sent = capture.requests.length > 0
  const report: RequestReport = {
    outcome: sent ? 'sent' : response && response.status >= 400 ? 'refused' : 'answered',
    path: given,
    operation: route.spec.operation,
    dialect: route.spec.dialect.name,
    bytesIn: input.body.length,
    steps: steps.map((step) => ({ ...step })),
    idle: snapshot.plan.instances.flatMap((instance) => {
      if (steps.some((s) => s.plugin === instance.id)) return []
      const { admit, request, around, attempt } = instance.hooks
      const asked = core !== undefined && (!instance.condition?.needsBody || body !== undefined)
      if (asked && instance.condition && !core.isActive(instance))
        return [{ plugin: instance.id, why: `left out: when ${instance.condition.text}` }]
      if (!(admit || request || around || attempt)) return [{ plugin: instance.id, why: 'acts on the way up only' }]
      return [{ plugin: instance.id, why: 'not reached' }]
    }),
    ...(body && { model: { asked: core?.modelAsked ?? '', sent: body.model }, stream: body.stream, firstEdit: body.document.firstEdit }),
    calls: capture.requests.map((one, i) => ({ upstream: attempts[i]?.upstream ?? '', model: attempts[i]?.model ?? '', ...one })),
    ...(response && !sent && { answer: await answerOf(response, steps) }),
  }
  // let go of what waits for an answer; hooks that run on are not watched any more
  gone.abort()
  capture.fail()
  await running
  return report
}

/** Calls that a plugin makes side by side come in the same turns of the loop. */
async function settleDown(): Promise<undefined> {
  await Bun.sleep(5)
  return undefined
}

async function answerOf(response: Response, steps: readonly TracedStep[]): Promise<NonNullable<RequestReport['answer']>> {
  const by = steps.findLast((s) => s.did === 'refused' || s.did === 'replied' || s.did === 'failed-closed')?.plugin
  return { status: response.status, headers: [...response.headers], body: await response.text(), ...(by !== undefined && { by }) }
}

function split(target: string): [string, string] {
  const at = target.indexOf('?')
  return at < 0 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)]
}
