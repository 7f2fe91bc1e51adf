/** `headgate serve`: starts the gateway, says what is on, reloads on change, drains on a stop signal. */

import { formatDiagnostics } from '../config/diagnostics.ts'
import { type ListenAddress, readListen } from '../config/kinds.ts'
import { serveEdge } from '../edge/serve.ts'
import { type BuildResult, Gateway } from '../runtime/gateway.ts'
import { watchConfig } from '../runtime/watch-config.ts'
import { UsageError } from './args.ts'
import { banner } from './banner.ts'
import { type Command, configPath } from './command.ts'
import { createFirstKey } from './first-key.ts'

const help = `Usage: headgate serve [options]

Starts the gateway.

  --config <file>   gateway.yaml to use (HEADGATE_CONFIG); default: the one that comes with Headgate
  --listen <addr>   host:port for clients (HEADGATE_LISTEN); port 0 picks a free one
  --admin <addr>    host:port for the operator, or off (HEADGATE_ADMIN)
  --no-watch        do not reload when the config or a plugin file changes

SIGHUP reloads. SIGTERM and SIGINT stop after open replies have finished.
`

const watchEvery = 1000

export const serve: Command = {
  name: 'serve',
  summary: 'start the gateway',
  help,
  options: ['config', 'listen', 'admin'],
  flags: ['no-watch'],
  async run(context) {
    const { args, env, err, out, composition, color } = context
    const path = configPath(context)
    const firstKey = await createFirstKey(context, path)
    const gateway = new Gateway({
      configPath: path,
      env,
      builtins: composition.builtins,
      startDemo: composition.startDemo,
      log: { json: process.stderr.isTTY !== true },
    })
    const result = await gateway.reload()
    if (!result.ok) {
      err(
        `${formatDiagnostics(result.diagnostics, { color, text: result.load.text, secrets: gateway.secrets })}\n\nThe gateway was not started.\n`,
      )
      await gateway.close(0)
      return 1
    }
    const { server } = gateway.snapshot.config
    const listen = address('listen', args.options.listen, env.HEADGATE_LISTEN) ?? server.listen
    const adminText = args.options.admin ?? env.HEADGATE_ADMIN
    const admin = adminText === 'off' ? 'off' : (address('admin', args.options.admin, env.HEADGATE_ADMIN) ?? server.admin)
    let edge: ReturnType<typeof serveEdge>
    try {
      edge = serveEdge(gateway, listen, admin === 'off' ? undefined : admin)
    } catch (error) {
      await gateway.close(0)
      err(
        `headgate serve: cannot listen on ${listen.host}:${listen.port}${admin === 'off' ? '' : ` and ${admin.host}:${admin.port}`}: ${
          error instanceof Error ? error.message : String(error)
        }\nName other addresses with --listen and --admin; port 0 picks a free one.\n`,
      )
      return 1
    }
    out(banner({ gateway, edge, configPath: path, firstKey, color }))
    const remarks = result.diagnostics
    if (remarks.length > 0) err(`${formatDiagnostics(remarks, { color, secrets: gateway.secrets })}\n`)

    const report = (r: BuildResult) => {
      if (r.ok) gateway.log.info('config reloaded', { file: path })
      else
        err(
          `${formatDiagnostics(r.diagnostics, { color, text: r.load.text, secrets: gateway.secrets })}\nThe config was not reloaded; the one before stays in force.\n`,
        )
    }
    const watch = args.flags.has('no-watch') ? undefined : watchConfig(gateway, edge.reload, path, watchEvery, report)
    process.on('SIGHUP', () => void edge.reload().then(report))
    let stopping = false
    const stop = (signal: string) => {
      if (stopping) return process.exit(1)
      stopping = true
      watch?.stop()
      gateway.log.info('stopping', { signal, open: gateway.snapshot.inflight })
      void edge.stop(gateway.snapshot.config.server.drain).then((clean) => {
        if (!clean) gateway.log.warn('replies were cut: they had not finished within the drain time')
        process.exit(0)
      })
    }
    process.on('SIGTERM', () => stop('SIGTERM'))
    process.on('SIGINT', () => stop('SIGINT'))
    return undefined
  },
}

/** An address of the command line or the environment; undefined when neither names one. */
function address(option: string, given: string | undefined, fromEnv: string | undefined): ListenAddress | undefined {
  const text = given ?? fromEnv
  if (text === undefined) return undefined
  const read = readListen(text)
  if ('value' in read) return read.value
  throw new UsageError(
    `${given === undefined ? `HEADGATE_${option.toUpperCase()}` : `--${option}`}: ${JSON.stringify(text)} ${read.wrong}; ${read.fix}`,
  )
}
