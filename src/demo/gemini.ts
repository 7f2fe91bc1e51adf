/**
 * The demo's Gemini: generateContent, streamGenerateContent, countTokens and the embeddings. The model and the wish for a stream stand in the path.
 *
 * Owns the wire shapes of this dialect inside the demo and nothing else. Streams are events (`alt=sse`), as all SDKs ask for them.
 */

import { type Answer, estimateTokens, type OfferedTool, type Question, words } from './answer.ts'
import { type DemoDialect, type Frame, invalid, type Mistake, newId } from './dialect.ts'
import { contentText, count, type Fields, fields, isFields, list, text } from './fields.ts'
import { largestSize, vectorOf } from './vectors.ts'

const call = /^\/(?:v1beta|v1alpha|v1)\/models\/([^/]+):(\w+)$/
const verbs = ['generateContent', 'streamGenerateContent', 'countTokens', 'embedContent', 'batchEmbedContents']

export const gemini: DemoDialect = {
  paths: [],
  named(path) {
    const [, model = '', verb = ''] = call.exec(path) ?? []
    return verbs.includes(verb) ? { model, stream: verb === 'streamGenerateContent' } : undefined
  },
  direct: (path, body) => (path.includes('mbedContent') ? embedded(path, body) : undefined),
  read,
  count: (path, { inputTokens }) =>
    path.endsWith(':countTokens')
      ? { totalTokens: inputTokens, promptTokensDetails: [{ modality: 'TEXT', tokenCount: inputTokens }] }
      : undefined,
  whole: (answer) => ({ ...head(), candidates: [candidate(parts(answer), answer.stop)], usageMetadata: usage(answer) }),
  frames,
  error: ({ message, param, status }) => ({
    error: {
      code: status,
      message: param === undefined ? message : `${param}: ${message}`,
      status: statusWords[status] ?? 'INVALID_ARGUMENT',
    },
  }),
}

const statusWords: Readonly<Record<number, string>> = { 404: 'NOT_FOUND', 405: 'UNIMPLEMENTED' }

function read(given: Fields): Question | Mistake {
  // countTokens may hold a whole request
  const body = isFields(given.generateContentRequest) ? { ...given, ...given.generateContentRequest } : given
  const contents = body.contents
  if (!Array.isArray(contents) || contents.length === 0 || !contents.every(isFields)) {
    return invalid('must be a list of at least one content', 'contents')
  }
  const config = fields(body.generationConfig)
  const results = partsOf(contents.at(-1)).flatMap((part) => (isFields(part.functionResponse) ? [part.functionResponse] : []))
  const user = contents.findLast((one) => one.role !== 'model' && partsOf(one).some((part) => text(part.text) !== ''))
  const limit = count(config.maxOutputTokens)
  const schema = config.responseJsonSchema ?? config.responseSchema
  const [first] = results
  return {
    stream: body.stream === true,
    said: contentText(user?.parts),
    ...(first
      ? { result: { tool: text(first.name) || 'you ran', text: results.map((one) => JSON.stringify(one.response)).join('\n') } }
      : {}),
    ...readTools(body),
    ...(config.responseMimeType === 'application/json' ? { json: lowered(schema ?? {}) } : {}),
    ...(limit === undefined ? {} : { limit }),
    inputTokens: estimateTokens(JSON.stringify([body.systemInstruction, contents, body.tools])),
  }
}

function partsOf(content: unknown): Fields[] {
  return list(fields(content).parts).map(fields)
}

function readTools(body: Fields): Pick<Question, 'tools' | 'choice'> {
  const tools: OfferedTool[] = []
  for (const declared of list(body.tools)
    .flatMap((tool) => list(fields(tool).functionDeclarations))
    .map(fields)) {
    if (text(declared.name) !== '')
      tools.push({ name: text(declared.name), schema: lowered(declared.parametersJsonSchema ?? declared.parameters) })
  }
  const { mode, allowedFunctionNames } = fields(fields(body.toolConfig).functionCallingConfig)
  if (mode === 'NONE') return { tools, choice: 'none' }
  const allowed = list(allowedFunctionNames)
  return { tools: allowed.length > 0 ? tools.filter((tool) => allowed.includes(tool.name)) : tools, choice: 'auto' }
}

/** Google's own schemas spell types in capitals. */
function lowered(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(lowered)
  if (!isFields(schema)) return schema
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, key === 'type' && typeof value === 'string' ? value.toLowerCase() : lowered(value)]),
  )
}

const head = () => ({ responseId: newId(''), modelVersion: 'demo' })

function parts({ call: made, text: said }: Answer): Fields[] {
  return [made ? { functionCall: { name: made.name, args: made.input } } : { text: said }]
}

function candidate(said: readonly Fields[], stop: Answer['stop'] | undefined): Fields {
  const reason = stop === undefined ? {} : { finishReason: stop === 'length' ? 'MAX_TOKENS' : 'STOP' }
  return { content: { role: 'model', parts: said }, ...reason, index: 0 }
}

function usage({ inputTokens, outputTokens }: Answer): Fields {
  return { promptTokenCount: inputTokens, candidatesTokenCount: outputTokens, totalTokenCount: inputTokens + outputTokens }
}

function* frames(answer: Answer): Generator<Frame> {
  const same = head()
  const frame = (pause: Frame['pause'], said: readonly Fields[], stop?: Answer['stop']): Frame => ({
    pause,
    text: `data: ${JSON.stringify({ candidates: [candidate(said, stop)], usageMetadata: usage(answer), ...same })}\r\n\r\n`,
  })
  // a call comes whole; of a text the last word comes with the end
  const pieces = answer.call ? [parts(answer)] : words(answer.text).map((piece) => [{ text: piece }])
  for (const [i, piece] of pieces.entries()) {
    const last = i === pieces.length - 1
    yield frame(i === 0 ? 'first' : 'word', piece, last ? answer.stop : undefined)
  }
}

function embedded(path: string, body: Fields): Fields | Mistake {
  const batch = path.endsWith(':batchEmbedContents')
  const requests = batch ? list(body.requests).map(fields) : [body]
  if (requests.length === 0) return invalid('must hold at least one request', 'requests')
  const vectors = requests.map((request) => {
    const size = count(request.outputDimensionality)
    return { values: vectorOf(contentText(fields(request.content).parts), size === undefined ? undefined : Math.min(size, largestSize)) }
  })
  return batch ? { embeddings: vectors } : { embedding: vectors[0] }
}
