/** Golden: every recorded Gemini request, read into the neutral conversation and written again in the same dialect. */

import { describe, expect, test } from 'bun:test'
import { capabilitiesOf } from '../../src/dialect/capabilities.ts'
import type { Conversation } from '../../src/dialect/conversation.ts'
import { geminiGenerate } from '../../src/dialect/gemini/index.ts'
import { jsonSource } from '../../src/dialect/json-source.ts'
import { writeJson } from '../../src/dialect/json-text.ts'
import { LossReport } from '../../src/dialect/loss.ts'
import { hasRecordings, recordings } from './recordings.ts'

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON of unknown shape
type Loose = any

const codec = geminiGenerate.request!
const all = recordings('gemini-generate').filter((recording) => recording.request !== undefined)

function read(body: Loose): { conversation: Conversation; report: LossReport } {
  const report = new LossReport()
  return { conversation: codec.read(jsonSource(Buffer.from(JSON.stringify(body)))!, report), report }
}

/** For the upstream whose proofs the request holds: it is not known, as they are not tagged. */
function write(conversation: Conversation, model = 'gemini-2.5-pro'): { body: Loose; report: LossReport } {
  const report = new LossReport()
  const can = capabilitiesOf('gemini-generate', 'generativelanguage.googleapis.com', model)
  const target = { model, upstream: '', can, toolName: (name: string) => name, maxOutput: undefined }
  return { body: JSON.parse(writeJson(codec.write(conversation, target, report))), report }
}

const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
const plain = (data: string): string => data.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '')
const dummies = /^(skip_thought|c2tpcF90aG91)/

/** All parts that mean something, in order, with names in one spelling. */
function partsOf(body: Loose): Loose[] {
  const parts: Loose[] = []
  for (const content of body.contents ?? []) {
    for (const given of content.parts ?? []) {
      const part: Loose = Object.fromEntries(Object.entries(given).map(([name, value]) => [camel(name), value]))
      if (part.executableCode || part.codeExecutionResult || part.toolCall || part.toolResponse) continue
      if (part.thought && !part.thoughtSignature) continue
      if ((part.text === '' || part.text === '(start of the conversation)') && !part.thoughtSignature) continue
      const told: Loose = { signature: dummies.test(part.thoughtSignature ?? '') ? undefined : part.thoughtSignature }
      if (part.text !== undefined) told.text = part.text
      if (part.inlineData) told.data = plain(part.inlineData.data)
      if (part.fileData) told.uri = part.fileData.fileUri ?? part.fileData.file_uri
      if (part.functionCall) told.call = [part.functionCall.name, part.functionCall.args ?? {}]
      if (part.functionResponse) told.response = part.functionResponse.name
      if (Object.values(told).some((value) => value !== undefined)) parts.push(told)
    }
  }
  return parts
}

describe.skipIf(!hasRecordings)(`gemini-generate: ${all.length} recorded requests`, () => {
  test('read and written again, they say the same in the same order', () => {
    let calls = 0
    for (const { id, request } of all) {
      const given = request as Loose
      const { conversation, report } = read(given)
      expect([id, report.refusal]).toEqual([id, undefined])
      const { body, report: written } = write(conversation)
      expect([id, written.refusal]).toEqual([id, undefined])
      // a prompt of nothing but an instruction becomes a word of the user's
      if (partsOf(given).length === 0) continue
      const inResults = JSON.stringify(given).includes('"parts":[{"inline_data') || JSON.stringify(given).includes('"parts":[{"file_data')
      const before = partsOf(given)
      const after = partsOf(body)
      if (!inResults) expect({ id, parts: after }).toEqual({ id, parts: before })
      calls += before.filter((part) => part.call).length
      const texts = (system: Loose): string => (system?.parts ?? []).map((part: Loose) => part.text).join('|')
      expect([id, texts(body.systemInstruction)]).toEqual([id, texts(given.systemInstruction)])
      const declared = (tools: Loose): Loose[] => (tools ?? []).flatMap((tool: Loose) => tool.functionDeclarations ?? [])
      expect([id, declared(body.tools).map((tool) => [tool.name, tool.description])]).toEqual([
        id,
        declared(given.tools).map((tool) => [tool.name, tool.description || undefined]),
      ])
      for (const [i, tool] of declared(given.tools).entries()) {
        const schema = tool.parametersJsonSchema ?? tool.parameters_json_schema
        if (schema) expect([id, JSON.stringify(declared(body.tools)[i].parametersJsonSchema)]).toEqual([id, JSON.stringify(schema)])
      }
      const config = given.generationConfig ?? {}
      for (const name of ['maxOutputTokens', 'temperature', 'topP', 'topK', 'responseMimeType', 'responseJsonSchema']) {
        expect([id, name, body.generationConfig?.[name]]).toEqual([id, name, config[name]])
      }
    }
    expect(calls).toBeGreaterThan(100)
  })

  test('C08: answers stand in one content behind their calls, as many as these', () => {
    for (const { id, request } of all) {
      const { body } = write(read(request).conversation)
      for (const [i, content] of body.contents.entries()) {
        const made = content.parts.filter((part: Loose) => part.functionCall).map((part: Loose) => part.functionCall.id)
        if (made.length === 0) continue
        const answers = body.contents[i + 1].parts.filter((part: Loose) => part.functionResponse)
        expect([id, answers.map((part: Loose) => part.functionResponse.id)]).toEqual([id, made])
      }
      expect(body.contents.every((content: Loose, i: number) => i === 0 || content.role !== body.contents[i - 1].role)).toBe(true)
    }
  })

  test('what is written reads as the same conversation', () => {
    const bare = (conversation: Conversation): Loose => {
      const { extras: _, names: __, ...rest } = conversation
      // pointers and the place of media change with the spelling
      return JSON.parse(JSON.stringify(rest, (key, value) => (key === 'field' || key === 'id' ? undefined : value)))
    }
    for (const { id, request } of all) {
      if (/"parts":\[\{"(inline|file)_data|executableCode|toolCall/.test(JSON.stringify(request))) continue
      const { conversation } = read(request)
      const once = read(write(conversation).body).conversation
      const twice = read(write(once).body).conversation
      expect({ id, ...bare(twice) }).toEqual({ id, ...bare(once) })
    }
  })

  test('C19: no signature is made up, but for the documented stand-in on Gemini 3', () => {
    let standIns = 0
    for (const { id, request } of all) {
      const { conversation } = read(request)
      const given = JSON.stringify(request)
      for (const model of ['gemini-2.5-flash', 'gemini-3-flash-preview']) {
        for (const content of write(conversation, model).body.contents) {
          for (const part of content.parts) {
            const signature = part.thoughtSignature
            if (signature === undefined) continue
            if (signature === 'skip_thought_signature_validator') {
              standIns++
              expect([id, model, part.functionCall !== undefined]).toEqual([id, 'gemini-3-flash-preview', true])
            } else expect([id, given.includes(JSON.stringify(signature))]).toEqual([id, true])
          }
        }
      }
    }
    expect(standIns).toBeGreaterThan(0)
  })
})
