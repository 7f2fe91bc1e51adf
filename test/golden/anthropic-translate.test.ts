/** Golden: every recorded Messages request and reply through the neutral forms and back says the same. */

import { describe, expect, test } from 'bun:test'
import { anthropicMessages } from '../../src/dialect/anthropic-messages/index.ts'
import { messagesRequest } from '../../src/dialect/anthropic-messages/request.ts'
import { capabilitiesOf } from '../../src/dialect/capabilities.ts'
import { estimateTokens } from '../../src/dialect/estimate.ts'
import { jsonSource } from '../../src/dialect/json-source.ts'
import { writeJson } from '../../src/dialect/json-text.ts'
import { LossReport } from '../../src/dialect/loss.ts'
import { tagProof } from '../../src/dialect/proof.ts'
import { SseReader } from '../../src/dialect/sse.ts'
import type { StreamEvent } from '../../src/plugin/events.ts'
import { inputTokens } from '../../src/plugin/outcome.ts'
import { hasRecordings, type Recording, randomFrom, recordings } from './recordings.ts'

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON of unknown shape
type Loose = any

const all = [...recordings('anthropic-messages'), ...recordings('anthropic-count-tokens')]
const can = {
  ...capabilitiesOf('anthropic-messages', 'api.anthropic.com', 'claude'),
  midSystem: true,
  efforts: ['low', 'medium', 'high', 'xhigh', 'max'],
}

function throughNeutral(body: Loose): { written: Loose; report: LossReport } {
  const report = new LossReport()
  const conversation = messagesRequest.read(jsonSource(Buffer.from(JSON.stringify(body)))!, report)
  const target = { model: body.model, upstream: '', can, toolName: (name: string) => name }
  return { written: JSON.parse(writeJson(messagesRequest.write(conversation, target, report))), report }
}

const isHosted = (type: string): boolean =>
  /^(server|mcp)_tool_use$/.test(type) || (type !== 'tool_result' && type.endsWith('_tool_result'))

/** Blocks as flat facts, without what only Anthropic's own tools know. */
function facts(role: string, content: Loose): Loose[] {
  const blocks: Loose[] = typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? [])
  return blocks.flatMap((block): Loose[] => {
    const mark = block.cache_control ? [['cache', block.cache_control.ttl ?? null]] : []
    switch (block.type) {
      case 'text':
        return block.text.trim() === '' ? [] : [[role, 'text', block.text], ...mark]
      case 'compaction':
        return [[role, 'text', block.content]]
      case 'tool_reference':
        return [[role, 'text', block.tool_name]]
      case 'thinking':
        return [[role, 'thinking', block.thinking, block.signature]]
      case 'redacted_thinking':
        return [[role, 'redacted', block.data]]
      case 'tool_use':
        return [[role, 'call', block.id, block.name, block.input], ...mark]
      case 'tool_result':
        return [[role, 'result', block.tool_use_id, block.is_error ?? false, facts('', block.content)], ...mark]
      case 'image':
      case 'document': {
        const { media_type: _, ...source } = block.source
        return [[role, block.type, source, block.title ?? null], ...mark]
      }
      default:
        expect([block.type, isHosted(block.type) || /^(tool_addition|container_upload)$/.test(block.type)]).toEqual([block.type, true])
        return []
    }
  })
}

/** What a request asks for, in one form whatever its spelling. */
function asked(body: Loose): Loose {
  const choice = body.tool_choice ?? (body.tools?.length ? null : undefined)
  return {
    model: body.model,
    system: facts('system', body.system),
    messages: body.messages.flatMap((message: Loose) => facts(message.role, message.content)),
    tools: (body.tools ?? [])
      .filter((tool: Loose) => !tool.type || tool.type === 'custom')
      .map((tool: Loose) => [tool.name, tool.description || null, tool.input_schema, tool.strict ?? false]),
    choice: choice ?? null,
    thinking: body.thinking ?? null,
    effort: body.output_config?.effort ?? null,
    format: body.output_config?.format ?? null,
    stop: body.stop_sequences ?? null,
    user: body.metadata?.user_id ?? null,
    stream: body.stream ?? false,
    maxTokens: body.max_tokens,
  }
}

