/**
 * The gateway in front of the scripted model, once for each dialect that the model speaks: `m/chat`, `m/responses`, `m/messages`, `m/gemini`, and `m/openai`,
 * an OpenAI of its own with completions and embeddings.
 */

import { type LocalGateway, startLocalGateway } from '../local-gateway.ts'
import { type ScriptedModel, startModel } from './server.ts'

export const upstreams = ['chat', 'responses', 'messages', 'gemini'] as const
export type Upstream = (typeof upstreams)[number]

/** The id of the model behind an upstream, as clients know it. */
export const modelOf = (upstream: Upstream | 'openai'): string => `m/${upstream}`

/** What the model is called at an upstream; Gemini from the third on demands signatures. */
export const upstreamModel = (upstream: string): string => (upstream === 'gemini' ? 'gemini-3-scripted' : 'scripted-1')

export interface ModelGateway {
  readonly model: ScriptedModel
  readonly gateway: LocalGateway
  readonly url: string
  /** What the providers complained of since the last call; the model begins anew. */
  complaints(): readonly string[]
  stop(): Promise<void>
}

/** The config; the clients' keys are not checked. */
export function modelConfig(model: string, more: Readonly<Record<string, unknown>> = {}): string {
  const key = 'upstream-secret'
  const openai = { dialect: 'openai', base_url: `${model}/v1`, key }
  const all = {
    chat: { ...openai, apis: ['chat'] },
    responses: { ...openai, apis: ['responses'] },
    messages: { dialect: 'anthropic', base_url: model, key },
    gemini: { dialect: 'gemini', base_url: model, key },
    openai: { ...openai, apis: ['chat', 'responses', 'completions', 'embeddings'] },
  }
  return JSON.stringify({
    version: 1,
    mounts: [
      { path: '/v1', api: 'openai' },
      { path: '/', api: 'anthropic' },
      { path: '/', api: 'gemini' },
    ],
    upstreams: all,
    models: Object.fromEntries(
      Object.keys(all).map((name) => [`m/${name}`, { targets: [{ upstream: name, model: upstreamModel(name) }] }]),
    ),
    plugins: [{ use: 'probe' }, { use: 'router' }],
    ...more,
  })
}

export async function startModelGateway(): Promise<ModelGateway> {
  const model = startModel()
  const gateway = await startLocalGateway(modelConfig(model.url))
  return {
    model,
    gateway,
    url: gateway.url,
    complaints() {
      const problems = [...model.problems]
      model.clear()
      return problems
    },
    async stop() {
      await gateway.stop()
      await model.stop()
    },
  }
}
