/** Which API family an endpoint belongs to, and what to say of a model that can't be served. Pure. */

import type { Operation } from 'headgate/plugin'

export type Family = 'openai' | 'anthropic' | 'gemini'

/** API family of an endpoint; undefined where no model is called. */
export function familyOf(operation: Operation, dialect: string): Family | undefined {
  switch (operation) {
    case 'chat':
    case 'completions':
    case 'responses':
      return 'openai'
    case 'embeddings':
      return dialect.startsWith('gemini') ? 'gemini' : 'openai'
    case 'messages':
      return 'anthropic'
    case 'generate':
      return 'gemini'
    case 'count_tokens':
      return dialect.startsWith('gemini') ? 'gemini' : dialect.startsWith('openai') ? 'openai' : 'anthropic'
    default:
      return undefined
  }
}

/** The sentence for a model without targets. `asked` is what the client wrote. */
export function unservedMessage(asked: string): string {
  return `The model ${quoted(asked)} has no upstream on this gateway. Ask its operator to add one.`
}

/** The sentence for a model that is not in the catalogue; `similar` are ids that come near. */
export function unknownModelMessage(asked: string, similar: readonly string[]): string {
  const id = quoted(asked)
  const near = similar.slice(0, 3).map((other) => JSON.stringify(other))
  if (near.length === 0) return `This gateway does not serve the model ${id}. The list of models names those it does.`
  const last = near.pop()
  return `This gateway does not serve the model ${id}. Did you mean ${near.length > 0 ? `${near.join(', ')} or ` : ''}${last}?`
}

function quoted(asked: string): string {
  return JSON.stringify(asked.length > 100 ? `${asked.slice(0, 100)}…` : asked)
}
