/**
 * Which of a model's targets serves a request, and what to say when none can. Pure.
 *
 * Requests are not translated here: a target is fit when its upstream speaks the client's API family.
 */

import type { Model, Operation, Target } from 'headgate/plugin'

export type Family = 'openai' | 'anthropic'

/** API family of an endpoint; undefined where no model is called. */
export function familyOf(operation: Operation): Family | undefined {
  switch (operation) {
    case 'chat':
    case 'completions':
    case 'embeddings':
    case 'responses':
      return 'openai'
    case 'messages':
    case 'count_tokens':
      return 'anthropic'
    default:
      return undefined
  }
}

/** The first target, in the operator's order, that speaks the family. A target of unknown family is trusted to. */
export function chooseTarget(model: Model, family: Family): Target | undefined {
  for (const target of model.targets) if (target.dialect === undefined || target.dialect === family) return target
  return undefined
}

/** The sentence for a model that no upstream serves in this family: it names the endpoint that would work. `asked` is what the client wrote. */
export function wrongFamilyMessage(asked: string, model: Model, family: Family): string {
  const id = quoted(asked)
  if (model.targets.length === 0) return `The model ${id} has no upstream on this gateway. Ask its operator to add one.`
  const other = family === 'openai' ? 'anthropic' : 'openai'
  if (!model.targets.some((target) => target.dialect === other)) {
    return `The model ${id} is served by no upstream that speaks the ${names[family]} API. Ask the operator, or choose another model.`
  }
  return `The model ${id} is served by an upstream that speaks the ${names[other]} API, and this is an endpoint of the ${names[family]} API. Call ${endpoints[other]} instead.`
}

const names: Readonly<Record<Family, string>> = { openai: 'OpenAI', anthropic: 'Anthropic' }
const endpoints: Readonly<Record<Family, string>> = { openai: '/v1/chat/completions', anthropic: '/v1/messages' }

/** The sentence for a model that is not in the catalogue; `similar` are ids that come near. */
export function unknownModelMessage(asked: string, similar: readonly string[]): string {
  const id = quoted(asked)
  const near = similar.slice(0, 3).map((other) => JSON.stringify(other))
  if (near.length === 0) return `This gateway does not serve the model ${id}. GET /v1/models lists those it does.`
  const last = near.pop()
  return `This gateway does not serve the model ${id}. Did you mean ${near.length > 0 ? `${near.join(', ')} or ` : ''}${last}?`
}

function quoted(asked: string): string {
  return JSON.stringify(asked.length > 100 ? `${asked.slice(0, 100)}…` : asked)
}
