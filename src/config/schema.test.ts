// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
/** The editor's schema: agrees with the loader on what may be written, knows each plugin's `with`, and is deterministic. */

import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { Type } from 'typebox'
import { Check, type XSchema } from 'typebox/schema'
import { parse } from 'yaml'
import { Duration, Size } from '../plugin/units.ts'
import { shield, unshield } from './interpolate.ts'
import { loadConfig } from './load.ts'
import { gatewaySchema, type KnownPlugin } from './schema.ts'

const limit: KnownPlugin = {
  use: 'limit',
  summary: 'Limits',
  schema: Type.Object({ requests: Type.Integer({ minimum: 1 }), window: Duration({ default: '1m' }), burst: Type.Optional(Size()) }),
}
const router: KnownPlugin = { use: 'router', summary: 'Routes' }
const schema = gatewaySchema([router, limit]) as XSchema

/** A YAML text as an editor sees it. */
function editorAccepts(text: string): boolean {
  const value: unknown = JSON.parse(unshield(JSON.stringify(parse(shield(text), { merge: true }))))
  return Check(schema, value)
}

test('the same plugins give the same text, in whatever order', () => {
  expect(JSON.stringify(gatewaySchema([limit, router]))).toBe(JSON.stringify(gatewaySchema([router, limit])))
})
test.each(['config/gateway.yaml', 'README.md'])('%s shows what is YAML to any editor, ${…} in quotes', (name) => {
  const text = readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
  const files = name.endsWith('.md') ? [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, block]) => block!) : [text]
  expect(files.length).toBeGreaterThan(0)
  for (const file of files) {
    const value: unknown = parse(file, { merge: true })
    if (file.includes('version: 1')) expect(Check(schema, value)).toBe(true)
  }
})

describe('editor and loader agree', () => {
  const file = (body: string): string => `version: 1\n${body.includes('plugins:') ? '' : 'plugins: [{ use: router }]\n'}${body}\n`
  test.each([
    'server: { listen: "127.0.0.1:0", admin: off, drain: 0, body_limit: 1mb }',
    'server: { max_depth: "${env:DEPTH:-50}", drain: "${env:D:-5s}" }',
    'upstreams: { a: { dialect: openai, base_url: builtin:demo, key: "${env:K:-abc}" } }',
    'upstreams: { a: { dialect: anthropic, host: bedrock, bedrock: { region: us-east-1, deny_betas: some-flag } } }',
    'log: { level: "${env:L:-info}" }',
    'plugins: [{ use: ./mine.ts, with: { any: [1] }, when: { model: [a, b], path: /v1/*, stream: true }, timeout: 1s }]',
  ])('both accept %s', (body) => {
    expect(loadConfig({ path: 'g', text: file(body), env: {} }).diagnostics).toEqual([])
    expect(editorAccepts(file(body))).toBe(true)
  })
  test.each([
    'serve: {}',
    'server: { drain: 30 }',
    'server: { max_depth: 3 }',
    'server: { max_depth: "50" }',
    'upstreams: { a: { dialect: opnai, base_url: builtin:demo } }',
    'upstreams: { a: { dialect: openai } }',
    'upstreams: { a: { dialect: anthropic, host: vertex, vertex: { project: p, location: "../x" } } }',
    'upstreams: { a: { dialect: anthropic, host: bedrock, bedrock: { regoin: us-east-1 } } }',
    'log: { level: loud }',
    'mounts: [{ path: v1, api: openai }]',
    'plugins: [{ with: {} }]',
    'plugins: [{ use: a, when: { modle: x } }]',
  ])('both refuse %s', (body) => {
    expect(loadConfig({ path: 'g', text: file(body), env: {} }).diagnostics.filter((d) => d.severity === 'error')).not.toEqual([])
    expect(editorAccepts(file(body))).toBe(false)
  })
})

describe('the config of known plugins', () => {
  const accepts = (entry: string): boolean => editorAccepts(`version: 1\nplugins: [${entry}]\n`)
  test('follows `use`', () => {
    expect(accepts('{ use: limit, with: { requests: 1 } }')).toBe(true)
    expect(accepts('{ use: limit, with: { requests: "${env:N}", window: 5s, burst: 100 } }')).toBe(true)
    expect(accepts('{ use: limit, with: { requests: 0 } }')).toBe(false)
    expect(accepts('{ use: limit, with: { requests: 1, windw: 5s } }')).toBe(false)
    expect(accepts('{ use: limit, with: {} }')).toBe(false)
    expect(accepts('{ use: limit }')).toBe(false)
    expect(accepts('{ use: router }')).toBe(true)
    expect(accepts('{ use: router, with: { a: 1 } }')).toBe(false)
    expect(accepts('{ use: other, with: { a: 1 } }')).toBe(true)
  })
})

test('every field has a description', () => {
  const missing: string[] = []
  const visit = (node: Record<string, unknown>, path: string): void => {
    for (const [key, own] of Object.entries((node.properties ?? {}) as Record<string, Record<string, unknown>>)) {
      if (typeof own.description !== 'string') missing.push(`${path}.${key}`)
      visit(own, `${path}.${key}`)
    }
    for (const own of Object.values((node.patternProperties ?? {}) as Record<string, Record<string, unknown>>)) visit(own, `${path}.*`)
    if (node.items && !Array.isArray(node.items)) visit(node.items as Record<string, unknown>, `${path}[]`)
  }
  visit(gatewaySchema([]) as Record<string, unknown>, '')
  expect(missing).toEqual([])
})
