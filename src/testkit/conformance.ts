/**
 * `conformance`: what must hold for every plugin, whatever it does, tried in the whole matrix of dialects, forms and mishaps.
 *
 * {openai-chat, anthropic-messages} × {stream, whole} × {ok, upstream 500, error after the first frame, client abort, own timeout, own
 * error, reload mid-flight}. Each case runs in a gateway of its own.
 */

import { describe, test } from 'bun:test'
import { definePlugin, type Plugin } from '../plugin/define.ts'
import type { HookName } from '../plugin/hooks.ts'
import type { Call, Result } from './call.ts'
import { must, mustBeWellFormed } from './invariants.ts'
import { type Probe, probe } from './probe.ts'
import { type PluginKit, type SendOptions, type TestPluginOptions, testPlugin } from './test-plugin.ts'
import { type SentRequest, textEvents, type UpstreamScript } from './upstream-script.ts'
import { type Sabotage, type Watch, watched } from './watched.ts'

export interface ConformanceOptions extends Omit<TestPluginOptions, 'upstream' | 'on_error' | 'timeout' | 'on_disconnect'> {
  /** What every call carries, so that the plugin has something to do: credentials, a body that it acts on. */
  send?: Pick<SendOptions, 'headers' | 'ip' | 'query'> & { readonly body?: Readonly<Record<string, unknown>> }
}

export interface ConformanceCase {
  readonly name: string
  /** @throws Error saying what does not hold. */
  run(): Promise<void>
}

/** Registers the matrix with bun's test runner. */
export function conformance(plugin: Plugin, options: ConformanceOptions = {}): void {
  describe(`conformance of ${plugin.name}`, () => {
    for (const { name, run } of conformanceCases(plugin, options)) test(name, run)
  })
}

/** The matrix as a list, for other runners. */
export function conformanceCases(plugin: Plugin, options: ConformanceOptions = {}): ConformanceCase[] {
  const cases: ConformanceCase[] = []
  for (const dialect of ['openai-chat', 'anthropic-messages']) {
    for (const stream of [true, false]) {
      for (const [name, scenario] of scenarios) {
        const bench = new Bench(plugin, options, dialect, stream)
        cases.push({ name: `${dialect}, ${stream ? 'stream' : 'whole'}: ${name}`, run: () => withoutStrays(() => scenario(bench)) })
      }
    }
  }
  return cases
}

/** Hooks that may be asynchronous, and so may hang. */
const asyncHooks: readonly HookName[] = ['admit', 'request', 'around', 'attempt', 'reply', 'settle']
const downHooks: readonly HookName[] = ['admit', 'request', 'around', 'attempt']
/** Milliseconds that a hanging hook is given. */
const shortTimeout = 25

const scenarios: readonly (readonly [string, (b: Bench) => Promise<void>])[] = [
  ['ok', (b) => b.plain({})],
  ['upstream 500', (b) => b.plain({ status: 500, message: 'boom' })],
  ['error after the first frame', (b) => b.plain({ text: ['one', 'two'], breakAfter: 2 })],
  ['client abort', clientAbort],
  ['own timeout', ownTimeout],
  ['own error', ownError],
  ['reload mid-flight', reloadMidFlight],
]

/** One cell of the matrix: makes kits and calls for it, and checks what always holds. */
class Bench {
  constructor(
    private readonly plugin: Plugin,
    private readonly options: ConformanceOptions,
    readonly dialect: string,
    private readonly stream: boolean,
  ) {}

  start(kit: PluginKit): Call {
    const { send } = this.options
    return kit.start({ ...send, dialect: this.dialect, body: { stream: this.stream, ...send?.body } })
  }

  /** A call to its end, checked. */
  async call(kit: PluginKit): Promise<Result> {
    const r = await this.start(kit).result()
    mustBeWellFormed(r, this.dialect)
    return r
  }

  /** A probe that also sees the slots that the plugin provides. */
  probe(name: string): Probe {
    return probe(name, this.plugin.provides)
  }

  async plain(upstream: UpstreamScript): Promise<void> {
    await this.within({ upstream }, (kit) => this.call(kit))
  }

  /** Sets the plugin up, runs, closes, and checks that every exchange settled once and that `close` came once, at the end. */
  async within<T>(
    more: Pick<TestPluginOptions, 'upstream' | 'on_error' | 'timeout' | 'above' | 'below'> & { sabotage?: Sabotage },
    run: (kit: PluginKit, watch: Watch) => Promise<T>,
  ): Promise<T> {
    const { send: _, ...options } = this.options
    const { sabotage, ...rest } = more
    const watch = watched(this.plugin, sabotage)
    const settled = new Map<string, number>()
    const witness = definePlugin({
      api: 1,
      name: 'testkit-witness',
      summary: 'Counts settlements',
      failure: 'open',
      setup: () => ({ settle: (x) => void settled.set(x.id, (settled.get(x.id) ?? 0) + 1) }),
    })
    const kit = await testPlugin(watch.plugin, {
      ...options,
      ...rest,
      above: [witness, ...(options.above ?? []), ...(more.above ?? [])],
      below: [...(more.below ?? []), ...(options.below ?? [])],
    })
    let clean = false
    let result: T
    try {
      result = await run(kit, watch)
    } finally {
      clean = await kit.close()
    }
    must(clean, 'closing had to cut an exchange that should have been over')
    must(settled.size > 0, 'no exchange settled')
    for (const [id, times] of settled) must(times === 1, `exchange ${id} settled ${times} times`)
    const closes = watch.seen.filter((what) => what.endsWith(' close'))
    must(closes.length > 0 && new Set(closes).size === closes.length, `close must come once per instance: ${watch.seen.join(', ')}`)
    for (const close of closes) {
      const after = watch.seen.slice(watch.seen.indexOf(close) + 1)
      must(!after.includes(close.replace('close', 'settle')), `an exchange settled after close: ${watch.seen.join(', ')}`)
    }
    return result
  }
}

