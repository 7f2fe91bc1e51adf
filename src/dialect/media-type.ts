/**
 * What inline media really are: their first bytes know better than what the client called them (H19). And what writers make of them alike: URLs,
 * words for formats, texts.
 *
 * Providers reject an image whose stated type is wrong, or spelled `image/jpg`.
 */

import type { MediaContent } from './conversation.ts'

const spellings: Readonly<Record<string, string>> = {
  'image/jpg': 'image/jpeg',
  'image/pjpeg': 'image/jpeg',
  'application/x-pdf': 'application/pdf',
}

/** The MIME type of base64 data: by its first bytes where they tell, else the stated one in its usual spelling. */
export function mimeOf(base64: string, stated: string): string {
  const bytes = Buffer.from(base64.slice(0, 24), 'base64')
  const ascii = bytes.toString('latin1')
  if (ascii.startsWith('\x89PNG')) return 'image/png'
  if (ascii.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  if (ascii.startsWith('GIF8')) return 'image/gif'
  if (ascii.startsWith('RIFF') && ascii.slice(8, 12) === 'WEBP') return 'image/webp'
  if (ascii.startsWith('%PDF')) return 'application/pdf'
  const plain = (stated.split(';')[0] ?? '').trim().toLowerCase()
  return spellings[plain] ?? plain
}

const byEnding: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  heic: 'image/heic',
  pdf: 'application/pdf',
  txt: 'text/plain',
  mp3: 'audio/mp3',
  wav: 'audio/wav',
  mp4: 'video/mp4',
}
const usual: Readonly<Record<string, string>> = { image: 'image/jpeg', document: 'application/pdf', audio: 'audio/mp3', video: 'video/mp4' }

/** The MIME type by the ending of an address, else the usual one of its kind: a provider that fetches it wants to be told one. */
export function mimeOfUrl(url: string, kind: 'image' | 'document' | 'audio' | 'video'): string | undefined {
  const ending = /\.([a-z0-9]{3,4})(?:$|[?#])/i.exec(url)?.[1]?.toLowerCase()
  return (ending === undefined ? undefined : byEnding[ending]) ?? usual[kind]
}

/** Inline data as a URL. */
export function dataUrlOf({ data, mime }: { readonly data: string; readonly mime: string }): string {
  return `data:${mimeOf(data, mime)};base64,${data}`
}

/** The word for a sound's format that OpenAI's APIs take. */
export function audioFormat(mime: string): string {
  const kind = mime.slice(mime.indexOf('/') + 1).replace(/^x-|;.*$/g, '')
  return kind === 'mpeg' ? 'mp3' : kind === 'wave' ? 'wav' : kind
}

const textTypes = /^(text\/.*|application\/(json|xml|yaml|x-yaml|javascript|x-ndjson|toml|sql))$/

/** True for documents that are text, by their type as `mimeOf` gives it. */
export function isTextType(mime: string): boolean {
  return textTypes.test(mime)
}

/** The text of a document that is one, with its name in front; undefined for any other. */
export function documentText({ name, source }: MediaContent): string | undefined {
  const inside = source.kind === 'base64' && isTextType(mimeOf(source.data, source.mime))
  const text = source.kind === 'text' ? source.text : inside ? Buffer.from(source.data, 'base64').toString() : undefined
  return text === undefined || name === undefined ? text : `${name}:\n${text}`
}
