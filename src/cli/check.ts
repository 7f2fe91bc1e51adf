/** `headgate check`: everything that is wrong with a config, its plugins included, at once. Starts nothing. */

import { type Diagnostic, formatDiagnostics } from '../config/diagnostics.ts'
import { maskText } from '../config/secrets.ts'
import { type Command, configPath, exits } from './command.ts'
import { type Rehearsed, rehearse } from './rehearsal.ts'
import { painter } from './terminal.ts'

const help = `Usage: headgate check [options]

Says everything that is wrong with a config, with file, line and column: the file itself, each plugin's own config, the slots that
plugins need from one another, their order, and whether each can be set up. Opens no port, calls no upstream, and leaves all files as
they are: plugins are set up with copies of them and with state of their own.

  --config <file>  gateway.yaml to check (HEADGATE_CONFIG)
  --json           print { ok, diagnostics, notes } as JSON

Exit code 0 when the gateway would start (warnings and advice included), 1 when not.
`

export const check: Command = {
  name: 'check',
  summary: 'say everything that is wrong with a config',
  help,
  options: ['config'],
  flags: ['json'],
  async run(context) {
    const path = configPath(context)
    const rehearsed = await rehearse(context, path)
    try {
      if (context.args.flags.has('json')) context.out(`${JSON.stringify(asJson(rehearsed), null, 2)}\n`)
      else context.out(report(rehearsed, path, context.color))
      return rehearsed.ok ? exits.ok : exits.failed
    } finally {
      await rehearsed.close()
    }
  },
}

/** Diagnostics as they may be printed: no secrets. */
export function maskedDiagnostics({ diagnostics, gateway, load }: Rehearsed): Diagnostic[] {
  const secrets = new Set([...load.secrets, ...gateway.secrets])
  return diagnostics.map((d) => ({ ...d, message: maskText(d.message, secrets), fix: maskText(d.fix, secrets) }))
}

function asJson(rehearsed: Rehearsed): object {
  return { ok: rehearsed.ok, diagnostics: maskedDiagnostics(rehearsed), notes: rehearsed.load.notes }
}

function report(rehearsed: Rehearsed, path: string, color: boolean): string {
  const { ok, load, diagnostics, gateway } = rehearsed
  const paint = painter(color)
  const secrets = new Set([...load.secrets, ...gateway.secrets])
  let text = ''
  if (diagnostics.length > 0) text += `${formatDiagnostics(diagnostics, { color, text: load.texts, secrets })}\n\n`
  if (load.notes.length > 0) text += `Left out:\n${load.notes.map((note) => `  ${note}\n`).join('')}\n`
  const counts = (['error', 'warning', 'advice'] as const).flatMap((severity) => {
    const n = diagnostics.filter((d) => d.severity === severity).length
    if (n === 0) return []
    return severity === 'advice' ? [`${n} ${n === 1 ? 'piece' : 'pieces'} of advice`] : [`${n} ${severity}${n === 1 ? '' : 's'}`]
  })
  const tally = counts.join(', ')
  if (!load.config && load.plugins.length > 0)
    text += 'Whether the plugins can be set up, and their order, is looked at once the file itself is right.\n'
  if (!ok) return `${text}${paint('bad', `${path}: ${tally}. The gateway would not start.`)}\n`
  const plugins = gateway.snapshot.plan.instances.length
  return `${text}${paint('good', `${path}: good`)}, ${plugins} ${plugins === 1 ? 'plugin' : 'plugins'}${tally && `, ${tally}`}\n`
}
