/**
 * References are numbers of results in the prompt as the model sees it: also where a client sends results in another order than their calls, or leaves one
 * out, and translation puts that right.
 */

import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { modelConfig } from '../support/model/gateway.ts'
import { type ScriptedModel, startModel } from '../support/model/server.ts'

const lines = Array.from({ length: 60 }, (_, i) => `${i + 1}\tconst value${i} = ${i * 7} + ${i * 1009}`).join('\n')
const use = (id: string) => ({ type: 'tool_use', id, name: 'Read', input: { file_path: '/a.ts' } })
const result = (id: string) => ({ type: 'tool_result', tool_use_id: id, content: lines })
const two = (results: object[]) => [
  { role: 'user', content: 'read' },
  { role: 'assistant', content: [use('a'), use('b')] },
  { role: 'user', content: results },
]

let model: ScriptedModel
let gateway: LocalGateway
beforeAll(async () => {
  model = startModel()
  const plugins = [{ use: 'session' }, { use: 'tool-trim', with: { control_share: 0, min_prompt: 0 } }, { use: 'router' }]
  gateway = await startLocalGateway(modelConfig(model.url, { plugins }))
})
afterAll(async () => {
  await gateway.stop()
  await model.stop()
})
beforeEach(() => {
  model.clear()
  model.proofs = false
})

/** The results as the model was shown them. */
async function shown(upstream: string, messages: object[]): Promise<readonly string[]> {
  const response = await fetch(`${gateway.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', 'x-api-key': upstream },
    body: JSON.stringify({
      model: `m/${upstream}`,
      max_tokens: 100,
      tools: [{ name: 'Read', input_schema: { type: 'object' } }],
      messages,
    }),
  })
  expect(response.status).toBe(200)
  await response.text()
  return model.requests.at(-1)!.asked.results
}

for (const upstream of ['messages', 'chat', 'responses', 'gemini']) {
  test(`in the order of their calls the second refers to the first, on ${upstream}`, async () => {
    const [first, second] = await shown(upstream, two([result('a'), result('b')]))
    expect(first).toBe(lines)
    expect(second).toContain('tool result #1')
  })

  test(`in another order nothing refers to anything, on ${upstream}`, async () => {
    for (const text of await shown(upstream, two([result('b'), result('a')]))) expect(text).toBe(lines)
  })
}

// Anthropic itself takes no call without a result
for (const upstream of ['chat', 'responses', 'gemini']) {
  test(`behind a call that was never answered nothing is counted wrong, on ${upstream}`, async () => {
    const more = [
      { role: 'assistant', content: [use('c')] },
      { role: 'user', content: [result('c')] },
      { role: 'assistant', content: [use('d')] },
      { role: 'user', content: [result('d')] },
    ]
    // b comes as the second of two: who counts the stand-in for a comes to 3 for c, and who does not to 2
    const [last] = await shown(upstream, [...two([result('b')]), ...more])
    expect(last).toContain('tool result #3')
  })
}