describe.skipIf(!hasRecordings)(`anthropic-messages: ${all.length} recorded requests`, () => {
  test('read and written again, each asks for the same', () => {
    let compared = 0
    for (const { id, request } of all as { id: string; request: Loose }[]) {
      const { written, report } = throughNeutral(request)
      // count_tokens needs no cap
      const before = asked({ max_tokens: written.max_tokens, ...request })
      if (before.tools.length === 0) before.choice = null
      const budget = request.thinking?.type === 'enabled' && /^(any|tool)$/.test(request.tool_choice?.type)
      if (budget) before.thinking = null
      const after = asked(written)
      // F05: a mark on the request stands on its last block
      if (request.cache_control) expect(after.messages.pop()).toEqual(['cache', request.cache_control.ttl ?? null])
      // a history with calls keeps tools of these names
      if (before.tools.length === 0) Object.assign(after, { tools: [], choice: null })
      expect([id, after]).toEqual([id, before])
      expect(report.refusal).toBeUndefined()
      compared++
    }
    expect(compared).toBeGreaterThan(200)
  })

  test('F02: system and tools stand before messages', () => {
    for (const { request } of all as { request: Loose }[]) {
      const keys = Object.keys(throughNeutral(request).written)
      expect(keys[0]).toBe('model')
      for (const early of ['system', 'tools']) if (keys.includes(early)) expect(keys.indexOf(early)).toBeLessThan(keys.indexOf('messages'))
    }
  })
})

/** What events say. */
function told(events: readonly StreamEvent[]): Loose {
  const sum = {
    text: '',
    thoughts: [] as string[][],
    calls: [] as Loose[],
    stop: undefined as Loose,
    usage: undefined as Loose,
    ended: false,
  }
  let open = false
  for (const event of events) {
    if (event.type === 'text') sum.text += event.text
    else if (event.type === 'reasoning') {
      if (!open || event.redacted) sum.thoughts.push(['', '', String(event.redacted === true)])
      const last = sum.thoughts.at(-1)!
      last[0] += event.text
      last[1] += event.signature ?? ''
      open = event.signature === undefined
      continue
    } else if (event.type === 'tool_call') {
      const call = (sum.calls[event.index] ??= { id: event.id, name: event.name, arguments: '' })
      call.arguments += event.arguments
    } else if (event.type === 'stop') sum.stop = [event.reason, event.raw, event.sequence]
    else if (event.type === 'usage') {
      const { raw: _, ...usage } = event.usage
      sum.usage = usage
    } else if (event.type === 'end') sum.ended = true
    if (event.type !== 'native') open = false
  }
  for (const call of sum.calls) {
    try {
      call.arguments = JSON.parse(call.arguments || '{}')
    } catch {
      // cut off by the token limit
    }
  }
  return sum
}

function decodeStream(sse: string, cut?: (below: number) => number): StreamEvent[] {
  const bytes = Buffer.from(sse)
  const reader = new SseReader()
  const decoder = anthropicMessages.decoder('translate')
  const events: StreamEvent[] = []
  for (let from = 0; from < bytes.length; ) {
    const to = cut ? Math.min(bytes.length, from + 1 + cut(200)) : bytes.length
    for (const frame of reader.push(bytes.subarray(from, to))) events.push(...decoder.decode(frame))
    from = to
  }
  for (const frame of reader.end()) events.push(...decoder.decode(frame))
  return events
}

function decodeReply(recording: Recording): StreamEvent[] {
  if (recording.stream) return decodeStream(recording.body, randomFrom(recording.id))
  return [...anthropicMessages.decodeWhole(Buffer.from(recording.body), 'translate')!.events]
}

const head = { id: 'golden', model: 'golden-model', created: 1_700_000_000 }
const replies = recordings('anthropic-messages').filter((recording) => recording.status === 200)

