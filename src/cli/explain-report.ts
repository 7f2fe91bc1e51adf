/** What `explain --request` found, as text and as JSON. Masks credentials; the body is shown as it would be sent. */

import { maskText, maskValue, soundsSecret } from '../config/secrets.ts'
import type { PlannedCall, RequestReport } from './explain-request.ts'
import { demoStandIn } from './rehearsal.ts'
import { columns, oneLine, type Paint } from './terminal.ts'
import type { TracedStep } from './trace.ts'

const mark: Readonly<Record<string, 'good' | 'bad' | 'warn'>> = {
  refused: 'bad',
  'failed-closed': 'bad',
  'failed-open': 'warn',
  pending: 'warn',
}

/** The report as text; ends before the body. */
export function requestText(report: RequestReport, secrets: ReadonlySet<string>, paint: Paint): string {
  const { steps, idle, calls, answer, model } = report
  const mask = (text: string) => maskText(text, secrets)
  let text = `POST ${report.path}  (${report.operation}, ${report.dialect})  ${bytes(report.bytesIn)}`
  if (model) text += `, model ${JSON.stringify(model.asked)}${report.stream ? ', streaming' : ''}`
  text += '\n\n'
  const rows = steps.flatMap((step) => {
    const said = [step.did, ...(step.detail === undefined ? [] : [oneLine(step.detail)])].join(': ')
    const lines = remarks(step, secrets)
    return [[step.plugin, step.hook, said], ...lines.map((line) => ['', '', `  ${line}`])]
  })
  for (const { plugin, why } of idle) rows.push([plugin, '', why])
  const table = columns(rows, '  ').split('\n')
  text += table.map((line, i) => paintLine(line, rows[i], steps, paint)).join('\n')

  if (answer) {
    const head = answer.status >= 400 ? 'Refused' : 'Answered'
    const by = answer.by === undefined ? 'by the gateway itself' : `by ${answer.by}`
    text += `\n${paint(answer.status >= 400 ? 'bad' : 'good', `${head} ${by}`)}; nothing would be sent. The client gets ${answer.status}:\n\n`
    text += columns(
      answer.headers.map(([name, value]) => [`${name}:`, oneLine(mask(value), 300)]),
      '  ',
    )
    text += `\n${mask(answer.body)}\n`
    return text
  }
  for (const [i, call] of calls.entries()) {
    text += `\n${paint('good', i === 0 ? 'Would be sent' : 'And at the same time')} to ${call.upstream || 'the upstream'}:\n\n`
    text += `  ${call.method} ${mask(shownUrl(call.url))}\n`
    text += columns(
      shownHeaders(call, mask).map(([name, value]) => [`${name}:`, oneLine(value, 300)]),
      '  ',
    )
  }
  const first = calls[0]
  if (first) {
    const edited = report.firstEdit ?? -1
    const change = edited < 0 ? 'as it came' : `first change at byte ${edited}, the ${edited} before it as they came`
    text += `\nBody: ${bytes(first.body.length)}, ${change}:\n\n`
  }
  return text
}

function paintLine(line: string, row: readonly string[] | undefined, steps: readonly TracedStep[], paint: Paint): string {
  const did = steps.find((s) => row?.[0] === s.plugin && row[1] === s.hook && row[2]?.startsWith(s.did))?.did
  const style = did === undefined ? undefined : mark[did]
  return style ? paint(style, line) : line
}

function remarks(step: TracedStep, secrets: ReadonlySet<string>): string[] {
  const mask = (text: string) => maskText(text, secrets)
  const lines: string[] = []
  for (const [name, value] of Object.entries(step.put))
    lines.push(`${name} = ${oneLine(mask(JSON.stringify(maskValue(value, secrets)) ?? 'undefined'), 200)}`)
  if (step.target) lines.push(`target = ${step.target.upstream}, model ${JSON.stringify(step.target.model)}`)
  for (const what of step.changes) lines.push(`edit: ${oneLine(mask(what))}`)
  for (const edit of step.edits) {
    const place = edit.start === edit.end ? `at byte ${edit.start}` : `bytes ${edit.start}-${edit.end - 1}`
    lines.push(`${place}: ${oneLine(edit.before, 60) || '(nothing)'} -> ${oneLine(mask(edit.after), 60) || '(nothing)'}`)
  }
  if (step.call.length > 0) lines.push(`changes of the call: ${step.call.join(', ')}`)
  for (const note of step.notes) lines.push(`note: ${oneLine(mask(note))}`)
  return lines
}

/** The report for programs. The body is there as text. */
export function requestJson(report: RequestReport, secrets: ReadonlySet<string>): object {
  const mask = (text: string) => maskText(text, secrets)
  const { calls, ...rest } = report
  return {
    ...(maskValue(rest, secrets) as object),
    calls: calls.map((call) => ({
      upstream: call.upstream,
      model: call.model,
      method: call.method,
      url: mask(shownUrl(call.url)),
      headers: Object.fromEntries(shownHeaders(call, mask)),
      bytes: call.body.length,
      body: new TextDecoder().decode(call.body),
    })),
  }
}

function shownHeaders(call: PlannedCall, mask: (text: string) => string): [string, string][] {
  return call.headers.map(([name, value]) => [name, soundsSecret(name) ? maskCredential(value) : mask(value)])
}

/** `Bearer ***`: the scheme says which kind of credential it is. */
function maskCredential(value: string): string {
  const scheme = /^(Bearer|Basic) /i.exec(value)
  return scheme ? `${scheme[1]} ***` : '***'
}

function shownUrl(url: string): string {
  return url.startsWith(demoStandIn) ? `builtin:demo${url.slice(demoStandIn.length)}` : url
}

function bytes(n: number): string {
  return `${n} ${n === 1 ? 'byte' : 'bytes'}`
}
