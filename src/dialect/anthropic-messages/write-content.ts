/**
 * Neutral content as blocks of a Messages request (PROTOCOL §1.1–1.3).
 *
 * Empty texts are left out, because the provider rejects them (C23). A thought goes back only to the upstream that vouched for it; any other is left out
 * with its text (D01).
 */

import type { WriteTarget } from '../codec.ts'
import type { Content, MediaContent, TextContent } from '../conversation.ts'
import { rawObject, type Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { isTextType, mimeOf } from '../media-type.ts'
import { madeBy } from '../proof.ts'
import type { Block, CacheMarks } from './cache-marks.ts'
import { dialectName } from './read-content.ts'

export interface ContentWriter {
  /** Blocks of one message. */
  blocks(content: readonly Content[]): Block[]
}

/** The key under which arguments stand that are no JSON object. */
export const brokenArguments = '_raw'

const imageTypes = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp'])

/** @param own true when the conversation came in this dialect: ids of files are then understood */
export function contentWriter(target: WriteTarget, marks: CacheMarks, report: LossReport, own: boolean): ContentWriter {
  const { can } = target

  const media = (content: MediaContent): Block | undefined => {
    if (content.detail !== undefined && content.detail !== 'auto') report.drop(`${content.field}.detail`)
    if (content.kind === 'image') return image(content)
    if (content.kind === 'document') return document(content)
    report.refuse(
      content.field,
      `"${content.field}" is ${content.kind === 'audio' ? 'audio' : 'a video'}, which the model that was asked for can't take.`,
    )
    return undefined
  }
  const image = (content: MediaContent): Block | undefined => {
    if (!can.images) {
      report.refuse(content.field, `"${content.field}" is an image, and the model that was asked for sees none.`)
      return undefined
    }
    const { source, field } = content
    switch (source.kind) {
      case 'base64': {
        const mime = mimeOf(source.data, source.mime)
        if (!imageTypes.has(mime)) {
          report.refuse(field, `"${field}" is an image of type "${mime}". Send it as JPEG, PNG, GIF or WebP.`)
          return undefined
        }
        return { type: 'image', source: { type: 'base64', media_type: mime, data: source.data } }
      }
      case 'url':
        return can.imageUrls && isRemote(source.url) ? { type: 'image', source: { type: 'url', url: source.url } } : notInline(field)
      case 'file':
        return file('image', source.id, field)
      case 'text':
        return undefined
    }
  }
  const document = (content: MediaContent): Block | undefined => {
    const { source, field, name } = content
    switch (source.kind) {
      case 'text':
        return textDocument(source.text, name)
      case 'base64': {
        const mime = mimeOf(source.data, source.mime)
        if (isTextType(mime)) return textDocument(Buffer.from(source.data, 'base64').toString(), name)
        if (mime.startsWith('image/')) return image(content)
        if (mime === 'application/pdf' && can.documents) {
          return { type: 'document', source: { type: 'base64', media_type: mime, data: source.data }, title: name }
        }
        report.refuse(field, `"${field}" is a document of type "${mime}", which the model that was asked for can't read.`)
        return undefined
      }
      case 'url':
        if (can.documents && isRemote(source.url)) return { type: 'document', source: { type: 'url', url: source.url }, title: name }
        return notInline(field)
      case 'file':
        return file('document', source.id, field)
    }
  }
  const textDocument = (text: string, name: string | undefined): Block | undefined => {
    if (text.trim() === '') return undefined
    if (!can.documents) return { type: 'text', text: name === undefined ? text : `${name}\n${text}` }
    return { type: 'document', source: { type: 'text', media_type: 'text/plain', data: text }, title: name }
  }
  const notInline = (field: string): undefined => {
    report.refuse(field, `"${field}" is a URL, and the model that was asked for fetches none. Send the content itself as base64.`)
  }
  const file = (type: string, id: string, field: string): Block | undefined => {
    if (own) return { type, source: { type: 'file', file_id: id } }
    report.refuse(field, `"${field}" is the id of a file, which only the provider that keeps it knows. Send the content itself as base64.`)
    return undefined
  }

  const plain = (content: TextContent | MediaContent): Block[] => {
    const block = content.type === 'media' ? media(content) : content.text.trim() === '' ? undefined : { type: 'text', text: content.text }
    return block ? [marks.set(block, content.cache)] : []
  }
  const blockOf = (content: Content): Block[] => {
    switch (content.type) {
      case 'text':
      case 'media':
        return plain(content)
      case 'reasoning': {
        const { proof } = content
        if (!madeBy(proof, dialectName, target.upstream)) return []
        if (content.redacted) return [{ type: 'redacted_thinking', data: proof.value }]
        return [{ type: 'thinking', thinking: content.text, signature: proof.value }]
      }
      case 'call': {
        const input: Writable =
          content.kind === 'custom'
            ? { input: content.arguments }
            : (rawObject(content.arguments) ?? { [brokenArguments]: content.arguments })
        return [
          marks.set({ type: 'tool_use', id: content.id, name: target.toolName(content.name, content.namespace), input }, content.cache),
        ]
      }
      case 'result': {
        const inner = content.content.flatMap(plain)
        const only = inner.length === 1 && inner[0]?.type === 'text' && inner[0].cache_control === undefined ? inner[0].text : inner
        const block: Block = { type: 'tool_result', tool_use_id: content.id, content: only, ...(content.error && { is_error: true }) }
        return [marks.set(block, content.cache)]
      }
    }
  }
  return { blocks: (content) => content.flatMap(blockOf) }
}

function isRemote(url: string): boolean {
  return /^https?:\/\//i.test(url)
}
