/**
 * The mock upstream's replies as complete HTTP/1.1 bytes, built once.
 *
 * Owns the wire text of the four modes. A mode is the first segment of the request's path:
 * `whole` = a JSON reply of about 1 KB · `burst` = a stream of 20 frames sent in one piece · `paced` = 50 frames a second ·
 * `slow` = one frame a second.
 */

export const modes = ['whole', 'burst', 'paced', 'slow'] as const
export type Mode = (typeof modes)[number]

/** The model id that a gateway sees; its upstream calls the model something else, so that it must be spliced. */
export function modelOf(mode: Mode): string {
  return `bench/${mode}`
}

const head = '"id":"chatcmpl-0123456789abcdef01234567","object":"chat.completion.chunk","created":1767225600,"model":"mock-1"'
const usage = '{"prompt_tokens":250,"completion_tokens":20,"total_tokens":270}'

/** One content frame: 190 bytes of SSE. */
const frame = sse(`{${head},"choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}`)
const first = sse(`{${head},"choices":[{"index":0,"delta":{"role":"assistant","content":"First"},"finish_reason":null}]}`)
const last = `${sse(`{${head},"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)}${sse('[DONE]')}`

const streamHead = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n'
const wholeBody = JSON.stringify({
  id: 'chatcmpl-0123456789abcdef01234567',
  object: 'chat.completion',
  created: 1_767_225_600,
  model: 'mock-1',
  choices: [{ index: 0, message: { role: 'assistant', content: 'A plain answer. '.repeat(43), refusal: null }, finish_reason: 'stop' }],
  usage: JSON.parse(usage) as unknown,
})

export const wholeReply = bytes(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${wholeBody.length}\r\n\r\n${wholeBody}`,
)
export const burstReply = bytes(`${streamHead}${chunked(first)}${chunked(frame).repeat(18)}${chunked(last)}0\r\n\r\n`)
export const streamStart = bytes(`${streamHead}${chunked(first)}`)
export const streamFrame = bytes(chunked(frame))
export const streamEnd = bytes(`${chunked(last)}0\r\n\r\n`)

function sse(data: string): string {
  return `data: ${data}\n\n`
}
function chunked(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`
}
function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}
