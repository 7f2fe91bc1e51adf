// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
/** Upstreams behind a host: what follows from what is written, and every mistake at its place. */

import { describe, expect, test } from 'bun:test'
import { loadConfig } from './load.ts'
import { load, router } from './load-text.fixture.ts'

const loaded = (upstream: string) => load(`version: 1\n${router}upstreams:\n  a: ${upstream}\n`)

function upstreamOf(text: string) {
  const { config, diagnostics } = loaded(text)
  expect(diagnostics).toEqual([])
  return config!.upstreams[0]!
}

describe('what follows from the host', () => {
  test.each([
    ['azure: { resource: my-res }, key: k', 'azure', 'openai', 'https://my-res.openai.azure.com', 'api-key'],
    ['vertex: { project: p, location: us-east5 }', 'vertex', 'anthropic', 'https://us-east5-aiplatform.googleapis.com', 'none'],
    ['vertex: { project: p, location: global }', 'vertex', 'gemini', 'https://aiplatform.googleapis.com', 'none'],
    ['vertex: { project: p, location: eu }, key: t', 'vertex', 'anthropic', 'https://aiplatform.eu.rep.googleapis.com', 'bearer'],
    ['bedrock: { region: eu-west-1 }', 'bedrock', 'anthropic', 'https://bedrock-runtime.eu-west-1.amazonaws.com', 'none'],
    ['bedrock: { region: cn-north-1 }, key: k', 'bedrock', 'anthropic', 'https://bedrock-runtime.cn-north-1.amazonaws.com.cn', 'bearer'],
  ])('%s', (more, host, dialect, base_url, auth) => {
    expect(upstreamOf(`{ dialect: ${dialect}, host: ${host}, ${more} }`)).toMatchObject({ host, base_url, auth })
  })

  test('an address of its own wins', () => {
    const at = 'base_url: "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com"'
    expect(upstreamOf(`{ dialect: anthropic, host: bedrock, bedrock: { region: us-east-1 }, ${at} }`).base_url).toContain('vpce-1')
  })

  test('its endpoints, unless they are named', () => {
    expect(upstreamOf('{ dialect: anthropic, host: bedrock, bedrock: { region: r, api: converse } }').apis).toEqual([
      'converse',
      'embeddings',
    ])
    expect(upstreamOf('{ dialect: anthropic, host: bedrock, bedrock: { region: r } }').apis).toEqual([
      'messages',
      'count_tokens',
      'embeddings',
    ])
    expect(upstreamOf('{ dialect: openai, host: azure, azure: { resource: r }, key: k }').apis).toContain('responses')
    expect(upstreamOf('{ dialect: openai, host: azure, azure: { resource: r }, key: k, apis: [chat] }').apis).toEqual(['chat'])
  })

  test('its secrets are never printed', () => {
    const azure = 'azure: { resource: r, entra: { tenant: t, client_id: c, client_secret: entra-secret } }'
    expect([...loaded(`{ dialect: openai, host: azure, ${azure} }`).secrets]).toContain('entra-secret')
    const bedrock = 'bedrock: { region: r, access_key_id: AKID, secret_access_key: aws-secret, session_token: aws-token }'
    const { secrets } = loaded(`{ dialect: anthropic, host: bedrock, ${bedrock} }`)
    expect([...secrets]).toEqual(expect.arrayContaining(['aws-secret', 'aws-token']))
  })
})

test('the example in the README of hosts is good', async () => {
  const readme = await Bun.file(`${import.meta.dir}/../upstream/host/README.md`).text()
  const example = /```yaml\n([\s\S]*?)```/.exec(readme)![1]!
  const { config, diagnostics } = loadConfig({
    path: 'gateway.yaml',
    text: `version: 1\n${router}${example}`,
    env: { AZURE_OPENAI_API_KEY: 'k' },
    readFile: () => '{}',
  })
  expect(diagnostics).toEqual([])
  expect(config!.upstreams).toHaveLength(4)
})

describe('mistakes', () => {
  test.each([
    ['{ dialect: openai }', '4:3 upstreams.a', '`base_url` is missing', 'or `host`'],
    ['{ dialect: openai, host: azur, base_url: "http://x" }', '4:31 upstreams.a.host', '"azur" is not allowed', 'azure'],
    ['{ dialect: anthropic, host: vertex }', '4:34 upstreams.a.host', 'needs a section `vertex`', '`project` and `location`'],
    ['{ dialect: anthropic, host: bedrock }', '4:34 upstreams.a.host', 'needs a section `bedrock`', '`region`'],
    ['{ dialect: openai, host: azure, key: k }', '4:31 upstreams.a.host', 'needs to know where it is', '`azure.resource`'],
    ['{ dialect: openai, host: azure, azure: { resource: r } }', '4:31 upstreams.a.host', 'no credential', '`azure.entra`'],
    ['{ dialect: openai, host: bedrock, bedrock: { region: r } }', '4:17 upstreams.a.dialect', 'does not serve openai', 'use anthropic'],
    [
      '{ dialect: openai, base_url: "http://x", bedrock: { region: r } }',
      '4:47 upstreams.a.bedrock',
      'about another host',
      'add host: bedrock',
    ],
    [
      '{ dialect: anthropic, host: bedrock, bedrock: { region: r, access_key_id: A } }',
      '4:43 upstreams.a.bedrock',
      'half a credential',
      'give both',
    ],
    [
      '{ dialect: anthropic, host: bedrock, bedrock: { region: r, profile: p }, key: k }',
      '4:43 upstreams.a.bedrock',
      '`profile` and `key` are two credentials',
      'keep one',
    ],
    [
      '{ dialect: openai, host: azure, base_url: "https://r.openai.azure.com/openai/v1", key: k }',
      '4:48 upstreams.a.base_url',
      'adds the paths of azure itself',
      'end the URL with the host name',
    ],
    [
      '{ dialect: gemini, host: vertex, vertex: { project: p, location: "evil.com/" } }',
      '4:71 upstreams.a.vertex.location',
      'evil.com/',
      '',
    ],
  ])('%s', (text, place, message, fix) => {
    const { diagnostics } = loaded(text)
    expect(diagnostics.map((d) => `${d.line}:${d.column} ${d.path}`)).toEqual([place])
    expect(diagnostics[0]!.message).toContain(message)
    expect(diagnostics[0]!.fix).toContain(fix)
  })
})
