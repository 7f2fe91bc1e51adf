/** The audit records that a config names, opened for one command beside the gateway that runs. */

import { dirname } from 'node:path'
import { formatDiagnostics } from '../config/diagnostics.ts'
import { type LoadResult, loadConfig } from '../config/load.ts'
import { checkPluginConfig } from '../config/plugin-config.ts'
import { maskText } from '../config/secrets.ts'
import { maskUrl } from '../config/store-url.ts'
import type { Logger, SqlQuery } from '../plugin/host.ts'
import { openRecordsBeside } from '../store/open-records.ts'
import { type AuditTools, type CommandContext, CommandError, configPath } from './command.ts'

export interface OpenAudit {
  readonly sql: SqlQuery
  readonly tools: AuditTools
  /** Key of the hash chains, where the config has one. */
  readonly chainKey: string | undefined
}

/**
 * Does one thing with the records of the audit plugin.
 * @throws CommandError that says why they can't be read
 */
export async function withAudit<T>(
  context: CommandContext,
  work: (opened: OpenAudit) => Promise<T>,
  path = configPath(context),
): Promise<T> {
  const load = loadConfig({ path, env: context.env })
  const { config } = load
  if (!config) throw new CommandError(`${path} is not usable\n${problemsOf(load)}`)
  const chainKey = await chainKeyOf(context, load)
  if (config.records === 'memory') throw new CommandError('the records are in the memory of the gateway: only it can read them')
  const tools = await context.composition.audit()
  const records = openRecordsBeside(config.records, { folder: dirname(path), log: silent })
  try {
    return await work({ sql: await tools.openAudit(records.scoped('audit')), tools, chainKey })
  } catch (error) {
    if (error instanceof CommandError || !(error instanceof Error) || error.name !== 'StoreUnavailable') throw error
    throw new CommandError(`the records in ${maskUrl(config.records)} can not be read: ${maskText(error.message, load.secrets)}`)
  } finally {
    await records.close()
  }
}

/** @throws CommandError when no audit plugin of the config keeps records. */
async function chainKeyOf(context: CommandContext, load: LoadResult): Promise<string | undefined> {
  const { plugins } = load
  const schema = (await context.composition.builtins.audit?.())?.default.config
  const kept = plugins.flatMap((entry) => {
    if (entry.use !== 'audit') return []
    const checked = checkPluginConfig(schema, entry.with, load.place(['plugins', entry.index, 'with']))
    const value = checked.value as { sink: string; chain_key?: string } | undefined
    return value?.sink === 'records' ? [value] : []
  })
  if (kept.length === 0) {
    throw new CommandError(
      'this config keeps no records that could be asked for. Let its audit plugin keep them: - use: audit, with: { sink: records }',
    )
  }
  return kept.find((one) => one.chain_key !== undefined)?.chain_key
}

function problemsOf(load: LoadResult): string {
  return formatDiagnostics(
    load.diagnostics.filter((d) => d.severity === 'error'),
    { secrets: load.secrets },
  )
}

/** What goes wrong is the command's to say, once. */
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }
