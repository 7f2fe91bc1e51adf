/**
 * Neutral content as parts of a Gemini content (PROTOCOL §1.1–1.3).
 *
 * A thought signature goes back on exactly the part that it came with, and only to the upstream that made it (C18, D03); any other thought is left out with
 * its text. Results are objects; text that is one is sent as it is, unless something in it would be read as a reference (C17).
 */

import type { WriteTarget } from '../codec.ts'
import type { CallContent, Content, MediaContent, ResultContent } from '../conversation.ts'
import { rawObject, type Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { mimeOf, mimeOfUrl } from '../media-type.ts'
import { madeBy } from '../proof.ts'
import type { WritablePart } from './pieces.ts'
import { dialectName } from './reading.ts'

/** What Google documents for calls whose signature nobody has. */
export const missingSignature = 'skip_thought_signature_validator'

export interface PartWriter {
  parts(content: readonly Content[]): WritablePart[]
}

/** Gemini models from the third on reject calls without a signature, and see media inside results. */
function isGemini3(model: string): boolean {
  const found = /gemini-(\d+)/.exec(model)
  return found ? Number(found[1]) >= 3 : /gemini-.*latest$/.test(model)
}

const textTypes = /^application\/(json|xml|yaml|x-yaml|javascript|x-ndjson|toml|sql)$/

/** @param own true when the conversation came in this dialect: names of files are then understood */
export function partWriter(target: WriteTarget, own: boolean, report: LossReport): PartWriter {
  const { can } = target
  const third = isGemini3(target.model)
  /** Names of the calls so far, as the upstream spells them. */
  const names = new Map<string, string>()

  const refuse = (field: string, why: string): undefined => {
    report.refuse(field, `"${field}" is ${why}`)
  }
  const media = (content: MediaContent): WritablePart | undefined => {
    const { kind, source, field, name } = content
    if (content.detail !== undefined && content.detail !== 'auto') report.drop(`${field}.detail`)
    if (kind === 'image' && !can.images) return refuse(field, 'an image, and the model that was asked for sees none.')
    if (kind === 'audio' && !can.audio) return refuse(field, 'audio, and the model that was asked for hears none.')
    switch (source.kind) {
      case 'text':
        return { text: name === undefined ? source.text : `${name}\n${source.text}` }
      case 'base64': {
        const mime = mimeOf(source.data, source.mime)
        if (textTypes.test(mime)) {
          const text = Buffer.from(source.data, 'base64').toString()
          return { text: name === undefined ? text : `${name}\n${text}` }
        }
        if (kind === 'document' && !can.documents) {
          return refuse(field, `a document of type "${mime}", which the model that was asked for can't read.`)
        }
        return { inlineData: { mimeType: mime, data: source.data } }
      }
      case 'url':
        if (own || isVideo(source.url)) return { fileData: { fileUri: source.url, mimeType: source.mime } }
        if (can.imageUrls) return { fileData: { fileUri: source.url, mimeType: source.mime ?? mimeOfUrl(source.url, kind) } }
        return refuse(field, 'a URL, and the model that was asked for fetches none. Send the content itself as base64.')
      case 'file':
        if (own) return { fileData: { fileUri: source.id } }
        return refuse(field, 'the id of a file, which only the provider that keeps it knows. Send the content itself as base64.')
    }
  }

  const signature = (content: Content): string | undefined => {
    const proof = 'proof' in content ? content.proof : undefined
    return madeBy(proof, dialectName, target.upstream) ? proof.value : undefined
  }
  const call = (content: CallContent, first: boolean): WritablePart => {
    const name = target.toolName(content.name, content.namespace)
    names.set(content.id, name)
    const args: Writable =
      content.kind === 'custom' ? { input: content.arguments } : (rawObject(content.arguments) ?? { _raw: content.arguments })
    const thoughtSignature = signature(content) ?? (first && third ? missingSignature : undefined)
    return { functionCall: { id: content.id, name, args }, thoughtSignature }
  }
  const result = (content: ResultContent): WritablePart[] => {
    const name = names.get(content.id) ?? content.name ?? ''
    const text = content.content.flatMap((item) => (item.type === 'text' ? [item.text] : [])).join('\n')
    const seen: WritablePart[] = []
    for (const item of content.content) {
      const part = item.type === 'media' ? media(item) : undefined
      if (part) seen.push(part)
    }
    const inside = third ? seen.filter((part) => part.text === undefined) : []
    const beside = third ? seen.filter((part) => part.text !== undefined) : seen
    const response = content.error ? { error: text } : responseOf(text)
    const answer = { functionResponse: { id: content.id, name, response, parts: inside.length > 0 ? inside : undefined } }
    return beside.length === 0 ? [answer] : [answer, { text: `Content of the result of ${name}:` }, ...beside]
  }

  return {
    parts(content) {
      const parts: WritablePart[] = []
      const answers: WritablePart[] = []
      let calls = 0
      for (const item of content) {
        switch (item.type) {
          case 'text': {
            const thoughtSignature = signature(item)
            if (item.text !== '' || thoughtSignature !== undefined) parts.push({ text: item.text, thoughtSignature })
            break
          }
          case 'media': {
            const part = media(item)
            if (part) parts.push(part)
            break
          }
          case 'reasoning': {
            const thoughtSignature = signature(item)
            if (thoughtSignature === undefined) break
            parts.push({ text: item.redacted ? undefined : item.text, thought: true, thoughtSignature })
            break
          }
          case 'call':
            parts.push(call(item, calls++ === 0))
            break
          case 'result': {
            // answers stand side by side; what could not be put inside them follows
            const [answer, ...more] = result(item)
            answers.push(answer!)
            parts.push(...more)
          }
        }
      }
      return [...answers, ...parts]
    },
  }
}

function responseOf(text: string): Writable {
  const object = text.includes('"$ref"') ? undefined : rawObject(text)
  return text.trim() === '' || object === undefined ? { result: text } : object
}

/** Gemini reads videos of this one site by their address. */
function isVideo(url: string): boolean {
  return /^https:\/\/((www|m)\.)?(youtube\.com|youtu\.be)\//.test(url)
}
