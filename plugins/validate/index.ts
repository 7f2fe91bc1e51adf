/**
 * `validate`: refuses requests whose fields are of the wrong kind, by the name of the field, before anything is paid for.
 *
 * This file joins the rules to a hook. Fields that no rule knows pass: they are the provider's business.
 */

import { definePlugin, type Exchange, type Refusal } from 'headgate/plugin'
import { config } from './config.ts'
import { fewestTokens } from './context.ts'
import { fieldsOf } from './fields.ts'
import { checkMessages } from './messages.ts'

/** Mistakes that are named at most. */
const most = 10

export default definePlugin({
  api: 1,
  name: 'validate',
  summary: 'Refuses requests with fields of the wrong kind, or longer than their model can read, before they cost anything',
  config,
  failure: 'open',

  setup(host, config) {
    const { context } = config

    /** The context of the largest model that may answer; undefined when that is not known of one of them. */
    function largestContext(model: string, others: unknown): number | undefined {
      const names = [model, ...(Array.isArray(others) ? others : [])].filter((name) => name !== '')
      let largest = 0
      for (const name of names) {
        const known = typeof name === 'string' ? host.catalog.find(name)?.context : undefined
        if (known === undefined) return undefined
        largest = Math.max(largest, known)
      }
      return largest === 0 ? undefined : largest
    }

    function tooLong(x: Exchange): Refusal | undefined {
      const { request } = x
      const limit = largestContext(request.model, request.at('/models'))
      // a word and the space behind it are two bytes
      if (limit === undefined || request.borrowed.length < limit * 2) return undefined
      const least = fewestTokens(request.parts())
      if (least <= limit) return undefined
      return x.refuse('context_length_exceeded', {
        message: `prompt is too long: this model's maximum context length is ${limit} tokens, and the request has more than ${least}. Send less.`,
        param:
          x.dialect === 'openai-chat' || x.dialect === 'anthropic-messages'
            ? 'messages'
            : x.dialect === 'openai-completions'
              ? 'prompt'
              : 'input',
      })
    }

    return {
      request(x) {
        const fields = fieldsOf[x.dialect]
        if (!fields) return undefined
        const body = x.request.json
        const wrong: { param: string; must: string }[] = []
        const report = (param: string, must: string) => void wrong.push({ param, must })
        for (const name of fields.needed) if (body[name] === undefined || body[name] === null) report(name, 'there')
        for (const name in fields.rules) {
          const value = body[name]
          if (value === undefined || value === null) continue
          const must = fields.rules[name]!(value)
          if (must !== undefined) report(name, must)
        }
        if (x.dialect === 'openai-chat' && Array.isArray(body.messages)) checkMessages(body.messages, report)
        if (wrong.length === 0) return context ? tooLong(x as Exchange) : undefined
        const more = wrong.length > most ? ` And ${wrong.length - most} more.` : ''
        const message = wrong
          .slice(0, most)
          .map(({ param, must }) => `${JSON.stringify(param)} must be ${must}.`)
          .join(' ')
        return x.refuse('invalid_parameter', { param: wrong[0]!.param, message: message + more })
      },
    }
  },
})
