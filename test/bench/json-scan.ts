/**
 * How long the check of a request body takes, in microseconds per body, beside what else could be done with it.
 * Run: `bun test/bench/json-scan.ts`. Recorded conversations are used when HEADGATE_TRAJECTORIES (default
 * ../shared/trajectories) exists, made-up prose otherwise. Best of five rounds after warm-up.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { JsonDocument } from '../../src/json/document.ts'
import { scanTopLevel } from '../../src/json/scan.ts'

const folder = process.env.HEADGATE_TRAJECTORIES ?? join(import.meta.dir, '../../../shared/trajectories')

function recordedMessages(): unknown[] {
  if (!existsSync(folder)) {
    console.log(`no conversations in ${folder}: prose is made up`)
    return Array.from({ length: 2000 }, (_, n) => ({
      role: n % 2 ? 'assistant' : 'user',
      content: `Line ${n}:\n\tsay "hello"; `.repeat(40),
    }))
  }
  return readdirSync(folder)
    .slice(40, 80)
    .flatMap((name) => (JSON.parse(readFileSync(join(folder, name), 'utf8')) as { messages: unknown[] }).messages)
}

const tools = Array.from({ length: 12 }, (_, n) => ({
  type: 'function',
  function: { name: `tool_${n}`, description: 'Reads a file', parameters: { type: 'object', properties: { path: { type: 'string' } } } },
}))

function chat(messages: readonly unknown[], size: number): string {
  const chosen: unknown[] = []
  let length = 0
  for (const message of messages) {
    const more = JSON.stringify(message).length
    if (length + more > size * 1.05) continue
    chosen.push(message)
    length += more
    if (length >= size) break
  }
  return JSON.stringify({ model: 'provider/model', stream: true, messages: chosen, max_tokens: 4096, tools: size < 5000 ? [] : tools })
}

const messages = recordedMessages()
const bodies: Record<string, string> = {
  'chat 1 KB': JSON.stringify({ model: 'provider/model', stream: false, messages: [{ role: 'user', content: 'Some words. '.repeat(75) }] }),
  'chat 100 KB': chat(messages, 100_000),
  'chat 500 KB': chat(messages, 500_000),
  'one string 100 KB': JSON.stringify({ model: 'provider/model', messages: [{ role: 'user', content: 'x '.repeat(50_000) }] }),
  'indented 100 KB': JSON.stringify(JSON.parse(chat(messages, 90_000)), null, 2),
  'numbers 100 KB': JSON.stringify({ model: 'provider/model', input: Array.from({ length: 18_000 }, (_, n) => (n * 7919) % 50_000) }),
}

const ways: Record<string, (bytes: Uint8Array) => unknown> = {
  scanTopLevel: scanTopLevel,
  'splice of the model': (bytes) => {
    const document = new JsonDocument(bytes, true)
    const start = bytes.indexOf(0x70) - 1 // the p of "provider/model"
    document.setSpan(start, start + 16, '"other"')
    return document.output()
  },
  'edit by pointer': (bytes) => {
    const document = new JsonDocument(bytes, true)
    document.set('/model', 'other')
    return document.output()
  },
  copy: (bytes) => bytes.slice(),
  'decode, JSON.parse': (bytes) => JSON.parse(new TextDecoder().decode(bytes)),
}

for (const [way, run] of Object.entries(ways)) {
  for (const [name, text] of Object.entries(bodies)) {
    const bytes = new TextEncoder().encode(text)
    const runs = Math.max(100, Math.floor(2e7 / bytes.length))
    let best = Number.POSITIVE_INFINITY
    for (let round = 0; round < 6; round++) {
      const start = Bun.nanoseconds()
      for (let k = 0; k < runs; k++) run(bytes)
      if (round > 0) best = Math.min(best, (Bun.nanoseconds() - start) / runs / 1000)
    }
    console.log(`${way.padEnd(20)} ${name.padEnd(18)} ${String(bytes.length).padStart(7)} bytes ${best.toFixed(2).padStart(9)} us`)
  }
}
