/** Media of a Gemini request: inline bytes and references to files, as neutral content (PROTOCOL §1.1). */

import type { MediaContent } from '../conversation.ts'
import { type JsonObject, objectOf, wordOf } from '../shape.ts'
import { member } from './names.ts'

/** The media of a part; undefined when it holds none. */
export function mediaOf(part: JsonObject, field: string): MediaContent | undefined {
  const inline = objectOf(member(part, 'inlineData'))
  const data = wordOf(inline?.data)
  if (inline && data !== undefined) {
    const mime = wordOf(member(inline, 'mimeType')) ?? 'application/octet-stream'
    const name = wordOf(member(inline, 'displayName'))
    return { type: 'media', kind: kindOf(mime), source: { kind: 'base64', mime, data: plainBase64(data) }, name, field }
  }
  const file = objectOf(member(part, 'fileData'))
  const uri = wordOf(member(file, 'fileUri'))
  if (!file || uri === undefined) return undefined
  const mime = wordOf(member(file, 'mimeType'))
  const name = wordOf(member(file, 'displayName'))
  const kind = kindOf(mime ?? (isVideoSite(uri) ? 'video/mp4' : ''))
  return { type: 'media', kind, source: isPublic(uri) ? { kind: 'url', url: uri, mime } : { kind: 'file', id: uri }, name, field }
}

function kindOf(mime: string): MediaContent['kind'] {
  const kind = mime.slice(0, mime.indexOf('/'))
  return kind === 'image' || kind === 'audio' || kind === 'video' ? kind : 'document'
}

/** Google's SDKs write base64 for URLs. */
function plainBase64(data: string): string {
  if (!/[-_]/.test(data) && data.length % 4 === 0) return data
  const plain = data.replaceAll('-', '+').replaceAll('_', '/')
  return plain.padEnd(Math.ceil(plain.length / 4) * 4, '=')
}

/** True for an address that others than Google can fetch: no file of its file API, no bucket. */
function isPublic(uri: string): boolean {
  return /^https?:\/\//i.test(uri) && !/^https?:\/\/generativelanguage\.googleapis\.com\//i.test(uri)
}

function isVideoSite(uri: string): boolean {
  return /^https?:\/\/([a-z]+\.)?(youtube\.com|youtu\.be)\//i.test(uri)
}
