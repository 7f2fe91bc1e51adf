import { expect, test } from 'bun:test'
import { mimeOf } from './media-type.ts'

const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64')

test('H19: the first bytes win over the stated type; a stated type gets its usual spelling', () => {
  expect(mimeOf(base64('\x89PNG\r\n\x1a\n'), 'image/jpeg')).toBe('image/png')
  expect(mimeOf(base64('\xff\xd8\xff\xe0 more of it'), 'image/png')).toBe('image/jpeg')
  expect(mimeOf(base64('RIFFxxxxWEBPVP8 '), '')).toBe('image/webp')
  expect(mimeOf(base64('GIF89a'), 'x')).toBe('image/gif')
  expect(mimeOf(base64('%PDF-1.7'), 'text/plain')).toBe('application/pdf')
  expect(mimeOf(base64('hello'), 'IMAGE/JPG; q=1')).toBe('image/jpeg')
})
