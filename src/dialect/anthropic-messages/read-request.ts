/**
 * A Messages request as a neutral conversation: its members, each mapped, or named as an extra (PROTOCOL §1.4).
 *
 * Members that are not known are hints: Claude Code sends new ones with each version, and a refusal would make every answer cost two requests. What
 * changes the answer is refused, and a thread is refused in the words that make the SDK go on without it.
 */

import type { Json } from '../../plugin/request.ts'
import type { CacheMark, Content, Conversation, Extra, OutputFormat, Params, ReasoningRequest, Turn } from '../conversation.ts'
import type { JsonSource } from '../json-source.ts'
import type { LossReport } from '../loss.ts'
import { type JsonObject, listOf, objectOf, wordOf } from '../shape.ts'
import { type ContentReader, cacheOf, contentReader, dialectName } from './read-content.ts'
import { readTools } from './read-tools.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Members that are read here or elsewhere, or that only say how the wire is used. */
const members = new Set([
  'model',
  'messages',
  'system',
  'tools',
  'tool_choice',
  'stream',
  'max_tokens',
  'stop_sequences',
  'temperature',
  'top_p',
  'top_k',
  'thinking',
  'output_config',
  'output_format',
  'metadata',
  'service_tier',
  'cache_control',
  'anthropic_version',
  'mcp_servers',
  'container',
  'thread',
  'inference_geo',
])

/** Reads a Messages request. Never throws on odd shapes. */
export function readMessagesRequest(source: JsonSource, report: LossReport): Conversation {
  const { json } = source
  const extras: Extra[] = []
  const content = contentReader(source, extras)
  const tools = readTools(source, extras)
  const turns = readTurns(json, content, report)
  const { params, names } = readParams(source, extras)
  if (tools.parallelCalls !== undefined) names.parallelCalls = 'tool_choice.disable_parallel_tool_use'
  if (tools.toolChoice) names.toolChoice = 'tool_choice'
  readExtras(json, extras)
  const mark = cacheOf(json).cache
  return {
    source: dialectName,
    stream: json.stream === true,
    turns: mark ? markLast(turns, mark) : turns,
    ...tools,
    params,
    names,
    extras,
  }
}

function readTurns(json: JsonObject, content: ContentReader, report: LossReport): Turn[] {
  const turns: Turn[] = []
  const system = content.read(json.system, ['system'], 'system')
  if (system.length > 0) turns.push({ role: 'system', content: system })
  for (const [m, value] of listOf(json.messages).entries()) {
    const message = objectOf(value)
    const role = message?.role
    if (role === 'user' || role === 'assistant' || role === 'system' || role === 'developer') {
      const read = content.read(message?.content, ['messages', m, 'content'], role === 'developer' ? 'system' : role)
      turns.push({ role, content: read })
    } else report.refuse(`messages[${m}].role`, `"messages[${m}].role" must be "user", "assistant" or "system".`)
  }
  return turns
}

/** F05: a mark on the request stands for one on its last block. */
function markLast(turns: readonly Turn[], mark: CacheMark): Turn[] {
  const marked = [...turns]
  for (let t = marked.length - 1; t >= 0; t--) {
    const turn = marked[t]!
    const at = turn.content.findLastIndex(
      (content) => content.type !== 'reasoning' && !(content.type === 'text' && content.text.trim() === ''),
    )
    if (at === -1) continue
    const last = turn.content[at]!
    if (last.type === 'reasoning' || last.cache) return marked
    const content: Content[] = [...turn.content]
    content[at] = { ...last, cache: mark }
    marked[t] = { ...turn, content }
    return marked
  }
  return marked
}

type Names = { -readonly [K in keyof Conversation['names']]: string }

