/**
 * Mistakes of an upstream's host that the schema cannot show: sections without their host, hosts without theirs, half a credential.
 *
 * Works on the values as read, whatever their shape.
 */

import type { Path, Severity } from './diagnostics.ts'
import { type HostName, hosts } from './host-config.ts'

type Report = (path: Path, message: string, fix: string, place?: 'value' | 'key', severity?: Severity) => void
type Values = Readonly<Record<string, unknown>>

/** The dialects that each host serves. */
const served: Readonly<Record<HostName, readonly string[]>> = {
  azure: ['openai'],
  vertex: ['gemini', 'anthropic', 'openai'],
  bedrock: ['anthropic'],
}

/** Looks at the upstream at `path`. */
export function checkHost(upstream: Values, path: Path, report: Report): void {
  const host = hosts.find((name) => name === upstream.host)
  if (upstream.host === undefined && absent(upstream.base_url)) {
    const fix = 'add `base_url`: where the provider is, for example https://api.openai.com/v1; or `host`: azure, vertex or bedrock'
    report(path, '`base_url` is missing', fix, 'key')
  }
  for (const name of hosts) {
    if (name !== host && !absent(upstream[name])) {
      const fix = `add host: ${name}, or remove the section`
      if (upstream.host === undefined || host) report([...path, name], `\`${name}\` says something about another host`, fix, 'key')
    }
  }
  if (!host) return
  if (typeof upstream.dialect === 'string' && !served[host].includes(upstream.dialect)) {
    report([...path, 'dialect'], `${host} does not serve ${upstream.dialect}`, `use ${served[host].join(' or ')}`)
  }
  const own = map(upstream[host])
  if (host !== 'azure' && absent(upstream[host])) {
    const need = host === 'vertex' ? '`project` and `location`' : '`region`'
    report([...path, 'host'], `host: ${host} needs a section \`${host}\``, `add \`${host}\` with ${need}`)
  } else if (host === 'azure') checkAzure(upstream, own, path, report)
  else if (host === 'bedrock') checkBedrock(upstream, own, path, report)
  if (typeof upstream.base_url === 'string' && /^https?:\/\/[^/]+\/(openai|v1|v1beta1|model)(\/|$)/.test(upstream.base_url)) {
    report([...path, 'base_url'], `the gateway adds the paths of ${host} itself`, 'end the URL with the host name')
  }
}

function checkAzure(upstream: Values, own: Values, path: Path, report: Report): void {
  if (absent(own.resource) && absent(upstream.base_url)) {
    report([...path, 'host'], 'host: azure needs to know where it is', 'add `azure.resource`, or `base_url`')
  }
  if (absent(own.entra) && absent(upstream.key)) {
    report([...path, 'host'], 'host: azure has no credential', 'add `key`, or `azure.entra`')
  } else if (!absent(own.entra) && !absent(upstream.key)) {
    report([...path, 'azure', 'entra'], 'there is a `key` already', 'keep one of the two')
  }
}

function checkBedrock(upstream: Values, own: Values, path: Path, report: Report): void {
  const at = [...path, 'bedrock']
  const pair = [own.access_key_id, own.secret_access_key].filter((value) => !absent(value)).length
  if (pair === 1) report(at, 'half a credential', 'give both `access_key_id` and `secret_access_key`', 'key')
  if (!absent(own.session_token) && pair === 0) {
    report([...at, 'session_token'], 'a session token without keys', 'add `access_key_id` and `secret_access_key`')
  }
  const ways = [pair > 0 && '`access_key_id`', !absent(own.profile) && '`profile`', !absent(upstream.key) && '`key`'].filter(Boolean)
  if (ways.length > 1) report(at, `${ways.join(' and ')} are two credentials`, 'keep one of them', 'key')
}

function absent(value: unknown): boolean {
  return value === undefined || value === null
}

function map(value: unknown): Values {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Values) : {}
}
