/** The story of one exchange as text: who, what, what each plugin did, each call upstream, money, and the times as a waterfall. Pure. */

import { oneLine, type Paint } from './terminal.ts'

type Told = Readonly<Record<string, unknown>>
interface HookTold {
  readonly plugin: string
  readonly hook: string
  readonly at: number
  readonly ms: number
  readonly calls: number
}
interface Span {
  readonly name: string
  /** Milliseconds since the exchange was received. */
  readonly from: number
  readonly to: number
  readonly remark: string
}

/** What was changed in the body, as the audit plugin tells it. */
interface Edits {
  readonly count: number
  readonly first_byte?: number
  readonly removed?: number
  readonly added?: number
  readonly spans?: readonly (readonly [at: number, bytes: number, instead: number])[]
  readonly list: readonly { readonly plugin: string; readonly what: string; readonly where: string }[]
}

/** What trimming did, as the audit plugin tells it. */
interface Trim {
  readonly arm: string
  readonly new_tokens?: number
  readonly classes?: Readonly<Record<string, number>>
}

const arms: Readonly<Record<string, string>> = { control: 'left alone to compare with (control arm)', off: 'off for this model' }

function trimOf(trim: Trim | undefined): string[] {
  if (!trim) return []
  if (!trim.classes) return [arms[trim.arm] ?? (trim.arm === 'trimmed' ? 'nothing to take out' : trim.arm)]
  const classes = Object.entries(trim.classes).map(([name, tokens]) => `${name} ${tokens}`)
  return [...classes, `tokens, ${trim.new_tokens ?? 0} of them new`]
}

const width = 44

/** @param told what the audit plugin tells of a row */
export function story(told: Told, paint: Paint, bodies?: { readonly request: string | null; readonly reply: string | null }): string {
  const lines: string[] = []
  const title = (text: string) => void lines.push('', paint('strong', text))
  const field = (name: string, ...values: unknown[]) => {
    const text = values
      .filter((v) => v !== undefined && v !== null && v !== '')
      .map((v) => oneLine(String(v), 400))
      .join('  ')
    if (text !== '') lines.push(`  ${name.padEnd(11)} ${text}`)
  }
  const good = told.end === 'finished'
  lines.push(`${paint('strong', String(told.request_id))}  ${paint(good ? 'good' : 'bad', String(told.end))}  ${told.status}  ${told.time}`)
  field('code', told.code, told.by === undefined ? '' : `by ${told.by}`)
  field('caller', told.key, same('account', told.account, told.key), label('tier', told.tier), label('user', told.user), told.ip)
  field('session', told.session, label('turn', told.turn))
  field('ids', label('trace', told.trace_id), label('reply', told.reply_id), label('thread', told.thread))
  field('endpoint', told.endpoint, told.path, told.dialect, told.stream ? `stream ${told.stream_state}` : '')
  field('model', told.model, told.model_served === told.model ? '' : label('served', told.model_served))
  field('upstream', told.upstream, told.upstream_dialect)
  if (told.interrupted_instance !== undefined)
    field('cut off', `the gateway process ${told.interrupted_instance} ended before this exchange did`)

  title('Money')
  field(
    'tokens',
    label('in', told.tokens_input),
    label('cached', told.tokens_cache_read || ''),
    label('cache write', told.tokens_cache_write || ''),
  )
  field('', label('out', told.tokens_output), label('reasoning', told.tokens_reasoning || ''), `(${told.usage_source})`)
  field(
    'cost',
    told.cost_usd === undefined ? 'none: no provider is called' : `${told.cost_usd} USD`,
    label('at least', told.cost_at_least_usd),
  )
  field('missing', ...list<string>(told.cost_missing))
  field('price', told.price === undefined ? '' : `${JSON.stringify(told.price)} USD per million tokens`)
  field('cache', told.cache_status, told.cache_attribution === undefined ? '' : `thanks to ${told.cache_attribution}`)
  const gross = told.cache_savings_gross_usd === undefined ? '' : `(${told.cache_savings_gross_usd} by reading alone)`
  field('saved', told.cache_savings_usd === undefined ? '' : `${told.cache_savings_usd} USD by the provider's cache`, gross)
  if (told.trimmed_tokens !== undefined || told.trim_savings_usd !== undefined) {
    field('', `${told.trim_savings_usd ?? 'unknown'} USD by trimming`, `${told.trimmed_tokens ?? 0} tokens`)
  }
  if (told.response_savings_usd !== undefined) field('', `${told.response_savings_usd} USD by the answer of another exchange`)
  field('trim', ...trimOf(told.trim as Trim | undefined))

  const verdicts = list<{ plugin: string; hook?: string; did: string; detail?: string }>(told.verdicts)
  const quiet = new Set(list<HookTold>(told.hooks).map((h) => h.plugin))
  for (const v of verdicts) quiet.delete(v.plugin)
  if (verdicts.length > 0 || quiet.size > 0) {
    title('Plugins')
    for (const v of verdicts) field(oneLine(v.plugin, 40), v.hook, v.did, v.detail)
    for (const plugin of quiet) field(oneLine(plugin, 40), 'let it pass')
  }
  const edits = told.edits as Edits | undefined
  const dropped = list<string>(told.dropped)
  if (edits || dropped.length > 0) {
    title('Changes of the body')
    if (edits) {
      const where =
        edits.first_byte === undefined ? 'nothing but the name of the model' : `from byte ${edits.first_byte} of ${told.bytes_in ?? '?'} on`
      field('edits', edits.count, where)
      if (edits.removed !== undefined) field('bytes', `${edits.removed} taken out, ${edits.added} put in`)
      for (const [at, bytes, instead] of edits.spans ?? []) field('', `at byte ${at}: ${bytes} became ${instead}`)
      for (const e of edits.list) field('', e.plugin, e.what, e.where)
    }
    if (dropped.length > 0) field('dropped', ...dropped)
  }

  title('Times')
  for (const line of waterfall(spansOf(told))) lines.push(`  ${line}`)
  field('bytes', label('in', told.bytes_in), label('out', told.bytes_out))
  field('record', told.record, told.hash)
  if (bodies) {
    for (const name of ['request', 'reply'] as const) {
      if (bodies[name] === null) continue
      title(name === 'request' ? 'Request' : 'Reply')
      lines.push(...bodies[name].split('\n').map((line) => `  ${oneLine(line, 20_000)}`))
    }
  }
  return `${lines.join('\n')}\n`
}

