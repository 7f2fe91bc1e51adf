/**
 * `normalize`: replies in the words of this gateway, whatever their upstream calls things: why they stopped, and which model answered; and requests without
 * what only another gateway understands.
 *
 * Replies that say it so already leave byte for byte. This file changes events; the dialects spell them.
 */

import { type Attempt, type Catalog, definePlugin, type StopReason } from 'headgate/plugin'
import { config } from './config.ts'

/** The words that OpenAI's clients know. */
const known: ReadonlySet<string> = new Set(['stop', 'length', 'tool_calls', 'content_filter'])
/** The APIs that have `finish_reason`. */
const finishing: ReadonlySet<string> = new Set(['openai-chat', 'openai-completions'])

export default definePlugin({
  api: 1,
  name: 'normalize',
  summary: "Replies in one gateway's words: why they stopped, and which model answered",
  config,
  failure: 'open',
  state: () => ({ model: undefined as string | undefined, asked: '' }),

  setup(host, { drop, finish_reason, model }) {
    const dropped = drop.map((name) => ({ pointer: `/${name}`, bytes: Buffer.from(`"${name}"`) }))
    return {
      ...((model || dropped.length > 0) && {
        request(x) {
          const { request } = x
          x.state.asked = request.model
          if (dropped.length === 0) return undefined
          const { buffer, byteOffset, length } = request.borrowed
          const body = Buffer.from(buffer, byteOffset, length)
          for (const { pointer, bytes } of dropped) if (body.includes(bytes)) request.remove(pointer)
          return undefined
        },
      }),
      ...(model && {
        reply(x, reply) {
          const { attempt } = reply
          if (reply.ok && attempt) x.state.model = idOf(host.catalog, attempt, x.state.asked)
        },
      }),
      event(x, event) {
        if (event.type === 'start' && x.state.model !== undefined && event.model !== x.state.model)
          return { ...event, model: x.state.model }
        if (event.type === 'stop' && finish_reason && finishing.has(x.dialect) && !known.has(event.raw))
          return { ...event, raw: '', reason: event.reason === 'other' ? guessed(event.raw) : event.reason }
        return undefined
      },
    }
  },
})

/** What a word means that no provider known to the dialects uses. */
function guessed(raw: string): StopReason {
  if (/filter|safety|block|prohibited|recitation|refus|moderat/i.test(raw)) return 'filter'
  if (/length|max|limit|trunc/i.test(raw)) return 'length'
  return /tool|function/i.test(raw) ? 'tool_calls' : 'end'
}

/** The id under which the catalogue has what was called: the one that was asked for, if it is that. */
function idOf(catalog: Catalog, { upstream, model }: Attempt, asked: string): string | undefined {
  const serves = (id: string) => catalog.find(id)?.targets.some((target) => target.upstream === upstream && target.model === model) === true
  if (asked !== '' && serves(asked)) return asked
  return catalog.list().find((one) => one.targets.some((target) => target.upstream === upstream && target.model === model))?.id
}
