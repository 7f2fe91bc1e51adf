/**
 * What will run: the plugin list of a built gateway as data, and as text for people.
 *
 * Reads the plan that exchanges run by, so that what it says is what happens. Runs nothing.
 */

import type { LoadResult } from '../config/load.ts'
import type { Plan } from '../pipeline/plan.ts'
import { exchangeHooks, type HookName } from '../plugin/hooks.ts'
import type { LiveInstance } from '../runtime/instances.ts'
import { columns, type Paint } from './terminal.ts'

/** One plugin of the list. */
export interface PlannedPlugin {
  readonly id: string
  readonly use: string
  readonly summary: string
  /** Line in the config file. */
  readonly line: number
  /** In the order of a request's way. */
  readonly hooks: readonly HookName[]
  readonly needs: readonly string[]
  readonly wants: readonly string[]
  readonly provides: readonly string[]
  /** Names of the dialects that it brings. */
  readonly dialects?: readonly string[]
  /** Characters of text that it holds back. */
  readonly holds?: number
  readonly on_error: { readonly mode: 'skip' | 'refuse'; readonly from: 'config' | 'plugin' }
  /** Milliseconds for one asynchronous hook call; 0 = no limit. */
  readonly timeout: { readonly ms: number; readonly from: 'config' | 'default' }
  /** Its `when` as text; absent = always. */
  readonly when?: string
  /** The condition needs the body, so `admit` runs once the body is read. */
  readonly asked_after_body?: true
  readonly routes?: readonly string[]
}

/** Ids in the order in which a pass asks them. */
export interface Passes {
  readonly admit: readonly string[]
  readonly request: readonly string[]
  readonly around: readonly string[]
  readonly attempt: readonly string[]
  readonly event: readonly string[]
  readonly reply: readonly string[]
  readonly settle: readonly string[]
}

export interface PlanReport {
  readonly config: string
  readonly plugins: readonly PlannedPlugin[]
  readonly passes: Passes
  readonly notes: readonly string[]
}

/** Everything that `explain` says of a plan. */
export function planReport(config: string, load: LoadResult, plan: Plan, live: readonly LiveInstance[]): PlanReport {
  const ids = (list: readonly { readonly instance: { readonly id: string } }[]) => list.map((step) => step.instance.id)
  return {
    config,
    plugins: plan.instances.map((instance) => {
      const entry = load.plugins.find((p) => p.id === instance.id)!
      const { plugin, hooks, condition } = instance
      const host = live.find((l) => l.id === instance.id)?.host
      const routes = [
        ...(host?.routes ?? []).map((r) => `${r.method} ${r.path}${r.open ? ' (no key needed)' : ''}`),
        ...(host?.adminRoutes ?? []).map((r) => `${r.method} ${r.path} (admin)`),
      ]
      const late = condition?.needsBody === true && hooks.admit !== undefined
      return {
        id: instance.id,
        use: entry.use,
        summary: plugin.summary,
        line: load.locate(['plugins', entry.index]).line,
        hooks: exchangeHooks.filter((name) => hooks[name] !== undefined),
        needs: plugin.needs.map((s) => s.name),
        wants: plugin.wants.map((s) => s.name),
        provides: plugin.provides.map((s) => s.name),
        ...(plugin.dialects?.length && { dialects: plugin.dialects.map((d) => d.name) }),
        ...(hooks.inspect && { holds: hooks.inspect.hold }),
        on_error: { mode: instance.failure === 'open' ? 'skip' : 'refuse', from: entry.on_error === undefined ? 'plugin' : 'config' },
        timeout: { ms: instance.timeout, from: entry.timeout === undefined ? 'default' : 'config' },
        ...(condition && { when: condition.text }),
        ...(late && { asked_after_body: true as const }),
        ...(routes.length > 0 && { routes }),
      }
    }),
    passes: {
      admit: ids(plan.admit),
      request: plan.request.map((s) => (s.hook === 'admit' ? `${s.instance.id} (admit)` : s.instance.id)),
      around: plan.around.map((i) => i.id),
      attempt: ids(plan.attempt),
      event: plan.events.map((i) => i.id),
      reply: ids(plan.reply),
      settle: ids(plan.settle),
    },
    notes: load.notes,
  }
}

