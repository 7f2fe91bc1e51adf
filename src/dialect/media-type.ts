/**
 * What inline media really are: their first bytes know better than what the client called them (H19).
 *
 * Providers reject an image whose stated type is wrong, or spelled `image/jpg`.
 */

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
