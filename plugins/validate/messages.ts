/**
 * What a message of Chat Completions must be: its role, its content, its blocks. Blocks of kinds that are not known here pass. Pure.
 */

import type { Json } from 'headgate/plugin'
import { isMap } from './fields.ts'

/** Told of each mistake: the field as clients write it, and what it must be. */
export type Report = (param: string, must: string) => void

const roles = ['system', 'developer', 'user', 'assistant', 'tool', 'function']

export function checkMessages(messages: readonly Json[], report: Report): void {
  for (const [i, message] of messages.entries()) {
    const at = `messages.${i}`
    if (!isMap(message)) report(at, 'an object')
    else checkMessage(message, at, report)
  }
}

function checkMessage(message: { readonly [key: string]: Json }, at: string, report: Report): void {
  const { role, content, name, tool_call_id: call, tool_calls: calls } = message
  if (typeof role !== 'string' || !roles.includes(role)) report(`${at}.role`, `one of ${roles.join(', ')}`)
  if (Array.isArray(content)) for (const [i, block] of content.entries()) checkBlock(block as Json, `${at}.content.${i}`, report)
  else if (typeof content !== 'string') {
    // an assistant that calls tools, or refuses, need not say anything
    const silent = (content === null || content === undefined) && (role === 'assistant' || role === 'function')
    if (!silent) report(`${at}.content`, 'a text or a list of content blocks')
  }
  if (name !== undefined && name !== null && typeof name !== 'string') report(`${at}.name`, 'a text')
  if (role === 'tool' && typeof call !== 'string') report(`${at}.tool_call_id`, 'the id of the tool call that is answered')
  if (calls === undefined || calls === null) return
  if (!Array.isArray(calls)) report(`${at}.tool_calls`, 'a list')
  else
    for (const [i, one] of calls.entries()) {
      const fn = isMap(one as Json) ? (one as { readonly function?: Json }).function : undefined
      if (!isMap(one as Json) || typeof (one as { id?: Json }).id !== 'string') report(`${at}.tool_calls.${i}.id`, 'a text')
      else if (isMap(fn) && (typeof fn.name !== 'string' || typeof fn.arguments !== 'string'))
        report(`${at}.tool_calls.${i}.function`, 'an object with a name and arguments, both texts')
    }
}

function checkBlock(block: Json, at: string, report: Report): void {
  if (!isMap(block) || typeof block.type !== 'string') {
    report(at, 'a content block: an object with a type')
    return
  }
  switch (block.type) {
    case 'text':
      if (typeof block.text !== 'string') report(`${at}.text`, 'a text')
      break
    case 'image_url': {
      const image = block.image_url
      if (!isMap(image) || typeof image.url !== 'string' || !/^(https?:\/\/|data:)/i.test(image.url))
        report(`${at}.image_url.url`, 'a URL of an image, or a data URL')
      else if (image.detail !== undefined && image.detail !== null && typeof image.detail !== 'string')
        report(`${at}.image_url.detail`, 'a text: low, high or auto')
      break
    }
    case 'input_audio': {
      const audio = block.input_audio
      if (!isMap(audio) || typeof audio.data !== 'string') report(`${at}.input_audio.data`, 'sound in base64')
      break
    }
    case 'file':
      if (!isMap(block.file)) report(`${at}.file`, 'an object')
  }
}
