/** Messages bodies for Vertex and Bedrock: what moves, what goes, and that nothing else does. */

import { describe, expect, test } from 'bun:test'
import { bedrockFlags, denyMore, vertexFlags } from './beta-flags.ts'
import { type ClaudeHost, claudeBody } from './claude-body.ts'
import { HostError } from './host.ts'

const bedrock: ClaudeHost = { version: 'bedrock-2023-05-31', flags: bedrockFlags, without: ['model', 'stream'] }
const vertex: ClaudeHost = { version: 'vertex-2023-10-16', flags: vertexFlags, without: ['model'] }

const made = (body: string, header: string | null = null, host = bedrock, version?: string) => {
  const headers = new Headers({ ...(header !== null && { 'anthropic-beta': header }), ...(version && { 'anthropic-version': version }) })
  const { body: bytes, dropped } = claudeBody({ body: Buffer.from(body), headers }, host)
  return { text: Buffer.from(bytes).toString(), dropped }
}

describe('the body', () => {
  test('loses model and stream, and gains the version; every other byte stays (F01, F02, F04)', () => {
    const kept =
      '"system":[{"type":"text","text":"a\\u00e9", "cache_control":{"type":"ephemeral","ttl":"1h"}}],"tools":[],"messages":[{"content":1.0}],"max_tokens":1e2,"unknown":{"b":1,"a":2}'
    expect(made(`{ "model":"claude","stream":true,${kept} }`).text).toBe(`{ ${kept},"anthropic_version":"bedrock-2023-05-31" }`)
    expect(made(`{"stream":true,${kept},"model":"m"}`, null, vertex).text).toBe(
      `{"stream":true,${kept},"anthropic_version":"vertex-2023-10-16"}`,
    )
  })

  test('blocks that only Messages has stay as they are (C25)', () => {
    const blocks =
      '"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"s=="},{"type":"tool_use","id":"toolu_1","name":"f","input":{"n":1.50}}]},' +
      '{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO"}}]}]}]'
    expect(made(`{"model":"claude",${blocks},"max_tokens":9}`).text).toBe(
      `{${blocks},"max_tokens":9,"anthropic_version":"bedrock-2023-05-31"}`,
    )
  })

  test('a version that is there stays', () => {
    expect(made('{"anthropic_version":"bedrock-2099-01-01","max_tokens":1}').text).toBe(
      '{"anthropic_version":"bedrock-2099-01-01","max_tokens":1}',
    )
  })

  test('the host has its own name for the old version; a later one is the client’s choice (H03)', () => {
    expect(made('{}', null, vertex, '2023-06-01').text).toBe('{"anthropic_version":"vertex-2023-10-16"}')
    expect(made('{}', null, vertex, '2026-10-21').text).toBe('{"anthropic_version":"2026-10-21"}')
  })

  test('what is no JSON is told to the client', () => {
    expect(() => made('{"model":"m"')).toThrow(HostError)
  })
})

test('the block that changes with every call is taken out, all others stay (F03)', () => {
  const block = (text: string) => `{"type":"text", "text":"${text}"}`
  const billing = block('x-anthropic-billing-header: cc_version=2.1.0; cch=abc;')
  const rest = `"messages":[{"role":"user","content":"about x-anthropic-billing-header: lines"}]`
  expect(made(`{"system":[${billing},${block('You are')},${billing}],${rest}}`).text).toBe(
    `{"system":[${block('You are')}],${rest},"anthropic_version":"bedrock-2023-05-31"}`,
  )
  const scoped = `{"system":[${billing},{"text":"s","cache_control":{"type":"ephemeral","scope":"global"}}],${rest}}`
  expect(made(scoped, 'prompt-caching-scope-2026-01-05').text).toStartWith('{"system":[{"text":"s","cache_control":{"type":"ephemeral"}}],')
  expect(made(`{"system":"x-anthropic-billing-header: mine",${rest}}`).text).toContain('"system":"x-anthropic-billing-header: mine"')
})

describe('beta flags', () => {
  test('of header and body are one list in the body, each once (H04)', () => {
    const { text, dropped } = made('{"anthropic_beta":["b-2025-01-01","a-2025-01-01"]}', 'a-2025-01-01, interleaved-thinking-2025-05-14')
    expect(JSON.parse(text).anthropic_beta).toEqual(['a-2025-01-01', 'interleaved-thinking-2025-05-14', 'b-2025-01-01'])
    expect(dropped).toEqual([])
  })

  test('that the host refuses go, with the wishes that they allow (H04, H05)', () => {
    const body = '{"speed":"fast","max_tokens":1}'
    const { text, dropped } = made(body, 'fast-mode-2026-02-01,files-api-2025-04-14,claude-code-20250219')
    expect(text).toBe('{"max_tokens":1,"anthropic_version":"bedrock-2023-05-31"}')
    expect(dropped).toEqual(['fast-mode-2026-02-01', 'files-api-2025-04-14', 'claude-code-20250219', '/speed'])
  })

  test('an empty list leaves no list behind', () => {
    expect(made('{"anthropic_beta":["oauth-2025-04-20"],"a":1}').text).toBe('{"a":1,"anthropic_version":"bedrock-2023-05-31"}')
  })

  test('the scope of cache marks goes with its flag, the marks stay (F04)', () => {
    const mark = (more: string) => `"cache_control":{"type":"ephemeral"${more}}`
    const body = (more: string) =>
      `{"system":[{"text":"s",${mark(more)}}],"tools":[{"name":"t","input_schema":{"scope":1},${mark(more)}}],"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"text":"x",${mark(more)}}],${mark(',"ttl":"1h"')}}]}]`
    const { text, dropped } = made(`${body(',"scope":"global"')}}`, 'prompt-caching-scope-2026-01-05', vertex)
    expect(text).toBe(`${body('')},"anthropic_version":"vertex-2023-10-16"}`)
    expect(dropped).toHaveLength(4)
  })

  test('a field that changes the answer is refused by name instead', () => {
    expect(() => made('{"mcp_servers":[]}', 'mcp-client-2025-04-04', vertex)).toThrow('mcp_servers: Vertex does not have')
    expect(made('{"a":1}', 'mcp-client-2025-04-04', vertex).dropped).toEqual(['mcp-client-2025-04-04'])
  })

  test('one may have another name at the host', () => {
    expect(JSON.parse(made('{}', 'advanced-tool-use-2025-11-20').text).anthropic_beta).toEqual(['tool-search-tool-2025-10-19'])
  })

  test('the operator denies more, with or without the date; a longer name is another flag', () => {
    const host = { ...bedrock, flags: denyMore(bedrockFlags, ['new-thing', 'old-2025-01-01']) }
    const { text, dropped } = made('{}', 'new-thing-2026-09-09,old-2025-01-01,new-thing-two-2026-09-09', host)
    expect(dropped).toEqual(['new-thing-2026-09-09', 'old-2025-01-01'])
    expect(JSON.parse(text).anthropic_beta).toEqual(['new-thing-two-2026-09-09'])
  })
})
