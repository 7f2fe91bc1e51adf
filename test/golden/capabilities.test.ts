/** What is held to be known of models, against recorded traffic: nothing that a provider took may count as unknown, and what it refused may not count as known. */

import { describe, expect, test } from 'bun:test'
import { capabilitiesOf } from '../../src/dialect/capabilities.ts'
import type { Capabilities } from '../../src/dialect/capability.ts'
import { findRecordings, type Recording, readRecording } from '../support/recordings.ts'

// biome-ignore lint/suspicious/noExplicitAny: recorded bodies of unknown shape
type Loose = any

const names = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini-generate', 'bedrock-converse']
const entries = findRecordings({ dialect: names, kind: 'exchange' })

function modelOf({ request }: Recording): string {
  const path = /\/models?\/([^/]+?)(:[a-zA-Z]+)?(\/(converse|converse-stream|invoke))?$/.exec(request.path)
  return (request.body as Loose)?.model ?? decodeURIComponent(path?.[1] ?? '')
}

/** What a request makes use of, by capability, where it can be told from the body. */
function used(dialect: string, body: Loose, can: Capabilities): Record<string, boolean> {
  const out: Record<string, boolean> = {}
  const uses = (name: string, when: unknown, known: boolean): void => {
    if (when) out[name] = known
  }
  // in Chat the object is OpenRouter's own, and of those who follow it
  const effort =
    body.reasoning_effort ?? (dialect === 'openai-responses' ? body.reasoning?.effort : undefined) ?? body.output_config?.effort
  const level = body.generationConfig?.thinkingConfig?.thinkingLevel?.toLowerCase()
  const choice = typeof body.tool_choice === 'string' ? body.tool_choice : body.tool_choice?.type
  const text = JSON.stringify(body.messages ?? body.input ?? '')
  uses(`effort ${effort ?? level}`, (effort ?? level) && effort !== 'default', can.efforts.includes(effort ?? level))
  uses('developer', dialect.startsWith('openai') && text.includes('"role":"developer"'), can.developer)
  uses('max_completion_tokens', body.max_completion_tokens, can.maxCompletionTokens)
  uses('stream_options', body.stream_options?.include_usage, can.streamUsage)
  uses('json_schema', body.response_format?.type === 'json_schema' || body.text?.format?.type === 'json_schema', can.jsonSchema)
  uses(
    'output format',
    body.output_config?.format ?? body.outputConfig?.textFormat ?? body.generationConfig?.responseJsonSchema,
    can.jsonSchema,
  )
  uses('json_object', body.response_format?.type === 'json_object', can.jsonObject)
  uses(
    'tools',
    body.tools?.some((tool: Loose) => tool.type === 'function' || tool.input_schema || tool.functionDeclarations),
    can.tools,
  )
  uses('forced tool', ['required', 'function', 'any', 'tool'].includes(choice), can.forcedTools)
  uses('one call', body.parallel_tool_calls === false, can.parallelCalls)
  uses('temperature', typeof body.temperature === 'number' && body.temperature !== 1, can.sampling)
  uses('both', typeof body.temperature === 'number' && typeof body.top_p === 'number', can.temperatureWithTopP)
  uses('stop', body.stop ?? body.stop_sequences, can.stop)
  uses('cache key', body.prompt_cache_key, can.cacheKey)
  uses('adaptive thinking', body.thinking?.type === 'adaptive', can.adaptiveThinking)
  uses('budget', dialect === 'anthropic-messages' && body.thinking?.type === 'enabled', can.thinkingBudget)
  uses('mid system', dialect === 'anthropic-messages' && text.includes('"role":"system"'), can.midSystem)
  uses(
    'image url',
    /"type":"image_url","image_url":\{"url":"http|"type":"url","url":"http/.test(text) || /"type":"input_image"[^}]*"http/.test(text),
    can.imageUrls,
  )
  uses('audio', text.includes('"input_audio"'), can.audio)
  return out
}

describe.skipIf(entries === undefined)('recorded requests', () => {
  test('use nothing of a model that is held to be unknown to it, when they were accepted', () => {
    const wrong = new Set<string>()
    let facts = 0
    for (const entry of entries!) {
      const recording = readRecording(entry)
      const body = recording.request.body as Loose
      if (entry.status !== 200 || recording.request.synthetic || typeof body !== 'object' || body === null) continue
      const model = modelOf(recording)
      const can = capabilitiesOf(entry.dialect, recording.request.host, model)
      for (const [name, known] of Object.entries(used(entry.dialect, body, can))) {
        facts++
        if (!known) wrong.add(`${entry.dialect} ${recording.request.host} ${model}: ${name}`)
      }
    }
    expect([...wrong]).toEqual([])
    expect(facts).toBeGreaterThan(500)
  })

  test('that were refused for what the model does not know', () => {
    const refusals: [RegExp, (can: Capabilities) => boolean][] = [
      [/does not support effort level 'xhigh'/, (can) => !can.efforts.includes('xhigh')],
      [/role' does not support 'developer'/, (can) => !can.developer],
      [/'max_tokens' is not supported with this model/, (can) => can.maxCompletionTokens],
      [/Content blocks are expected to be either text or image_url/, (can) => !can.audio],
    ]
    const seen = new Set<RegExp>()
    for (const entry of entries!) {
      if (entry.status !== 400) continue
      const recording = readRecording(entry)
      const said = JSON.stringify(recording.response.body)
      for (const [words, held] of refusals) {
        if (!words.test(said)) continue
        seen.add(words)
        const model = modelOf(recording)
        expect([model, held(capabilitiesOf(entry.dialect, recording.request.host, model))]).toEqual([model, true])
      }
    }
    expect(seen.size).toBe(refusals.length)
  })
})
