import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import { jsonSource } from '../json-source.ts'
import { LossReport } from '../loss.ts'
import { madeBy, readProof, tagProof } from '../proof.ts'
import { SseReader } from '../sse.ts'
import { geminiGenerate } from './index.ts'

// biome-ignore lint/suspicious/noExplicitAny: parts of replies
type Loose = any

const maker = { dialect: 'anthropic-messages', upstream: 'claude' }
const tag = (value: string) => tagProof({ ...maker, value })
const head = { id: 'r', model: 'm', created: 1 }
const events: StreamEvent[] = [
  { type: 'start', id: 'r', model: 'm' },
  { type: 'reasoning', text: '', choice: 0, signature: tag('hid+den'), redacted: true },
  { type: 'reasoning', text: 'Let me ', choice: 0 },
  { type: 'reasoning', text: 'look.', choice: 0 },
  { type: 'reasoning', text: '', choice: 0, signature: tag('si/g==') },
  { type: 'tool_call', index: 0, choice: 0, id: 'a', name: 'f', arguments: '{}' },
  { type: 'tool_call', index: 1, choice: 0, id: 'b', name: 'g', arguments: '{}' },
  { type: 'stop', reason: 'tool_calls', raw: 'tool_use', choice: 0 },
  { type: 'end' },
]

const ways: Readonly<Record<string, () => Loose[]>> = {
  streamed() {
    const text = geminiGenerate.encoder(head).encode(events)
    const frames = new SseReader().push(Buffer.from(text))
    return frames.flatMap((frame) => JSON.parse(frame.data).candidates[0].content.parts)
  },
  whole: () => JSON.parse(geminiGenerate.encodeWhole(events, head)).candidates[0].content.parts,
}

const contentOf = (parts: Loose[]) => {
  const body = { contents: [{ role: 'model', parts }] }
  return geminiGenerate.request!.read(jsonSource(Buffer.from(JSON.stringify(body)))!, new LossReport()).turns[0]!.content
}
const proven = [
  { type: 'reasoning', text: '', redacted: true, proof: { ...maker, value: 'hid+den' } },
  { type: 'reasoning', text: 'Let me look.', proof: { ...maker, value: 'si/g==' } },
  { type: 'call', id: 'a', proof: undefined },
  { type: 'call', id: 'b', proof: undefined },
]

describe.each(Object.keys(ways))('D01 D03: proofs of another dialect in a reply, %s', (way) => {
  const parts = ways[way]!().filter((part) => part.text !== '' || part.thoughtSignature !== undefined)

  test('are bytes, as Google says', () => {
    const signatures = parts.flatMap((part) => part.thoughtSignature ?? [])
    expect(signatures.length).toBeGreaterThan(0)
    for (const signature of signatures) expect(Buffer.from(signature, 'base64').toString('base64')).toBe(signature)
  })

  test('come back once from a client that keeps all', () => {
    expect(contentOf(parts)).toMatchObject(proven as never)
  })

  test('come back from a client that keeps nothing of thoughts', () => {
    expect(contentOf(parts.filter((part) => !part.thought))).toMatchObject(proven as never)
  })

  test('come back from a client that keeps the text of thoughts alone', () => {
    const kept = parts
      .filter((part) => !part.thought || part.text)
      .map((part) => (part.thought ? { ...part, thoughtSignature: undefined } : part))
    const content = contentOf(kept)
    expect(content).toHaveLength(4)
    expect(content.find((c) => c.type === 'reasoning' && c.text !== '')).toMatchObject(proven[1] as never)
  })

  test('are taken out before Google reads them', () => {
    const pointers = geminiGenerate.request!.foreign({ contents: [{ role: 'model', parts }] })
    const call = parts.findIndex((part) => part.functionCall)
    expect(pointers).toContain(`/contents/0/parts/${call}/thoughtSignature`)
    expect(JSON.stringify(parts)).toContain(new TextDecoder().decode(geminiGenerate.request!.proofMark))
  })
})

test('a call keeps its own foreign proof beside the thoughts; one of Google stays as it is', () => {
  const withProof = (signature: string) => {
    const call = { ...events[5], signature } as StreamEvent
    return JSON.parse(geminiGenerate.encodeWhole([...events.slice(0, 5), call, ...events.slice(6)], head)).candidates[0].content.parts
  }
  const content = contentOf(withProof(tag('mine')).filter((part: Loose) => !part.thought))
  expect(content).toMatchObject([proven[0], proven[1], { type: 'call', id: 'a', proof: { ...maker, value: 'mine' } }, proven[3]] as never)
  expect(withProof('of Google').find((part: Loose) => part.functionCall).thoughtSignature).toBe('of Google')
})

test('a value that only looks like a tag is no foreign proof', () => {
  expect(madeBy(readProof('aGcxLA==', 'gemini-generate'), 'gemini-generate', '')).toBe(true)
})
