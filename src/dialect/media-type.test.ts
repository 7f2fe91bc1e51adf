import { expect, test } from 'bun:test'
import { documentText, mimeOf, mimeOfUrl } from './media-type.ts'

const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64')

test('H19: the first bytes win over the stated type; a stated type gets its usual spelling', () => {
  expect(mimeOf(base64('\x89PNG\r\n\x1a\n'), 'image/jpeg')).toBe('image/png')
  expect(mimeOf(base64('\xff\xd8\xff\xe0 more of it'), 'image/png')).toBe('image/jpeg')
  expect(mimeOf(base64('RIFFxxxxWEBPVP8 '), '')).toBe('image/webp')
  expect(mimeOf(base64('GIF89a'), 'x')).toBe('image/gif')
  expect(mimeOf(base64('%PDF-1.7'), 'text/plain')).toBe('application/pdf')
  expect(mimeOf(base64('hello'), 'IMAGE/JPG; q=1')).toBe('image/jpeg')
})

test('H19: an address without a type gets that of its ending, else the usual one of its kind', () => {
  expect(mimeOfUrl('https://a.b/c.PNG?x=1', 'image')).toBe('image/png')
  expect(mimeOfUrl('https://a.b/c', 'image')).toBe('image/jpeg')
  expect(mimeOfUrl('https://a.b/c.pdf#p', 'document')).toBe('application/pdf')
  expect(mimeOfUrl('https://a.example/c.exe', 'document')).toBe('application/pdf')
})

test('H19: a document is text by what it is, not by what it is called', () => {
  const text = (mime: string, bytes: string, name?: string): string | undefined =>
    documentText({
      type: 'media',
      kind: 'document',
      source: { kind: 'base64', mime, data: Buffer.from(bytes).toString('base64') },
      field: 'f',
      ...(name !== undefined && { name }),
    })
  expect(text('application/xml; charset=utf-8', '<a/>')).toBe('<a/>')
  expect(text('text/markdown', '# Hi', 'notes.md')).toBe('notes.md:\n# Hi')
  expect(text('text/plain', '%PDF-1.7')).toBeUndefined()
  expect(text('application/jsonish', '{}')).toBeUndefined()
})
