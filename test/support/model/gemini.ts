/** The scripted model as a Gemini server: the proof sits on the first call, results must match calls in number, streams have CRLF. */

import { type Asked, items, type Said, shape, textOf, tokens, word } from './script.ts'

export function readGemini(body: Record<string, unknown>, model: string, stream: boolean): Asked {
  const contents = items(body.contents)
  const last = contents.findLastIndex((c) => c.role === 'model')
  const parts = items(contents[last]?.parts)
  const after = contents.slice(last + 1).flatMap((c) => items(c.parts))
  const mode = shape(shape(body.toolConfig).functionCallingConfig)
  const config = shape(body.generationConfig)
  return {
    model,
    stream,
    system: items(shape(body.systemInstruction).parts).map((part) => word(part.text)),
    prompt: textOf(contents.findLast((c) => c.role !== 'model')?.parts),
    tools:
      mode.mode === 'NONE'
        ? []
        : items(body.tools).flatMap((tool) =>
            items(tool.functionDeclarations).map((f) => ({ name: word(f.name), schema: f.parametersJsonSchema ?? f.parameters })),
          ),
    forced: mode.mode === 'ANY' ? (Array.isArray(mode.allowedFunctionNames) ? word(mode.allowedFunctionNames[0]) : true) : undefined,
    schema: config.responseJsonSchema ?? config.responseSchema,
    results: after.filter((part) => part.functionResponse).map((part) => resultText(shape(part.functionResponse).response)),
    calls: parts
      .filter((part) => part.functionCall)
      .map((part) => ({
        id: word(shape(part.functionCall).id),
        name: word(shape(part.functionCall).name),
        args: shape(part.functionCall).args ?? {},
      })),
    proofs: parts.map((part) => word(part.thoughtSignature)).filter(Boolean),
  }
}

function resultText(response: unknown): string {
  const values = Object.values(shape(response))
  return values.length === 1 && typeof values[0] === 'string' ? values[0] : JSON.stringify(response)
}

/** What the real server would refuse a request for. */
export function faultOfGemini(body: Record<string, unknown>): string | undefined {
  let calls = 0
  for (const [i, content] of items(body.contents).entries()) {
    const parts = items(content.parts)
    if (parts.length === 0) return `contents[${i}].parts: must not be empty`
    const results = parts.filter((part) => part.functionResponse).length
    if (calls !== results)
      return `contents[${i}]: the number of function response parts must equal the number of function call parts (${results} of ${calls})`
    const made = parts.filter((part) => part.functionCall)
    if (made.length > 0 && content.role !== 'model') return `contents[${i}]: function calls of role ${word(content.role)}`
    if (made.length > 0 && !made[0]!.thoughtSignature) return `contents[${i}]: function call is missing a thought_signature`
    calls = made.length
  }
  return undefined
}

function partsOf(said: Said): Record<string, unknown>[] {
  return [
    ...(said.thought === '' ? [] : [{ text: said.thought, thought: true }]),
    ...(said.text === '' ? [] : [{ text: said.text }]),
    ...said.calls.map((call, i) => ({
      functionCall: { name: call.name, args: call.args },
      ...(i === 0 && said.proof !== '' && { thoughtSignature: said.proof }),
    })),
  ]
}

const usageMetadata = {
  promptTokenCount: tokens.input,
  cachedContentTokenCount: tokens.cached,
  candidatesTokenCount: tokens.output - tokens.reasoning,
  thoughtsTokenCount: tokens.reasoning,
  totalTokenCount: tokens.input + tokens.output,
}

export function writeGemini(model: string, said: Said, id: string): object {
  return {
    candidates: [{ content: { role: 'model', parts: partsOf(said) }, finishReason: 'STOP', index: 0 }],
    usageMetadata,
    modelVersion: model,
    responseId: id,
  }
}

export function* streamGemini(model: string, said: Said, id: string): Generator<string> {
  const parts = partsOf(said).flatMap((part) => (part.text === said.text ? said.text.split(/(?<= )/).map((text) => ({ text })) : [part]))
  for (const [i, part] of parts.entries()) {
    const last = i === parts.length - 1
    const candidate = { content: { role: 'model', parts: [part] }, ...(last && { finishReason: 'STOP' }), index: 0 }
    yield `data: ${JSON.stringify({ candidates: [candidate], usageMetadata, modelVersion: model, responseId: id })}\r\n\r\n`
  }
}
