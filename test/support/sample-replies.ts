/**
 * Small correct replies and errors of three dialects, made up, for upstreams that misbehave with them.
 *
 * Owns the wire text. The visible text of every reply is `sampleText`; frames are complete, with their empty line.
 */

export type SampleDialect = 'openai-chat' | 'openai-responses' | 'anthropic-messages'

export const sampleText = 'Hello there, friend'
const pieces = ['Hello', ' there', ', friend']

/** The dialect that a request path asks for. */
export function dialectOfPath(path: string): SampleDialect {
  if (path.includes('/messages')) return 'anthropic-messages'
  return path.includes('/responses') ? 'openai-responses' : 'openai-chat'
}

export interface SampleStream {
  /** Frames before any content. */
  readonly opening: readonly string[]
  readonly content: readonly string[]
  /** Stop reason, usage and terminal frame. */
  readonly closing: readonly string[]
}

const chatHead = '"id":"chatcmpl-sample","object":"chat.completion.chunk","created":1767225600,"model":"sample"'
const chatUsage = '{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}'

function chatFrame(delta: string, finish = 'null'): string {
  return `data: {${chatHead},"choices":[{"index":0,"delta":${delta},"finish_reason":${finish}}]}\n\n`
}

function messagesFrame(type: string, rest: string): string {
  return `event: ${type}\ndata: {"type":"${type}"${rest}}\n\n`
}

const messageHead = '"id":"msg_sample","type":"message","role":"assistant","model":"sample"'

/** A response as it stands in its events; `rest` continues the object. */
function response(status: string, rest: string): string {
  const settings =
    '"error":null,"incomplete_details":null,"instructions":null,"metadata":{},"parallel_tool_calls":true,"temperature":1,"tool_choice":"auto","tools":[],"top_p":1'
  return `{"id":"resp_sample","object":"response","created_at":1767225600,"status":"${status}","model":"sample",${settings},${rest}}`
}
const textPart = (text: string) => `{"type":"output_text","text":${JSON.stringify(text)},"annotations":[]}`
const outputItem = (status: string, content: string) =>
  `{"type":"message","id":"msg_item","status":"${status}","role":"assistant","content":[${content}]}`
const responsesUsage =
  '{"input_tokens":11,"input_tokens_details":{"cached_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":14}'
const wholeResponse = response('completed', `"output":[${outputItem('completed', textPart(sampleText))}],"usage":${responsesUsage}`)

let sequence = 0
function responsesFrame(type: string, rest: string): string {
  return `event: ${type}\ndata: {"type":"${type}","sequence_number":${sequence++},${rest}}\n\n`
}
const inPart = '"item_id":"msg_item","output_index":0,"content_index":0'

const streams: Readonly<Record<SampleDialect, SampleStream>> = {
  'openai-chat': {
    opening: [chatFrame('{"role":"assistant","content":""}')],
    content: pieces.map((piece) => chatFrame(`{"content":${JSON.stringify(piece)}}`)),
    closing: [chatFrame('{}', '"stop"'), `data: {${chatHead},"choices":[],"usage":${chatUsage}}\n\n`, 'data: [DONE]\n\n'],
  },
  'openai-responses': {
    opening: [
      responsesFrame('response.created', `"response":${response('in_progress', '"output":[],"usage":null')}`),
      responsesFrame('response.in_progress', `"response":${response('in_progress', '"output":[],"usage":null')}`),
      responsesFrame('response.output_item.added', `"output_index":0,"item":${outputItem('in_progress', '')}`),
      responsesFrame('response.content_part.added', `${inPart},"part":${textPart('')}`),
    ],
    content: pieces.map((piece) => responsesFrame('response.output_text.delta', `${inPart},"delta":${JSON.stringify(piece)}`)),
    closing: [
      responsesFrame('response.output_text.done', `${inPart},"text":${JSON.stringify(sampleText)}`),
      responsesFrame('response.content_part.done', `${inPart},"part":${textPart(sampleText)}`),
      responsesFrame('response.output_item.done', `"output_index":0,"item":${outputItem('completed', textPart(sampleText))}`),
      responsesFrame('response.completed', `"response":${wholeResponse}`),
    ],
  },
  'anthropic-messages': {
    opening: [
      messagesFrame(
        'message_start',
        `,"message":{${messageHead},"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":11,"output_tokens":1}}`,
      ),
      messagesFrame('content_block_start', ',"index":0,"content_block":{"type":"text","text":""}'),
      messagesFrame('ping', ''),
    ],
    content: pieces.map((piece) =>
      messagesFrame('content_block_delta', `,"index":0,"delta":{"type":"text_delta","text":${JSON.stringify(piece)}}`),
    ),
    closing: [
      messagesFrame('content_block_stop', ',"index":0'),
      messagesFrame('message_delta', ',"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}'),
      messagesFrame('message_stop', ''),
    ],
  },
}

export function sampleStream(dialect: SampleDialect): SampleStream {
  return streams[dialect]
}

/** A whole reply as JSON text. */
export function sampleWhole(dialect: SampleDialect): string {
  if (dialect === 'openai-responses') return wholeResponse
  return dialect === 'openai-chat'
    ? `{"id":"chatcmpl-sample","object":"chat.completion","created":1767225600,"model":"sample","choices":[{"index":0,"message":{"role":"assistant","content":"${sampleText}","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":${chatUsage}}`
    : `{${messageHead},"content":[{"type":"text","text":"${sampleText}"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":11,"output_tokens":3}}`
}

/** The body of an error. */
export function sampleError(dialect: SampleDialect, message = 'Overloaded'): string {
  const text = JSON.stringify(message)
  return dialect !== 'anthropic-messages'
    ? `{"error":{"message":${text},"type":"server_error","param":null,"code":"overloaded"}}`
    : `{"type":"error","error":{"type":"overloaded_error","message":${text}},"request_id":"req_sample"}`
}

/** The same error as a frame of a stream. */
export function sampleErrorFrame(dialect: SampleDialect, message = 'Overloaded'): string {
  if (dialect === 'openai-responses') {
    return `event: error\ndata: {"type":"error","sequence_number":9,"code":"overloaded","message":${JSON.stringify(message)},"param":null}\n\n`
  }
  const event = dialect === 'anthropic-messages' ? 'event: error\n' : ''
  return `${event}data: ${sampleError(dialect, message)}\n\n`
}
