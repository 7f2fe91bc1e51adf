import { describe, expect, test } from 'bun:test'
import { jsonSource } from '../json-source.ts'
import { LossReport } from '../loss.ts'
import { geminiCountTokens } from './index.ts'

const read = (body: object) => geminiCountTokens.request!.read(jsonSource(Buffer.from(JSON.stringify(body)))!, new LossReport())

describe('H09: what countTokens counts', () => {
  const contents = [{ role: 'user', parts: [{ text: 'How long is this?' }] }]
  const systemInstruction = { parts: [{ text: 'Be brief.' }] }

  test('the contents, so that other upstreams can be estimated', () => {
    expect(read({ contents }).turns).toEqual([{ role: 'user', content: [{ type: 'text', text: 'How long is this?' }] }])
  })

  test('a whole request in a member of its own', () => {
    const { turns } = read({ generateContentRequest: { model: 'models/m', contents, systemInstruction } })
    expect(turns.map((turn) => turn.role)).toEqual(['system', 'user'])
  })
})
