/**
 * Neutral content as blocks of a Converse message (PROTOCOL §1.1–1.3, §1.10).
 *
 * Media are inline bytes with a format instead of a MIME type. Documents need a name that no other has, of few characters, and a text beside them.
 * Empty texts are left out (C23); thoughts go back only to the upstream that vouched for them (D01).
 */

import type { WriteTarget } from '../codec.ts'
import type { Content, MediaContent, ResultContent } from '../conversation.ts'
import { rawObject, type Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { isTextType, mimeOf } from '../media-type.ts'
import { madeBy } from '../proof.ts'
import { brokenArguments, thought } from './blocks.ts'
import { type CachePoints, markOf } from './cache-points.ts'

export const dialectName = 'bedrock-converse'

export type Block = { readonly [key: string]: Writable }

export interface BlockWriter {
  blocks(content: readonly Content[]): Block[]
}

const images: Readonly<Record<string, string>> = { 'image/png': 'png', 'image/jpeg': 'jpeg', 'image/gif': 'gif', 'image/webp': 'webp' }
const videos: Readonly<Record<string, string>> = {
  'video/mp4': 'mp4',
  'video/quicktime': 'mov',
  'video/x-matroska': 'mkv',
  'video/webm': 'webm',
  'video/x-flv': 'flv',
  'video/mpeg': 'mpeg',
  'video/x-ms-wmv': 'wmv',
  'video/3gpp': 'three_gp',
}
const documents: Readonly<Record<string, string>> = {
  'application/pdf': 'pdf',
  'text/csv': 'csv',
  'application/msword': 'doc',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
  'application/vnd.ms-excel': 'xls',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
  'text/html': 'html',
  'text/plain': 'txt',
  'text/markdown': 'md',
}

/** The writer of one request's blocks. */
export function blockWriter(target: WriteTarget, points: CachePoints, report: LossReport): BlockWriter {
  const { can } = target
  const documentName = documentNames()

  const refuse = (field: string, why: string): undefined => {
    report.refuse(field, `"${field}" is ${why}`)
  }
  const media = (content: MediaContent): Block | undefined => {
    const { source, field, kind, name } = content
    if (content.detail !== undefined && content.detail !== 'auto') report.drop(`${field}.detail`)
    if (kind === 'audio') return refuse(field, "audio, which the model that was asked for can't take.")
    if (kind === 'image' && !can.images) return refuse(field, 'an image, and the model that was asked for sees none.')
    switch (source.kind) {
      case 'text':
        return document('txt', Buffer.from(source.text).toString('base64'), name, source.text, field)
      case 'url':
        return refuse(field, 'a URL, and the model that was asked for fetches none. Send the content itself as base64.')
      case 'file':
        return refuse(field, 'the id of a file, which only the provider that keeps it knows. Send the content itself as base64.')
      case 'base64': {
        const mime = mimeOf(source.data, source.mime)
        const bytes = { bytes: source.data }
        if (Object.hasOwn(images, mime) && can.images) return { image: { format: images[mime], source: bytes } }
        if (kind === 'image') return refuse(field, `an image of type "${mime}". Send it as JPEG, PNG, GIF or WebP.`)
        if (Object.hasOwn(videos, mime)) return { video: { format: videos[mime], source: bytes } }
        const format = Object.hasOwn(documents, mime) ? documents[mime] : isTextType(mime) ? 'txt' : undefined
        if (format === undefined) return refuse(field, `of type "${mime}", which the model that was asked for can't read.`)
        return document(format, source.data, name, undefined, field)
      }
    }
  }
  const document = (
    format: string,
    bytes: string,
    name: string | undefined,
    text: string | undefined,
    field: string,
  ): Block | undefined => {
    if (can.documents) return { document: { format, name: documentName(name), source: { bytes } } }
    if (text === undefined) return refuse(field, "a document, which the model that was asked for can't read.")
    return text.trim() === '' ? undefined : { text: name === undefined ? text : `${name}\n${text}` }
  }
  const result = (content: ResultContent): Block => {
    const inner: Block[] = []
    for (const item of content.content) {
      const block = item.type === 'media' ? media(item) : item.text.trim() === '' ? undefined : { text: item.text }
      if (block) inner.push(block)
    }
    return { toolResult: { toolUseId: content.id, content: inner, status: content.error ? 'error' : 'success' } }
  }
  const blockOf = (content: Content): Block | undefined => {
    switch (content.type) {
      case 'text':
        return content.text.trim() === '' ? undefined : { text: content.text }
      case 'media':
        return media(content)
      case 'reasoning': {
        const { proof } = content
        if (!madeBy(proof, dialectName, target.upstream)) return undefined
        return { reasoningContent: thought(content.text, proof.value, content.redacted === true) }
      }
      case 'call': {
        const input: Writable =
          content.kind === 'custom'
            ? { input: content.arguments }
            : (rawObject(content.arguments) ?? { [brokenArguments]: content.arguments })
        return { toolUse: { toolUseId: content.id, name: target.toolName(content.name, content.namespace), input } }
      }
      case 'result':
        return result(content)
    }
  }
  return {
    blocks(content) {
      const blocks: Block[] = []
      for (const item of content) {
        const block = blockOf(item)
        if (block) blocks.push(block, ...(points(markOf(item)) as readonly Block[]))
      }
      // a document alone is a 400
      if (blocks.some((block) => block.document) && !blocks.some((block) => block.text !== undefined))
        blocks.push({ text: 'See the document.' })
      return blocks
    },
  }
}

/** Letters, digits, single blanks, hyphens and brackets; each name once. */
function documentNames(): (name: string | undefined) => string {
  const taken = new Set<string>()
  return (name) => {
    const clean =
      (name ?? '')
        .replace(/[^A-Za-z0-9()[\]-]+/g, ' ')
        .trim()
        .slice(0, 180) || 'Document'
    let unique = clean
    for (let n = 2; taken.has(unique); n++) unique = `${clean} ${n}`
    taken.add(unique)
    return unique
  }
}
