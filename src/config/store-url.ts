/**
 * URLs of stores in gateway.yaml: what may be written, and how they are shown without the secrets in them.
 *
 * A URL may come whole from `${env:NAME}`. Its password is a secret wherever it was written, also when the URL is wrong.
 */

import type { Read } from './kinds.ts'

const stateFix = 'write memory, redis://host:6379 or rediss://host:6379 (rediss is Redis over TLS)'

/** Reads where shared state lives: `memory`, or the URL of a Redis with an optional number of a database as its path. */
export function readStateUrl(text: string): Read<string> {
  if (text === 'memory') return { value: text }
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1]?.toLowerCase()
  if (scheme === undefined) return { wrong: 'is no place for shared state', fix: stateFix }
  if (scheme !== 'redis' && scheme !== 'rediss') return { wrong: `${scheme} is not a scheme for shared state`, fix: stateFix }
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || url.hostname === '') return { wrong: 'is not the URL of a Redis', fix: stateFix }
  if (url.search !== '' || url.hash !== '')
    return { wrong: 'the URL has a query or fragment', fix: 'end it with the number of the database' }
  if (!/^(\/[0-9]{0,5})?$/.test(url.pathname)) {
    return {
      wrong: 'the path of the URL is no number of a database',
      fix: `end it with the host, or with a number, for example ${scheme}://host:6379/2`,
    }
  }
  return badlyEncoded(url) ?? { value: text }
}

const recordsFix = 'write sqlite:./data/headgate.db (a file), postgres://user@host:5432/database, or memory (kept nowhere)'

/** Reads where durable records live: a file of SQLite (`sqlite:` and a path), the URL of a PostgreSQL, or `memory`. */
export function readRecordsUrl(text: string): Read<string> {
  if (text === 'memory') return { value: text }
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1]?.toLowerCase()
  if (scheme === undefined) return { wrong: 'is no place for records', fix: recordsFix }
  if (scheme === 'sqlite') return readSqlitePath(text)
  if (scheme !== 'postgres' && scheme !== 'postgresql') return { wrong: `${scheme} is not a scheme for records`, fix: recordsFix }
  const { before, hosts, after } = splitHosts(text)
  const isHost = (host: string) => URL.canParse(before + host + after) && new URL(before + host + after).hostname !== ''
  if (!hosts.every(isHost)) return { wrong: 'is not the URL of a PostgreSQL', fix: recordsFix }
  const url = new URL(before + hosts[0] + after)
  if (!/^\/[^/]+$/.test(url.pathname)) {
    return { wrong: 'the URL names no database', fix: `end it with its name, for example ${scheme}://user@host:5432/headgate` }
  }
  if (url.searchParams.has('password'))
    return { wrong: 'the URL has a password in its query', fix: 'put it before the @: user:password@host' }
  return badlyEncoded(url) ?? { value: text }
}

function readSqlitePath(text: string): Read<string> {
  const path = text.slice('sqlite:'.length)
  if (path.startsWith('//') && !path.startsWith('///')) {
    return { wrong: 'a file of SQLite has no host', fix: 'write sqlite:./data/headgate.db, or sqlite:/var/lib/headgate/headgate.db' }
  }
  if (path === '' || path.endsWith('/')) return { wrong: 'names no file', fix: 'write sqlite:./data/headgate.db' }
  if (path === ':memory:') return { wrong: 'names no file', fix: 'write memory for records that are kept nowhere' }
  return { value: text }
}

function badlyEncoded(url: URL): Read<never> | undefined {
  try {
    decodeURIComponent(url.username)
    decodeURIComponent(url.password)
    return undefined
  } catch {
    return { wrong: 'the URL has a password that is not percent-encoded', fix: 'write % as %25, @ as %40, : as %3A and / as %2F in it' }
  }
}

/** A URL in parts: its hosts, of which there may be several, each with its port, and what stands around them. `postgres://user@first:5432,second:5432/database` */
export function splitHosts(text: string): { readonly before: string; readonly hosts: readonly string[]; readonly after: string } {
  const [, before = '', hosts = text, after = ''] = /^([A-Za-z][A-Za-z0-9+.-]*:\/\/(?:[^/?#]*@)?)([^/?#@]*)(.*)$/s.exec(text) ?? []
  return { before, hosts: hosts.split(','), after }
}

/** A URL without what stands before its last `@`. Works on broken URLs too. */
export function maskUrl(text: string): string {
  return text.replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/*)?.*@/s, (_, scheme: string | undefined) => `${scheme ?? ''}***@`)
}

/** Secrets in a URL, as written and decoded: its password, or all that stands before the `@` when no password is marked. */
export function urlSecrets(text: string): string[] {
  const user = /^(?:[A-Za-z][A-Za-z0-9+.-]*:\/*)?(.*)@/s.exec(text)?.[1]
  if (user === undefined) return []
  const secret = user.slice(user.indexOf(':') + 1)
  // what stands alone before the @ of a Redis may be a token; before that of a PostgreSQL it is a user
  if (secret === '' || (!user.includes(':') && /^postgres/i.test(text))) return []
  try {
    return [...new Set([secret, decodeURIComponent(secret)])]
  } catch {
    return [secret]
  }
}