/** An upstream that stops after its first content until `go`; `reached` resolves when the gateway has that content. */
function pausing(go: Promise<unknown>): { script: UpstreamScript; reached: Promise<void> } {
  const reached = Promise.withResolvers<void>()
  async function* body(sent: SentRequest): AsyncGenerator<string> {
    const frames = sent.encode(textEvents('one', 'two'))
    const whole = frames[0]!
    const first = frames.findIndex((f) => f.includes('one')) + 1
    yield sent.stream ? frames.slice(0, first).join('') : whole.slice(0, 10)
    reached.resolve()
    await go
    if (sent.stream) yield* frames.slice(first)
    else yield whole.slice(10)
  }
  return { script: (sent) => ({ body: body(sent) }), reached: reached.promise }
}

async function clientAbort(b: Bench): Promise<void> {
  const { script, reached } = pausing(new Promise(() => {}))
  await b.within({ upstream: script }, async (kit) => {
    const call = b.start(kit)
    let over = false
    void call.outcome().then(() => (over = true))
    const result = call.result()
    await Promise.race([reached, result])
    if (over) return
    call.abort()
    const { end } = (await result).outcome
    must(end === 'abandoned', `the client left, and the record says ${end}`)
    for (const sent of call.sent) must(sent.signal.aborted, 'an upstream call goes on after its client has left')
  })
}

async function ownTimeout(b: Bench): Promise<void> {
  await b.within({}, async (kit, plain) => {
    await b.call(kit)
    for (const hook of plain.hooks()) if (asyncHooks.includes(hook)) await failing(b, { hook, how: 'hang' })
  })
}

async function ownError(b: Bench): Promise<void> {
  await b.within({}, async (kit, plain) => {
    await b.call(kit)
    for (const hook of plain.hooks()) await failing(b, { hook, how: 'throw' })
  })
}

/** A failing hook follows its failure mode, and leaves no trace where it is skipped. */
async function failing(b: Bench, sabotage: Sabotage): Promise<void> {
  const { hook } = sabotage
  const down = downHooks.includes(hook)
  await b.within({ sabotage, on_error: 'refuse', timeout: shortTimeout }, async (kit, watch) => {
    const r = await b.call(kit)
    if (down && watch.sabotaged() > 0) must(r.outcome.code === 'plugin_failed', `${hook} failed closed, and the exchange went on`, r)
  })
  const [before, after] = [b.probe('testkit-before'), b.probe('testkit-after')]
  await b.within(
    { sabotage, on_error: 'skip', timeout: shortTimeout, above: [before.plugin], below: [after.plugin] },
    async (kit, watch) => {
      const r = await b.call(kit)
      must(r.outcome.code !== 'plugin_failed', `${hook} failed open, and the exchange was refused`, r)
      if (watch.sabotaged() === 0) return
      const [here, there] = [before.seen.get(hook), after.seen.get(hook)]
      must(here === there, `${hook} failed open, and left a trace: on one side of it\n  ${here}\nand on the other\n  ${there}`, r)
    },
  )
}

async function reloadMidFlight(b: Bench): Promise<void> {
  const go = Promise.withResolvers<void>()
  const { script, reached } = pausing(go.promise)
  await b.within({ upstream: script }, async (kit, watch) => {
    const result = b.start(kit).result()
    await Promise.race([reached, result])
    const mistakes = await kit.reload({ fresh: true })
    must(mistakes.length === 0, `the reload failed: ${mistakes.join(', ')}`)
    go.resolve()
    mustBeWellFormed(await result, b.dialect)
    await b.call(kit)
    must(!watch.seen.includes('2 close'), 'the new instance was closed by the reload')
  })
}

/** Fails when a promise was rejected and nobody cared. */
async function withoutStrays(run: () => Promise<void>): Promise<void> {
  const strays: unknown[] = []
  const note = (reason: unknown) => void strays.push(reason)
  process.on('unhandledRejection', note)
  try {
    await run()
    await new Promise((resolve) => setTimeout(resolve, 0))
  } finally {
    process.off('unhandledRejection', note)
  }
  must(strays.length === 0, `unhandled rejection: ${strays.map(String).join(', ')}`)
}
