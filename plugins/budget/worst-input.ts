/**
 * The most input tokens that a request can be: an upper bound, made without a tokenizer.
 *
 * Every token of a text stands for at least one byte of it, and JSON text is never shorter than the text that it holds. So the bytes of the body bound its
 * texts, its tools and the words around them. Pictures are bounded by what the dearest provider counts for one, whatever their bytes. What is not
 * in the body (files by id, earlier replies, documents, what a provider's own tools read) may fill the model's context; nothing can be more than that.
 */

import type { Json } from 'headgate/plugin'

/** What providers put around a request: the words that tell of tools, of a schema, of thinking. */
const around = 2000
/** The most that a picture counts: 10,000 patches. */
const perImage = 12_000
/** GPT-4o mini counts a picture as 33 times what others do. */
const perImageOfMini = 50_000
const mini = /4o-mini/

/** Words without which a body holds only text. Looked for natively: most bodies need not be walked. */
const words = [
  'image',
  'Data"',
  '_data"',
  '"file',
  'document"',
  'audio"',
  'video',
  'search',
  '"prompt"',
  'item_reference',
  '"tools"',
  'computer',
]
const more = ['previous_response_id', '"conversation"', 'container', 'cachedContent', 'cached_content', 'mcp_servers']
/** Letters may be written as escapes, and then no word is found. */
const escaped = '\\u00'
const needles = [...words, ...more, escaped].map((word) => Buffer.from(word))

/** Tools that a provider runs itself and whose results it reads; those that clients run are told by a fixed text. */
const ownTool = /^(function|custom|bash|text_editor|computer|memory|apply_patch|local_shell|shell|namespace)/
const googles = /^(google_?search|url_?context|code_?execution|file_?search|google_?maps|enterprise)/i
/** Types of content that stand for what is elsewhere, or can't be bounded by bytes. */
const unbounded = /^(input_file|file|document|input_audio|audio|video|video_url|item_reference|container_upload|search_result)$/
const image = /^(image|image_url|input_image|computer_screenshot)$/
/** The same, by the member that holds it. */
const elsewhere = ['file_id', 'fileData', 'file_data', 'document', 'video'] as const
const atTop = [
  'previous_response_id',
  'conversation',
  'cachedContent',
  'cached_content',
  'container',
  'web_search_options',
  'mcp_servers',
] as const
/** Members that hold what a tool takes: text to the model, whatever stands in it. */
const opaque: ReadonlySet<string> = new Set([
  'parameters',
  'parametersJsonSchema',
  'input_schema',
  'inputSchema',
  'schema',
  'args',
  'arguments',
])

interface Found {
  images: number
  /** Bytes that are no text: base64 of pictures. */
  data: number
  unbounded: boolean
}

/**
 * Tokens at most.
 * @param json asked for only when the bytes don't show that all is text
 * @param context the most that the model can read
 */
export function worstInput(bytes: Uint8Array, json: () => Json, model: string, context: number): number {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const plain = Math.min(context, bytes.length + around)
  if (!needles.some((needle) => body.includes(needle))) return plain
  const found: Found = { images: 0, data: 0, unbounded: false }
  const top = json()
  look(top, found, 0)
  lookAtTop(top, found)
  if (found.unbounded) return context
  const text = Math.max(0, bytes.length - found.data) + around
  return Math.min(context, text + found.images * (mini.test(model) ? perImageOfMini : perImage))
}

/** Deeper than any dialect puts content; what stands deeper is bounded by its bytes. */
const deepest = 24

function look(value: Json, found: Found, depth: number): void {
  if (typeof value !== 'object' || value === null || depth > deepest || found.unbounded) return
  if (isList(value)) {
    for (const item of value) look(item, found, depth + 1)
    return
  }
  const { type } = value
  if (typeof type === 'string') {
    if (unbounded.test(type)) {
      found.unbounded = true
      return
    }
    // a message that calls itself a picture holds text all the same
    if (image.test(type) && value.role === undefined) {
      picture(value, found)
      return
    }
  }
  if (elsewhere.some((name) => value[name] !== undefined && value[name] !== null)) {
    found.unbounded = true
    return
  }
  const inline = value.inlineData ?? value.inline_data
  if (isMap(inline)) {
    const mime = inline.mimeType ?? inline.mime_type
    if (typeof mime === 'string' && mime.startsWith('image/')) picture(inline, found)
    else found.unbounded = true
    return
  }
  if (isMap(value.image)) {
    picture(value.image, found) // Converse
    return
  }
  for (const name in value) if (!opaque.has(name) && !(name === 'input' && type === 'tool_use')) look(value[name]!, found, depth + 1)
}

/** What is said once for the whole request. */
function lookAtTop(top: Json, found: Found): void {
  if (!isMap(top)) return
  if (isMap(top.prompt)) found.unbounded = true // a stored prompt
  if (atTop.some((name) => top[name] !== undefined && top[name] !== null)) found.unbounded = true
  const { tools } = top
  if (!Array.isArray(tools)) return
  for (const tool of tools as readonly Json[]) {
    if (!isMap(tool)) continue
    if (typeof tool.type === 'string' && !ownTool.test(tool.type)) found.unbounded = true
    // Gemini: what is no list of declarations runs at the provider
    if (Object.keys(tool).some((name) => googles.test(name))) found.unbounded = true
  }
}

/** A picture: its base64 is no text. */
function picture(value: Json, found: Found): void {
  found.images++
  found.data += longest(value, 0)
}

/** Length of the longest text within; pictures have one. */
function longest(value: Json | undefined, depth: number): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null || depth > 4) return 0
  let most = 0
  for (const item of isList(value) ? value : Object.values(value)) most = Math.max(most, longest(item, depth + 1))
  return most
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
function isMap(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