function label(name: string, value: unknown): string {
  return value === undefined || value === null || value === '' ? '' : `${name} ${value}`
}

function same(name: string, value: unknown, other: unknown): string {
  return value === other ? '' : label(name, value)
}

function list<T>(value: unknown): readonly T[] {
  return Array.isArray(value) ? (value as T[]) : []
}

/** What took time, in the order in which it began. */
function spansOf(told: Told): Span[] {
  const t = (told.timings ?? {}) as Readonly<Record<string, number | undefined>>
  const end = t.end ?? 0
  const spans: Span[] = []
  const add = (name: string, from: number | undefined, to: number | undefined, remark = '') => {
    if (from !== undefined && to !== undefined) spans.push({ name, from, to, remark })
  }
  add('admission', 0, t.admitted)
  add('body read', t.admitted ?? 0, t.body)
  for (const a of list<Readonly<Record<string, number | string | undefined>>>(told.attempts)) {
    const from = a.at as number | undefined
    const first = a.first_content === undefined ? '' : `first content at ${a.first_content}`
    const to = from === undefined ? undefined : a.ms === undefined ? end : from + (a.ms as number)
    add(
      oneLine(`${a.upstream} ${a.model ?? ''}`.trim(), 30),
      from,
      to,
      [a.status, a.failure, first, a.cost_usd && `${a.cost_usd} USD`].filter(Boolean).join(', '),
    )
  }
  for (const h of list<HookTold>(told.hooks)) {
    add(oneLine(`${h.plugin} ${h.hook}`, 30), h.at, h.at + h.ms, h.calls > 1 ? `${h.calls} times` : '')
  }
  add('first content', t.first_content, t.first_content)
  add('delivery', t.head, end)
  return spans.sort((a, b) => a.from - b.from)
}

/** One line per span: its name, a bar on the common scale, its time. */
export function waterfall(spans: readonly Span[]): string[] {
  const total = Math.max(1, ...spans.map((s) => s.to))
  const names = Math.max(10, ...spans.map((s) => s.name.length))
  return spans.map(({ name, from, to, remark }) => {
    const left = Math.min(width - 1, Math.floor((from / total) * width))
    const bar = Math.max(1, Math.round(((to - from) / total) * width))
    const line = `${' '.repeat(left)}${(to === from ? '▏' : '█'.repeat(Math.min(bar, width - left))).padEnd(width - left)}`
    return `${name.padEnd(names)} ${line} ${from === to ? `at ${from}` : `${Math.round((to - from) * 10) / 10}`} ms${remark === '' ? '' : `  ${remark}`}`
  })
}
