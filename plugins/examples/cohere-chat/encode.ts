/**
 * Events as frames of a stream.
 *
 * What is forwarded leaves as it came. From the first change on every frame is written anew: what is open, and how many blocks there were, is known from the
 * frames that went before.
 */

import {
  countOf,
  frameText,
  isUnchanged,
  objectOf,
  parseJson,
  type ReplyIdentity,
  rawText,
  type StreamEncoder,
  type Writable,
  writeJson,
} from 'headgate/dialect'
import type { StopEvent, StreamEvent, Usage } from 'headgate/plugin'
import { errorFrames } from './errors.ts'
import { stopWord, usageObject } from './usage.ts'

export function encoder(head: ReplyIdentity): StreamEncoder {
  let begun = false
  let changed = false
  let ended = false
  /** `text`, `thinking`, `call 2`; empty when nothing is open. */
  let open = ''
  let block = -1
  let stop: StopEvent | undefined
  let usage: Usage | undefined

  const frame = (type: string, members: { readonly [key: string]: Writable }): string => frameText(type, writeJson({ type, ...members }))
  const message = (members: { readonly [key: string]: Writable }): Writable => ({ message: members })

  const begin = (id = head.id): string => {
    if (begun) return ''
    begun = true
    const empty = { role: 'assistant', content: [], tool_plan: '', tool_calls: [], citations: [] }
    return frame('message-start', { id, delta: message(empty) })
  }
  const close = (): string => {
    if (open === '') return ''
    const call = open.startsWith('call ')
    const index = call ? Number(open.slice(5)) : block
    open = ''
    return frame(call ? 'tool-call-end' : 'content-end', { index })
  }
  const piece = (kind: 'text' | 'thinking', text: string): string => {
    let out = begin()
    if (open !== kind) {
      out += close()
      open = kind
      block++
      out += frame('content-start', { index: block, delta: message({ content: { type: kind, [kind]: '' } }) })
    }
    return out + frame('content-delta', { index: block, delta: message({ content: { [kind]: text } }) })
  }

  const write = (event: StreamEvent, plan: boolean): string => {
    if (ended) return ''
    switch (event.type) {
      case 'start':
        return begin(event.id)
      case 'text':
        return event.text === '' ? '' : piece('text', event.text)
      case 'reasoning':
        if (event.text === '') return ''
        if (plan) return begin() + frame('tool-plan-delta', { delta: message({ tool_plan: event.text }) })
        return piece('thinking', event.text)
      case 'tool_call': {
        const { index, id, name } = event
        const made = `call ${index}`
        if (open === made) {
          if (event.arguments === '') return ''
          return frame('tool-call-delta', { index, delta: message({ tool_calls: { function: { arguments: event.arguments } } }) })
        }
        const out = begin() + close()
        open = made
        const call = { id: id ?? `call_${index}`, type: 'function', function: { name: name ?? '', arguments: event.arguments } }
        return out + frame('tool-call-start', { index, delta: message({ tool_calls: call }) })
      }
      case 'stop':
        stop ??= event
        return begin() + close()
      case 'usage':
        usage = event.usage
        return ''
      case 'error':
        ended = true
        return errorFrames(event)
      case 'end': {
        const out = begin() + close()
        ended = true
        const told = usage && usage.source !== 'unknown' ? usageObject(usage) : undefined
        return out + frame('message-end', { delta: { finish_reason: stop ? stopWord(stop) : 'COMPLETE', usage: told } })
      }
      default:
        return ''
    }
  }

  const observe: StreamEncoder['observe'] = ({ event, data }) => {
    switch (event) {
      case 'message-start':
        begun = true
        break
      case 'content-start': {
        const body = objectOf(parseJson(data))
        const content = objectOf(objectOf(objectOf(body?.delta)?.message)?.content)
        open = content?.type === 'thinking' ? 'thinking' : 'text'
        block = countOf(body?.index) ?? block + 1
        break
      }
      case 'tool-call-start':
        open = `call ${countOf(objectOf(parseJson(data))?.index) ?? 0}`
        break
      case 'content-end':
      case 'tool-call-end':
        open = ''
    }
  }

  return {
    get rewriting() {
      return changed || ended
    },
    observe,
    encode(after, origin) {
      if (origin && !changed && isUnchanged(origin.before, after)) {
        observe(origin.frame, origin.before)
        return rawText(origin.frame)
      }
      if (origin) changed = true
      const plan = origin?.frame.event === 'tool-plan-delta'
      return after.map((event) => write(event, plan)).join('')
    },
  }
}