describe.skipIf(!hasRecordings)(`anthropic-messages: ${replies.length} recorded replies, translated`, () => {
  /** As another dialect would hand them on: without natives, which the translation drops. */
  const handed = (events: readonly StreamEvent[]): StreamEvent[] => events.filter((event) => event.type !== 'native')

  test('written as a stream and as a whole, each says the same', () => {
    for (const recording of replies) {
      const events = handed(decodeReply(recording))
      if (events.some((event) => event.type === 'error')) continue // B22: a second message inside the stream
      const before = told(events)
      before.stop ??= before.calls.length > 0 ? ['tool_calls', 'tool_use', undefined] : ['end', 'end_turn', undefined]
      const encoder = anthropicMessages.encoder(head)
      const sse = events.map((event) => encoder.encode([event])).join('')
      const streamed = told(decodeStream(sse))
      expect([recording.id, streamed]).toEqual([recording.id, before])
      const whole = anthropicMessages.decodeWhole(Buffer.from(anthropicMessages.encodeWhole(events, head)), 'translate')!
      const { ended, ...rest } = told(whole.events)
      expect([recording.id, { ...rest, ended }]).toEqual([recording.id, { ...before, ended: true }])
    }
  })

  test('B05 B06: the order of frames is that of the API', () => {
    for (const recording of replies) {
      const encoder = anthropicMessages.encoder(head)
      const sse = handed(decodeReply(recording))
        .map((event) => encoder.encode([event]))
        .join('')
      let open = -1
      let next = 0
      const order: string[] = []
      for (const frame of new SseReader().push(Buffer.from(sse))) {
        const body: Loose = JSON.parse(frame.data)
        expect(frame.event).toBe(body.type)
        if (body.type === 'content_block_start') {
          expect([open, body.index]).toEqual([-1, next])
          open = next++
        } else if (body.type === 'content_block_delta') expect(body.index).toBe(open)
        else if (body.type === 'content_block_stop') {
          expect(body.index).toBe(open)
          open = -1
        } else order.push(body.type)
      }
      if (order.includes('error') || !order.includes('message_stop')) continue // broken off: nothing is made up (B01)
      expect([recording.id, open, order]).toEqual([recording.id, -1, ['message_start', 'message_delta', 'message_stop']])
    }
  })

  test('D01 C18: a turn that was shown to a client comes back with each proof at its place', () => {
    let proofs = 0
    for (const recording of replies) {
      const tagged = handed(decodeReply(recording)).map((event) =>
        'signature' in event && event.signature !== undefined
          ? { ...event, signature: tagProof({ dialect: 'other', upstream: 'maker', value: event.signature }) }
          : event,
      )
      const message: Loose = JSON.parse(anthropicMessages.encodeWhole(tagged, head))
      if (message.type === 'error') continue
      const source = jsonSource(Buffer.from(JSON.stringify({ messages: [{ role: 'assistant', content: message.content }] })))!
      const { turns } = messagesRequest.read(source, new LossReport())
      const back = (turns[0]?.content ?? []).flatMap((content) =>
        content.type === 'reasoning' && content.proof ? [content.proof.value] : [],
      )
      const made = told(handed(decodeReply(recording))).thoughts.flatMap(([, signature]: string[]) => (signature ? [signature] : []))
      // a thought without text stands for the call behind it
      const onCalls = (turns[0]?.content ?? []).flatMap((content) =>
        content.type === 'call' && content.proof ? [content.proof.value] : [],
      )
      expect([recording.id, [...back, ...onCalls].sort()]).toEqual([recording.id, [...made].sort()])
      proofs += made.length
      const foreign = messagesRequest.foreign({ messages: [{ role: 'assistant', content: message.content }] })
      expect(foreign.length > 0).toBe(made.length > 0)
    }
    expect(proofs).toBeGreaterThan(20)
  })
})

describe.skipIf(!hasRecordings)('H09: estimates against the figures of the provider', () => {
  test('are near enough to show how full a context is', () => {
    const errors: number[] = []
    const large: number[] = []
    for (const recording of [...replies, ...recordings('anthropic-count-tokens')]) {
      const body = recording.request as Loose
      const counted = recording.stream ? undefined : JSON.parse(recording.body).input_tokens
      const usage = counted === undefined ? decodeReply(recording).findLast((event) => event.type === 'usage')?.usage : undefined
      const real: number = counted ?? (usage ? inputTokens(usage) : 0)
      const conversation = messagesRequest.read(jsonSource(Buffer.from(JSON.stringify(body)))!, new LossReport())
      // what the provider's own tools add nobody can know, and requests that were made up to fit a reply have other figures
      if ((recording as Loose).kind !== 'exchange' || real < 300 || conversation.extras.some((extra) => extra.weight !== 'hint')) continue
      const error = Math.abs(estimateTokens(conversation, body.model) / real - 1)
      errors.push(error)
      if (real > 1000) large.push(error)
    }
    const at = (list: number[], share: number): number => list.sort((a, b) => a - b)[Math.floor(list.length * share)] ?? 1
    const shown = (list: number[]): string =>
      `p50 ${(100 * at(list, 0.5)).toFixed(1)} %, p95 ${(100 * at(list, 0.95)).toFixed(1)} % of ${list.length}`
    console.log(`estimated tokens: ${shown(errors)}; above 1000 tokens: ${shown(large)}`)
    expect(errors.length).toBeGreaterThan(80)
    expect(at(errors, 0.5)).toBeLessThan(0.12)
    expect(at(errors, 0.9)).toBeLessThan(0.35)
  })
})