/** The report as text. */
export function planText(report: PlanReport, paint: Paint): string {
  const { plugins, passes } = report
  let text = `${paint('strong', report.config)}: ${plugins.length} ${plugins.length === 1 ? 'plugin' : 'plugins'}, top = nearest the client\n\n`
  const head = ['#', 'id', 'use', 'line', 'on error', 'timeout', 'hooks']
  const rows = plugins.map((p, i) => [
    String(i + 1),
    p.id,
    p.use === p.id ? '' : p.use,
    String(p.line),
    `${p.on_error.mode}${p.on_error.from === 'config' ? ' (yours)' : ''}`,
    `${p.timeout.ms === 0 ? 'none' : `${p.timeout.ms} ms`}${p.timeout.from === 'config' ? ' (yours)' : ''}`,
    p.hooks.join(' ') || '(none)',
  ])
  const table = columns([head, ...rows], '  ').split('\n')
  text += `${paint('faint', table[0]!)}\n${table.slice(1).join('\n')}`

  const details = plugins.flatMap((p) => {
    const lines: string[] = []
    if (p.when !== undefined) lines.push(`only when ${p.when}${p.asked_after_body ? ' (so admit runs once the body is read)' : ''}`)
    if (p.needs.length > 0) lines.push(`needs ${p.needs.join(', ')}`)
    if (p.wants.length > 0) lines.push(`uses ${p.wants.map((name) => `${name}${emptySlot(plugins, p, name)}`).join(', ')}`)
    if (p.provides.length > 0) lines.push(`provides ${p.provides.join(', ')}`)
    if (p.dialects) lines.push(`brings the dialect${p.dialects.length > 1 ? 's' : ''} ${p.dialects.join(', ')}`)
    if (p.holds !== undefined) lines.push(`holds back ${p.holds} characters of each stream`)
    if (p.hooks.includes('resume')) lines.push('may go on with streams that broke off')
    if (p.routes) lines.push(`answers ${p.routes.join(', ')}`)
    return [`  ${paint('strong', p.id)}: ${p.summary}\n`, ...lines.map((line) => `      ${line}\n`)]
  })
  text += `\n${details.join('')}`

  const pass = (name: string, arrow: string, ids: readonly string[], sign: string): string[] => [
    name,
    arrow,
    ids.length === 0 ? '(nobody)' : ids.join(` ${sign} `),
  ]
  text += `\nA request goes down, its reply comes up, the outcome is settled once:\n\n${columns(
    [
      pass('admit', '↓', passes.admit, '>'),
      ['body', '↓', 'read and checked'],
      pass('request', '↓', passes.request, '>'),
      pass('around', '↓', passes.around, '>'),
      pass('attempt', '↓', passes.attempt, '>'),
      ['upstream', '·', 'the call'],
      pass('reply', '↑', passes.reply, '>'),
      pass('event', '↑', passes.event, '>'),
      pass('settle', '↑', passes.settle, '>'),
    ],
    '  ',
  )}`
  if (report.notes.length > 0) text += `\nLeft out:\n${report.notes.map((note) => `  ${note}\n`).join('')}`
  return text
}

/** A remark on a wanted slot that will be empty. What acts on the way up only sees what those below have put. */
function emptySlot(plugins: readonly PlannedPlugin[], one: PlannedPlugin, slot: string): string {
  const down = one.hooks.some((hook) => hook === 'admit' || hook === 'request' || hook === 'around' || hook === 'attempt')
  const reached = down ? plugins.slice(0, plugins.indexOf(one)) : plugins
  if (reached.some((p) => p.provides.includes(slot))) return ''
  return down ? ' (nobody above provides it)' : ' (nobody provides it)'
}
