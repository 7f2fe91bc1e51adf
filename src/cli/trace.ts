/**
 * Watches each hook of an exchange on its way down: what it returned, edited, put, noted and changed on the call.
 *
 * Wraps the hooks of a plan's instances and leaves out `settle`, so that what runs is the real pipeline with the real fence, and what a
 * rehearsal did is never billed or written down. Sees nothing of replies.
 */

import type { Edit } from '../json/document.ts'
import type { ExchangeCore } from '../pipeline/core.ts'
import { isThenable } from '../pipeline/fence.ts'
import { compilePlan, type ErasedHooks, type Instance, type Plan } from '../pipeline/plan.ts'
import type { PluginView } from '../pipeline/view.ts'
import type { UpstreamCall } from '../plugin/hooks.ts'
import type { Target } from '../plugin/host.ts'

/** A replaced stretch of the client's body. */
export interface TracedEdit {
  /** Byte offsets in the body as received; `end` exclusive. */
  readonly start: number
  readonly end: number
  readonly before: string
  readonly after: string
}

/** One hook call. */
export interface TracedStep {
  readonly plugin: string
  readonly hook: 'admit' | 'request' | 'around' | 'attempt'
  /** `passed`, `called next`, `refused`, `replied`, `failed-open`, `failed-closed`, or `pending` when it never came back. */
  did: string
  /** Code of a refusal, or what a failed hook threw. */
  detail?: string
  notes: string[]
  /** What it changed, in its own words: `set /temperature`. */
  changes: string[]
  edits: TracedEdit[]
  /** Slots that it filled. */
  put: Record<string, unknown>
  target?: Target
  /** What an `attempt` hook changed of the call: `header x-org`, `url`, `body`. */
  call: string[]
}

export interface Trace {
  readonly plan: Plan
  readonly steps: readonly TracedStep[]
  /** The exchange, once a hook has run. */
  readonly core: ExchangeCore | undefined
  /** Fills in what only the fence knew: refusals, failures, timeouts. To be called once, after the run. */
  finish(): void
}

/** The plan with every hook watched. */
export function tracedPlan(plan: Plan): Trace {
  const steps: TracedStep[] = []
  let core: ExchangeCore | undefined

  const begin = (x: PluginView, hook: TracedStep['hook'], call?: UpstreamCall) => {
    core = x.core
    const step: TracedStep = { plugin: x.instance.id, hook, did: 'pending', notes: [], changes: [], edits: [], put: {}, call: [] }
    steps.push(step)
    const before = stateOf(x, call)
    return (did: string) => {
      if (step.did !== 'pending') return
      step.did = did
      describe(step, x, before, stateOf(x, call))
    }
  }
  const watched = (x: PluginView, hook: TracedStep['hook'], run: () => unknown, call?: UpstreamCall): unknown => {
    const end = begin(x, hook, call)
    const result = run() // what it throws is the fence's
    if (!isThenable(result)) {
      end('passed')
      return result
    }
    return result.then((value) => {
      end('passed')
      return value
    })
  }

  const wrap = (instance: Instance): Instance => {
    const own = instance.hooks
    const hooks: ErasedHooks = {}
    if (own.admit) hooks.admit = (x) => watched(x, 'admit', () => own.admit!(x))
    if (own.request) hooks.request = (x) => watched(x, 'request', () => own.request!(x))
    if (own.attempt) hooks.attempt = (x, call) => watched(x, 'attempt', () => own.attempt!(x, call), call)
    if (own.wraps) hooks.wraps = (x) => own.wraps!(x)
    if (own.around)
      hooks.around = async (x, next) => {
        const end = begin(x, 'around')
        const result = await own.around!(x, (options) => {
          end('called next')
          return next(options)
        })
        end('passed')
        return result
      }
    return { ...instance, hooks }
  }
  const traced = compilePlan(plan.instances.map(wrap))
  return {
    plan: traced,
    steps,
    get core() {
      return core
    },
    finish() {
      for (const verdict of core?.verdicts ?? []) {
        const step = steps.findLast((s) => s.plugin === verdict.plugin && s.hook === verdict.hook)
        if (!step || verdict.did === 'noted') continue
        step.did = verdict.did
        if (verdict.detail !== undefined) step.detail = verdict.detail
        // the fence has undone what it did
        if (verdict.did.startsWith('failed')) Object.assign(step, { changes: [], edits: [], put: {}, call: [] })
        if (verdict.did.startsWith('failed')) delete step.target
      }
    },
  }
}

interface State {
  readonly notes: number
  readonly verdicts: number
  readonly edits: readonly Edit[]
  readonly slots: readonly unknown[]
  readonly target: Target | undefined
  readonly url: string | undefined
  readonly body: Uint8Array | undefined
  readonly headers: ReadonlyMap<string, string>
}

function stateOf({ core }: PluginView, call: UpstreamCall | undefined): State {
  return {
    notes: core.body?.notes.length ?? 0,
    verdicts: core.verdicts.length,
    edits: core.body?.document.edits() ?? [],
    slots: [...core.slots],
    target: core.target,
    url: call?.url,
    body: call?.body,
    headers: new Map(call ? [...call.headers] : []),
  }
}

function describe(step: TracedStep, x: PluginView, before: State, after: State): void {
  const { core, instance } = x
  step.notes = core.verdicts
    .slice(before.verdicts)
    .flatMap((v) => (v.plugin === instance.id && v.did === 'noted' && v.detail !== undefined ? [v.detail] : []))
  step.changes =
    core.body?.notes.slice(before.notes).map((note) => (note.what === 'model' ? `model = ${note.where}` : `${note.what} ${note.where}`)) ??
    []
  const { body } = core
  const known = new Set(before.edits.map((e) => `${e.start} ${e.end} ${e.text}`))
  if (body)
    step.edits = after.edits
      .filter((e) => !known.has(`${e.start} ${e.end} ${e.text}`))
      .map((e) => ({ start: e.start, end: e.end, before: decoder.decode(body.bytes.subarray(e.start, e.end)), after: e.text }))
  for (const slot of instance.plugin.provides) {
    const value = after.slots[slot.index]
    if (value !== before.slots[slot.index]) step.put[slot.name] = value
  }
  if (after.target !== before.target && after.target) step.target = after.target
  if (after.url !== before.url) step.call.push('url')
  if (after.body !== before.body) step.call.push('body')
  for (const name of new Set([...before.headers.keys(), ...after.headers.keys()])) {
    if (before.headers.get(name) !== after.headers.get(name)) step.call.push(`header ${name}`)
  }
}

const decoder = new TextDecoder()