function readParams(source: JsonSource, extras: Extra[]): { params: Params; names: Names } {
  const { json } = source
  const params: Mutable<Params> = {}
  const names: Names = {}
  const number = (key: 'maxOutput' | 'temperature' | 'topP' | 'topK', name: string): void => {
    const value = json[name]
    if (typeof value !== 'number') return
    params[key] = value
    names[key] = name
  }
  number('maxOutput', 'max_tokens')
  number('temperature', 'temperature')
  number('topP', 'top_p')
  number('topK', 'top_k')
  const stop = listOf(json.stop_sequences).filter((word): word is string => typeof word === 'string')
  if (stop.length > 0) {
    params.stop = stop
    names.stop = 'stop_sequences'
  }
  const tier = wordOf(json.service_tier)
  if (tier !== undefined) {
    params.serviceTier = tier
    names.serviceTier = 'service_tier'
  }
  const metadata = objectOf(json.metadata)
  const user = wordOf(metadata?.user_id)
  if (user !== undefined) {
    params.user = user
    names.user = 'metadata.user_id'
  }
  for (const name in metadata) if (name !== 'user_id') extras.push({ field: `metadata.${name}`, weight: 'hint' })
  const config = objectOf(json.output_config)
  for (const name in config) {
    if (name !== 'effort' && name !== 'format' && config[name] !== null) extras.push({ field: `output_config.${name}`, weight: 'hint' })
  }
  const reasoning = readReasoning(objectOf(json.thinking), wordOf(config?.effort))
  if (reasoning) {
    params.reasoning = reasoning
    names.reasoning = objectOf(json.thinking) ? 'thinking' : 'output_config.effort'
  }
  const inConfig = config?.format !== undefined && config.format !== null
  const format = readFormat(
    source,
    inConfig ? ['output_config', 'format'] : ['output_format'],
    inConfig ? config.format : json.output_format,
  )
  if (format) {
    params.format = format
    names.format = inConfig ? 'output_config.format' : 'output_format'
  } else if (inConfig) extras.push({ field: 'output_config.format', weight: 'meaning' })
  return { params, names }
}

function readReasoning(thinking: JsonObject | undefined, effort: string | undefined): ReasoningRequest | undefined {
  const strength = effort === undefined ? {} : { effort }
  const display = wordOf(thinking?.display)
  const visible = display === undefined ? {} : { visible: display === 'omitted' ? 'omitted' : 'auto' }
  switch (thinking?.type) {
    case 'enabled': {
      const budget = typeof thinking.budget_tokens === 'number' ? { budget: thinking.budget_tokens } : { adaptive: true }
      // a model that is asked for a budget shows what it thinks unless told otherwise
      return { ...budget, ...strength, visible: 'auto', ...visible }
    }
    case 'adaptive':
      return { adaptive: true, ...strength, ...visible }
    case 'disabled':
      return { off: true, ...strength }
    default:
      return effort === undefined ? undefined : strength
  }
}

function readFormat(source: JsonSource, path: readonly string[], value: Json | undefined): OutputFormat | undefined {
  const format = objectOf(value)
  if (format?.type !== 'json_schema') return undefined
  const name = wordOf(format.name)
  const schema = objectOf(format.schema) ? source.raw(...path, 'schema') : undefined
  return { type: 'json_schema', strict: true, ...(name !== undefined && { name }), ...(schema !== undefined && { schema }) }
}

/** What the SDK's error class reads of a refused thread (`error.details`). */
const threadDetails = { error_code: 'thread_unsupported_request', unsupported: ['model'] }

function readExtras(json: JsonObject, extras: Extra[]): void {
  const add = (field: string, weight: Extra['weight'], message?: string): void => {
    extras.push({ field, weight, ...(message !== undefined && { message }) })
  }
  if (json.thread !== undefined && json.thread !== null) {
    const message = 'The model that was asked for keeps no message threads: send the full conversation without "thread".'
    extras.push({ field: 'thread', weight: 'unsupported', message, details: threadDetails })
  }
  if (listOf(json.mcp_servers).length > 0)
    add('mcp_servers', 'hosted', "MCP servers are called by Anthropic; the model that was asked for can't.")
  if (json.container !== undefined && json.container !== null) add('container', typeof json.container === 'string' ? 'hosted' : 'meaning')
  const place = wordOf(json.inference_geo)
  if (place !== undefined && place !== 'global')
    add('inference_geo', 'meaning', "Where the model runs can't be chosen for the model that was asked for.")
  for (const name in json) {
    const value = json[name]
    if (!members.has(name) && value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0)) add(name, 'hint')
  }
}
