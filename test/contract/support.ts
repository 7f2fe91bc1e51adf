/** What contract tests do to wait and to look. Knows no gateway. */

import { request } from 'node:http'
import type { Stand } from './stand.ts'

/** The data lines of a stream: its events, and `[DONE]`, as texts. */
export function framesOf(text: string): string[] {
  return text
    .split('\n\n')
    .flatMap((frame) => frame.split('\n').filter((line) => line.startsWith('data: ')))
    .map((line) => line.slice('data: '.length))
}

/** Tests that count in windows of a minute begin in its first 50 seconds. */
export async function beginningOfMinute(): Promise<void> {
  const left = 60_000 - (Date.now() % 60_000)
  if (left < 10_000) await Bun.sleep(left + 20)
}

/** Posts JSON from an address of this machine. */
export function askFrom(localAddress: string, url: string, body: object): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', localAddress, headers: { 'content-type': 'application/json' } }, (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(JSON.stringify(body))
  })
}

/** Looks until what is seen is as it should be. @throws after 5 seconds */
export async function eventually<T>(look: () => Promise<T>, good: (seen: T) => boolean): Promise<T> {
  for (const until = Date.now() + 5000; ; ) {
    const seen = await look()
    if (good(seen)) return seen
    if (Date.now() > until) throw new Error(`it never came true: ${JSON.stringify(seen)}`)
    await Bun.sleep(20)
  }
}

/** A key that has run out. */
export async function expiredKey(stand: Stand): Promise<string> {
  const { key } = await stand.newKey({ expires: new Date(Date.now() + 1000).toISOString() }, '1')
  await Bun.sleep(1100)
  return key
}
