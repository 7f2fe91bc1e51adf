/**
 * Which operation of an upstream answers a client's operation: the same one where the upstream has it, so that nothing is translated; else one to which
 * the request can be translated.
 *
 * Small and pure, for it runs once per upstream call. What is known of models is asked only where a request must be translated.
 */

import type { FamilyApi, OperationSpec } from '../dialect/family.ts'
import type { Operation } from '../plugin/exchange.ts'
import { capabilitiesAt } from '../upstream/capabilities.ts'
import type { UpstreamDefinition } from '../upstream/definition.ts'

/** The operations to which a request for an answer can be translated, by preference. */
const answering: readonly Operation[] = ['chat', 'messages', 'generate', 'responses', 'converse']

/** The upstream's operation for a client's; undefined when it has none that will do. The same object as `spec` means: nothing to translate. */
export function routeOf(spec: OperationSpec, upstream: UpstreamDefinition, model: string): OperationSpec | undefined {
  // no closure here: every exchange runs it
  for (const own of upstream.operations) {
    if (own.dialect === spec.dialect && upstream.apis.has(own.operation) && !lacks(upstream, own)) return own
  }
  return translatedRoute(spec, upstream, model)
}

function translatedRoute(spec: OperationSpec, upstream: UpstreamDefinition, model: string): OperationSpec | undefined {
  const { operations } = upstream
  if (spec.dialect.embeddings) {
    return operations.find((o) => o.dialect.embeddings && upstream.apis.has(o.operation) && !lacks(upstream, o))
  }
  if (spec.dialect.request === undefined || spec.operation === 'count_tokens') return undefined
  for (const operation of answering) {
    if (!upstream.apis.has(operation)) continue
    if (operation === 'chat' && upstream.apis.has('responses') && prefersResponses(upstream, model)) continue
    const found = operations.find((o) => o.operation === operation)
    if (found?.dialect.request) return found
  }
  return undefined
}

/** The newest models of OpenAI reason beside tools in Responses only. */
function prefersResponses(upstream: UpstreamDefinition, model: string): boolean {
  return !capabilitiesAt(upstream, 'openai-chat', model).reasonsWithTools
}

/** Vertex AI embeds one input at a time. */
function lacks({ host }: UpstreamDefinition, { dialect }: OperationSpec): boolean {
  return host?.name === 'vertex' && dialect.name === 'gemini-batch-embed'
}

/** All operations that clients can call. */
export function everyApi({ operations }: FamilyApi): readonly Operation[] {
  return operations.filter((o) => !o.upstreamOnly).map((o) => o.operation)
}

/** The operations that an upstream of an API has when its config does not say. `host` = host name of its base URL. */
export function defaultApis({ name, operations }: FamilyApi, host: string): readonly Operation[] {
  switch (name) {
    case 'anthropic':
      return ['messages', 'count_tokens']
    case 'gemini':
      return ['generate', 'count_tokens', 'embeddings']
    case 'openai':
      // most "compatible" servers have no Responses API; what they lack otherwise, they say themselves
      return host === 'api.openai.com' || host.endsWith('.openai.azure.com')
        ? ['chat', 'responses', 'completions', 'embeddings', 'count_tokens']
        : ['chat', 'completions', 'embeddings']
    default:
      return operations.map((o) => o.operation)
  }
}
