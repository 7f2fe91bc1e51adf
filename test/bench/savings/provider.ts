/**
 * A provider that speaks Messages over HTTP and bills as one with a prompt cache does: a real server, whose clock is the replay's.
 *
 * It keeps no bodies. What it billed is in the usage of its reply, and beside it, for whoever measures, the tokens of every block.
 */

import { type Block, type CacheUse, PrefixCache } from './prefix-cache.ts'
import { tokensOf } from './tokens.ts'

/** One call as it was billed. */
export interface Billed {
  readonly use: CacheUse
  readonly blocks: readonly Block[]
  readonly bodyHash: bigint
  /** Results in order as they arrived, and which block each is; text is absent where it is no string. */
  readonly results: readonly { readonly text?: string; readonly block: number }[]
}

export interface SimulatedProvider {
  readonly url: string
  stop(): Promise<void>
}

interface WireBlock {
  readonly type: string
  readonly cache_control?: { readonly ttl?: string } | null
  readonly [key: string]: unknown
}

const perBlock = 4
const perPicture = 1500

/**
 * @param now milliseconds of the replay
 * @param bill is told of every call
 * @param minimum tokens below which the model caches nothing
 */
export function simulateProvider(now: () => number, bill: (billed: Billed) => void, minimum = 1024): SimulatedProvider {
  const cache = new PrefixCache(minimum)
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const text = await request.text()
      const body = JSON.parse(text) as {
        system?: string | WireBlock[]
        messages: { role: string; content: string | WireBlock[] }[]
        tools?: WireBlock[]
      }
      const results: { text?: string; block: number }[] = []
      const blocks: Block[] = []
      let chain = 0n
      const add = (block: WireBlock | string, where: string) => {
        const { cache_control: mark, ...rest } = typeof block === 'string' ? { type: 'text', text: block } : block
        const json = JSON.stringify(rest)
        chain = Bun.hash.wyhash(`${where}${json}`, chain) as bigint
        const lifetime = mark ? (mark.ttl === '1h' ? 3_600_000 : 300_000) : undefined
        blocks.push({ chain, tokens: tokensOfBlock(rest) + perBlock, ...(lifetime !== undefined && { mark: lifetime }) })
      }
      for (const tool of body.tools ?? []) add(tool, 'tools')
      for (const block of listOf(body.system)) add(block, 'system')
      for (const message of body.messages)
        for (const block of listOf(message.content)) {
          add(block, message.role)
          if (typeof block !== 'string' && block.type === 'tool_result')
            results.push({ block: blocks.length - 1, ...(typeof block.content === 'string' && { text: block.content }) })
        }
      const use = cache.use(blocks, now(), now() + 1)
      bill({ use, blocks, results, bodyHash: Bun.hash.wyhash(text) as bigint })
      return Response.json({
        id: 'msg_replay',
        type: 'message',
        role: 'assistant',
        model: 'claude-sonnet-4-6',
        content: [{ type: 'text', text: 'ok' }],
        stop_reason: 'end_turn',
        stop_sequence: null,
        usage: {
          input_tokens: use.uncached,
          cache_read_input_tokens: use.read,
          cache_creation_input_tokens: use.write5m + use.write1h,
          cache_creation: { ephemeral_5m_input_tokens: use.write5m, ephemeral_1h_input_tokens: use.write1h },
          output_tokens: 1,
        },
      })
    },
  })
  return {
    url: server.url.origin,
    stop: () => server.stop(true),
  }
}

function listOf<T>(value: string | readonly T[] | undefined): readonly (T | string)[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value
}

function tokensOfBlock(block: Omit<WireBlock, 'cache_control'>): number {
  if (block.type === 'text' && typeof block.text === 'string') return tokensOf(block.text)
  if (block.type === 'image') return perPicture
  if (block.type === 'tool_result') {
    if (typeof block.content === 'string') return tokensOf(block.content)
    let total = 0
    for (const inner of (block.content as WireBlock[] | undefined) ?? []) total += tokensOfBlock(inner)
    return total
  }
  if (block.type === 'tool_use') return tokensOf(String(block.name)) + tokensOf(JSON.stringify(block.input))
  return tokensOf(JSON.stringify(block))
}
