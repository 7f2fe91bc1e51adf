/** `headgate explain`: what will run, and with `--request` what one request would become. Calls no upstream. */

import { readFileSync } from 'node:fs'
import { formatDiagnostics, hasErrors } from '../config/diagnostics.ts'
import { UsageError } from './args.ts'
import { captureTransport } from './capture.ts'
import { type Command, type CommandContext, CommandError, configPath, exits } from './command.ts'
import { planReport, planText } from './explain-plan.ts'
import { requestJson, requestText } from './explain-report.ts'
import { explainRequest } from './explain-request.ts'
import { type Rehearsed, rehearse } from './rehearsal.ts'
import { painter } from './terminal.ts'

const help = `Usage: headgate explain [options]
       headgate explain --request <file> [options]

Prints what will run: each plugin with its hooks, slots, failure mode, timeout and condition, and the order of each pass.

With --request it runs one request down the real pipeline and stops where the upstream begins. It prints what each plugin said and
changed, where the request would go, its headers (credentials masked), and the exact bytes of its body.

  --config <file>          gateway.yaml to use (HEADGATE_CONFIG)
  --json                   print JSON

  --request <file>         body of the request; - reads standard input
  --path <path>            endpoint, default: the first one of the config, as a rule /v1/chat/completions
  --header 'name: value'   a request header; may be repeated
  --key <key>              an API key, sent as a bearer token
  --as <key id>            run as the holder of a key, without knowing the key: headgate keys list
  --body-only              print nothing but the bytes that would be sent

Nothing is sent, settled or written: plugins are set up with copies of their files, with state of their own (so limits are fresh), and
their settle hooks do not run. A plugin that calls other services by itself does call them.

Exit code 0 when the request would be sent or answered, 3 when it would be refused, 1 when the config is not right.
`

export const explain: Command = {
  name: 'explain',
  summary: 'print what will run, or what one request would become',
  help,
  options: ['config', 'request', 'path', 'header', 'key', 'as'],
  repeatable: ['header'],
  flags: ['json', 'body-only'],
  async run(context) {
    const { args } = context
    const { request: file, path: endpoint, key, as } = args.options
    const alone = ['path', 'header', 'key', 'as', 'body-only'].find((name) => name in args.options || args.flags.has(name))
    if (file === undefined && alone !== undefined) throw new UsageError(`--${alone} goes with --request <file>`)
    if (key !== undefined && as !== undefined) throw new UsageError('--key and --as exclude each other')
    if (args.flags.has('json') && args.flags.has('body-only')) throw new UsageError('--json and --body-only exclude each other')
    const headers = (args.lists.header ?? []).map(headerOf)
    if (endpoint !== undefined && !endpoint.startsWith('/')) throw new UsageError('--path begins with /, for example /v1/chat/completions')
    const body = file === undefined ? undefined : await readBody(file)

    const path = configPath(context)
    const capture = captureTransport()
    const rehearsed = await rehearse(context, path, { transport: capture.transport, ...(as !== undefined && { as }) })
    try {
      if (!rehearsed.ok) return brokenConfig(context, rehearsed)
      if (body === undefined) return printPlan(context, rehearsed, path)
      const { key: standIn } = rehearsed
      const credential = key ?? standIn
      if (credential !== undefined) headers.push(['authorization', `Bearer ${credential}`])
      const report = await explainRequest(rehearsed, capture, { body, path: endpoint, headers })
      const secrets = new Set([...rehearsed.gateway.secrets, ...(credential === undefined ? [] : [credential])])
      if (args.flags.has('json')) context.out(`${JSON.stringify(requestJson(report, secrets), null, 2)}\n`)
      else if (args.flags.has('body-only') && report.outcome === 'sent') context.out(report.calls[0]!.body)
      else {
        // without a body to print, the report is not what --body-only asked for
        const out = args.flags.has('body-only') ? context.err : context.out
        out(requestText(report, secrets, painter(context.color)))
        const first = report.calls[0]
        if (first) {
          context.out(first.body)
          context.out('\n')
        } else if (report.answer?.status === 401 && credential === undefined) {
          out('To get past it, pass a key with --key, or run as the holder of one with --as <key id> (headgate keys list).\n')
        }
      }
      return report.outcome === 'refused' ? exits.refused : exits.ok
    } finally {
      await rehearsed.close()
    }
  },
}

function brokenConfig(context: CommandContext, { diagnostics, load, gateway }: Rehearsed): number {
  const errors = diagnostics.filter((d) => hasErrors([d]))
  const secrets = new Set([...load.secrets, ...gateway.secrets])
  context.err(
    `${formatDiagnostics(errors, { color: context.errColor, text: load.texts, secrets })}\n\nThere is nothing to explain before that is right.\n`,
  )
  return exits.failed
}

function printPlan(context: CommandContext, rehearsed: Rehearsed, path: string): number {
  const { plan, live } = rehearsed.gateway.snapshot
  const report = planReport(path, rehearsed.load, plan, live)
  if (context.args.flags.has('json')) context.out(`${JSON.stringify(report, null, 2)}\n`)
  else context.out(planText(report, painter(context.color)))
  return exits.ok
}

function headerOf(text: string): [string, string] {
  const at = text.indexOf(':')
  const name = text.slice(0, at).trim()
  const value = text.slice(at + 1).trim()
  if (at < 0 || !/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw new UsageError(`--header ${JSON.stringify(text)} is not "name: value"`)
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) throw new UsageError(`--header ${name}: its value can't stand in a header`)
  return [name, value]
}

async function readBody(file: string): Promise<Uint8Array> {
  if (file === '-') return await Bun.stdin.bytes()
  try {
    return readFileSync(file)
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    throw new CommandError(
      `${file} ${missing ? 'does not exist' : `cannot be read: ${error instanceof Error ? error.message : String(error)}`}`,
    )
  }
}
