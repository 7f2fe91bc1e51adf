/** `headgate serve`: starts the gateway, says what is on, reloads on change, drains on a stop signal. */

import { type Diagnostic, formatDiagnostics } from '../config/diagnostics.ts'
import { type ListenAddress, readListen } from '../config/kinds.ts'
import type { ServerConfig } from '../config/model.ts'
import { maskText } from '../config/secrets.ts'
import { type Edge, serveEdge } from '../edge/serve.ts'
import { type BuildResult, Gateway } from '../runtime/gateway.ts'
import { dropModules } from '../runtime/load-plugin.ts'
import { fileVersion, watchConfig } from '../runtime/watch-config.ts'
import { UsageError } from './args.ts'
import { banner } from './banner.ts'
import { type Command, type CommandContext, configPath, exits } from './command.ts'
import { createFirstKey } from './first-key.ts'
import { proxyWarning } from './proxy-warning.ts'

const help = `Usage: headgate serve [options]

Starts the gateway.

  --config <file>   gateway.yaml to use (HEADGATE_CONFIG); default: the one that comes with Headgate
  --listen <addr>   host:port for clients (HEADGATE_LISTEN); port 0 picks a free one
  --admin <addr>    host:port for the operator, or off (HEADGATE_ADMIN)
  --no-watch        do not reload when the config or a plugin file changes

SIGHUP reloads. SIGTERM and SIGINT stop after open replies have finished; a second one stops at once.
`

const watchEvery = 1000

export const serve: Command = {
  name: 'serve',
  summary: 'start the gateway',
  help,
  options: ['config', 'listen', 'admin'],
  flags: ['no-watch'],
  async run(context) {
    const { env, err, out, composition } = context
    const path = configPath(context)
    const wanted = addresses(context)
    const json = process.stderr.isTTY !== true
    const loaded = fileVersion(path)
    const firstKey = await createFirstKey(context, path)
    const gateway = new Gateway({ configPath: path, env, builtins: composition.builtins, startDemo: composition.startDemo, log: { json } })
    const started = await start(context, gateway, wanted).catch(async (error: unknown) => {
      await firstKey?.undo()
      throw error
    })
    if (!started) {
      await firstKey?.undo()
      return exits.failed
    }
    const { edge, remarks } = started
    run(context, gateway, edge, { path, loaded, json }) // before the world learns that it is up, and sends signals
    out(banner({ gateway, edge, configPath: path, firstKey, color: context.color }))
    if (remarks.length > 0) err(`${formatDiagnostics(remarks, { color: context.errColor, secrets: gateway.secrets })}\n`)
    const warning = proxyWarning(env)
    if (warning !== undefined) gateway.log.warn(warning)
    return undefined
  },
}

/** The first build and both listeners; undefined, with the reason printed, when that is not possible. */
async function start(
  context: CommandContext,
  gateway: Gateway,
  wanted: Wanted,
): Promise<{ readonly edge: Edge; readonly remarks: readonly Diagnostic[] } | undefined> {
  const { err, errColor } = context
  const result = await gateway.reload()
  if (!result.ok) {
    const text = formatDiagnostics(result.diagnostics, { color: errColor, text: result.load.texts, secrets: gateway.secrets })
    err(`${text}\n\nThe gateway was not started.\n`)
    await gateway.close(0)
    return undefined
  }
  const { server } = gateway.snapshot.config
  const listen = wanted.listen ?? server.listen
  const admin = wanted.admin ?? server.admin
  try {
    return { edge: serveEdge(gateway, listen, admin === 'off' ? undefined : admin), remarks: result.diagnostics }
  } catch (error) {
    await gateway.close(0)
    const both = `${addressText(listen)}${admin === 'off' ? '' : ` and ${addressText(admin)}`}`
    const reason = error instanceof Error ? error.message : String(error)
    err(`headgate serve: cannot listen on ${both}: ${reason}\nName other addresses with --listen and --admin; port 0 picks a free one.\n`)
    return undefined
  }
}

/** Reloads and stops as the world asks for it. */
function run(
  context: CommandContext,
  gateway: Gateway,
  edge: Edge,
  { path, loaded, json }: { readonly path: string; readonly loaded: string; readonly json: boolean },
): void {
  const listeners = listenersOf(gateway.snapshot.config.server)
  const report = (result: BuildResult) => {
    const { diagnostics, ok, load } = result
    const { secrets } = gateway
    if (ok) {
      gateway.log.info('config reloaded', { file: path })
      if (listenersOf(gateway.snapshot.config.server) !== listeners)
        gateway.log.warn('listen and admin addresses change at the next start only')
    }
    if (json) {
      const problems = diagnostics.map((d) => maskText(formatDiagnostics([d]), secrets))
      if (!ok) gateway.log.error('the config was not reloaded; the one before stays in force', { file: path, problems })
      else if (problems.length > 0) gateway.log.warn('remarks on the config', { file: path, problems })
      return
    }
    if (diagnostics.length > 0)
      context.err(`${formatDiagnostics(diagnostics, { color: context.errColor, ...(!ok && { text: load.texts }), secrets })}\n`)
    if (!ok) context.err('The config was not reloaded; the one before stays in force.\n')
  }
  const watch = context.args.flags.has('no-watch') ? undefined : watchConfig(gateway, edge.reload, path, watchEvery, report, loaded)
  process.on('SIGHUP', () => {
    if (gateway.draining) return
    for (const { file } of gateway.snapshot.live) if (file !== undefined) dropModules(file)
    edge.reload().then(report, (error: unknown) => gateway.log.error('reloading failed', { error: String(error) }))
  })
  // what a plugin does behind its hooks' backs must not end the process for everybody
  const stray = (error: unknown) => gateway.log.error('an error that nobody caught, of a plugin most likely', { error: stackOf(error) })
  process.on('unhandledRejection', stray)
  process.on('uncaughtException', stray)
  let stopping = false
  const stop = (signal: string) => {
    if (stopping) return process.exit(exits.failed)
    stopping = true
    watch?.stop()
    gateway.log.info('stopping', { signal, open: gateway.snapshot.inflight })
    void edge.stop(gateway.snapshot.config.server.drain).then((clean) => {
      if (!clean) gateway.log.warn('replies were cut: they had not finished within the drain time')
      process.exit(exits.ok)
    })
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
}

function listenersOf({ listen, admin }: Readonly<ServerConfig>): string {
  return JSON.stringify([listen, admin])
}

interface Wanted {
  readonly listen: ListenAddress | undefined
  readonly admin: ListenAddress | 'off' | undefined
}

/** The addresses of the command line or the environment. @throws UsageError */
function addresses({ args, env }: CommandContext): Wanted {
  const read = (option: 'listen' | 'admin'): ListenAddress | undefined => {
    const given = args.options[option]
    const text = given ?? fromEnv(option)
    if (text === undefined) return undefined
    const address = readListen(text)
    if ('value' in address) return address.value
    const name = given === undefined ? `HEADGATE_${option.toUpperCase()}` : `--${option}`
    throw new UsageError(`${name}: ${JSON.stringify(text)} ${address.wrong}; ${address.fix}`)
  }
  const fromEnv = (option: string) => env[`HEADGATE_${option.toUpperCase()}`] || undefined
  return { listen: read('listen'), admin: (args.options.admin ?? fromEnv('admin')) === 'off' ? 'off' : read('admin') }
}

function addressText({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
