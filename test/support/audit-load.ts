/**
 * For tests of audit records: an upstream that answers at once, a client that knows whether it was answered in full, and the command line.
 */

import { join } from 'node:path'
import { authPlugin, clientKey, gatewayConfig } from './gateway-config.ts'

const main = join(import.meta.dir, '../../src/main.ts')
const usage = { prompt_tokens: 11, completion_tokens: 3, total_tokens: 14 }
const frame = (more: object) =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'known', choices: [], ...more })}\n\n`
const chunk = (delta: object, finish: string | null) => frame({ choices: [{ index: 0, delta, finish_reason: finish }] })
const whole = JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'known',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }],
  usage,
})

/** Answers Chat Completions, whole or streamed, after up to 20 ms. */
export function startQuickUpstream(): Bun.Server<undefined> {
  return Bun.serve({
    port: 0,
    async fetch(request) {
      const { stream } = (await request.json()) as { stream?: boolean }
      await Bun.sleep(Math.random() * 20)
      if (!stream) return new Response(whole, { headers: { 'content-type': 'application/json' } })
      const frames = [chunk({ role: 'assistant', content: 'Hello' }, null), chunk({}, 'stop'), frame({ usage }), 'data: [DONE]\n\n']
      return new Response(frames.join(''), { headers: { 'content-type': 'text/event-stream' } })
    },
  })
}

/** A config that keeps audit records. */
export function auditConfig(upstream: Bun.Server<undefined>, audit: object = {}, more: Readonly<Record<string, unknown>> = {}): string {
  return gatewayConfig({
    upstream: `http://127.0.0.1:${upstream.port}`,
    plugins: [{ use: 'audit', with: { sink: 'records', ...audit } }, authPlugin, { use: 'router' }],
    more,
  })
}

/** One call to its end; `whole`: all of a good answer came. Undefined when there was no answer. */
export async function ask(url: string, stream: boolean): Promise<{ id: string; status: number; whole: boolean } | undefined> {
  let id: string | null = null
  let status = 0
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'cat/known', stream, messages: [{ role: 'user', content: 'Hi' }] }),
    })
    id = response.headers.get('x-request-id')
    status = response.status
    const text = await response.text()
    return { id: id!, status, whole: status === 200 && (!stream || text.includes('[DONE]')) }
  } catch {
    return id === null ? undefined : { id, status, whole: false }
  }
}

/** Runs a command beside the gateway whose config lies in a folder. */
export async function headgate(dir: string, ...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = Bun.spawn([process.execPath, main, ...argv, '--config', join(dir, 'gateway.yaml')], { stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  return { code, out, err }
}
