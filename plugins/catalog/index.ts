/**
 * `catalog`: what this gateway has, for clients that look before they ask: models, one model, how many, upstreams, prices.
 *
 * This file joins the parts to routes. Callers see the models that they may use, and nothing of keys, URLs or names at upstreams but those of upstreams.
 */

import { definePlugin, type Host, type Model, modelFilter, type RouteCall, type RouteSpec, withMarkup } from 'headgate/plugin'
import { config } from './config.ts'
import { type ModelText, modelTexts } from './texts.ts'
import { capability, endpointsOf, fullModel, modelInfo, openaiModel, priceLine, providerOf, type TellOptions } from './told.ts'

export default definePlugin({
  api: 1,
  name: 'catalog',
  summary: 'Lists models with all that is known of them, upstreams, prices and capabilities',
  config,
  failure: 'closed',

  setup(host, config) {
    const { models, providers, pricing, capabilities, model_info: info } = config
    const markup = exactMarkup(config.markup)
    const options = (now: number): TellOptions => ({ catalog: host.catalog, now, markup, pricePer: models.price_per })
    const get = (path: string, summary: string, open: boolean, handler: RouteSpec['handler']) =>
      host.route({ method: 'GET', path, summary, open, handler })
    const lists = (
      place: { readonly paths: readonly string[]; readonly open: boolean },
      summary: string,
      handler: RouteSpec['handler'],
    ) => {
      for (const path of place.paths) get(path, summary, place.open, handler)
    }

    const tellModel = (model: Model, now: number) => (models.style === 'openai' ? openaiModel(model) : fullModel(model, options(now)))
    const ofModels = modelTexts(host, (model, _catalog, now) => tellModel(model, now))
    const ofPrices = modelTexts(host, (model, _catalog, now) => priceLine(model, options(now)))
    const ofInfo = modelTexts(host, (model, _catalog, now) => modelInfo(model, options(now)))
    const ofCapabilities = modelTexts(host, (model, _catalog, now) =>
      (model.deprecation?.sunset ?? Number.POSITIVE_INFINITY) > now ? capability(model, options(now)) : undefined,
    )

    for (const path of models.paths) {
      get(path, 'Models that the caller may use', models.open, (_request, _params, call) =>
        isOpenai(call) ? listed(ofModels(), call, '"object":"list",') : undefined,
      )
      get(`${path}/count`, 'How many models the caller may use', models.open, (_request, _params, call) => {
        const count = visible(ofModels(), call).length
        return Response.json({ count, data: { count } })
      })
      get(`${path}/*`, 'One model; an id may hold slashes, plain or encoded', models.open, (_request, { '*': id = '' }, call) => {
        if (!isOpenai(call)) return undefined
        const now = host.now()
        const found = visibleModel(host, id, call)
        if (found) return Response.json(tellModel(found, now))
        const parent = models.style === 'openrouter' && id.endsWith('/endpoints') ? visibleModel(host, id.slice(0, -10), call) : undefined
        return parent ? Response.json(endpointsOf(parent, options(now))) : unknown(host, id, call)
      })
    }
    lists(providers, 'Upstreams and the models that they serve', (_request, _params, call) => {
      const all = visible(ofModels(), call).map(({ model }) => model)
      const names = [...new Set(host.upstreams.map(providerOf))]
      const data = names.map((name) => {
        const serves = all.filter(({ targets }) => targets.some((target) => providerOf(target.upstream) === name)).map(({ id }) => id)
        return { id: name, name, slug: name.toLowerCase(), models: serves }
      })
      return Response.json({ object: 'list', data })
    })
    lists(pricing, 'Prices in USD per million tokens', (_request, _params, call) =>
      listed(ofPrices(), call, '"object":"list","currency":"USD","per":"1M tokens",'),
    )
    lists(capabilities, 'Models with their tiers and prices', (_request, _params, call) =>
      listed(ofCapabilities(), call, `"object":"list","markup_percent":${JSON.stringify(config.markup)},`),
    )
    lists(info, 'Models as LiteLLM tells them', (_request, _params, call) => listed(ofInfo(), call, ''))
    return {}
  },
})

/** Whether the caller speaks an API of OpenAI's family; the gateway itself lists its models in the others' shapes. */
function isOpenai({ dialect }: RouteCall): boolean {
  return !dialect.startsWith('anthropic') && !dialect.startsWith('gemini')
}

function visible(texts: readonly ModelText[], { principal }: RouteCall): readonly ModelText[] {
  if (!principal) return texts
  const allows = modelFilter(principal)
  return texts.filter(({ model }) => allows(model))
}

/** The list as text: each model's was made before. */
function listed(texts: readonly ModelText[], call: RouteCall, head: string): Response {
  const data = visible(texts, call).map(({ text }) => text)
  return new Response(`{${head}"data":[${data.join(',')}]}`, { headers: { 'content-type': 'application/json' } })
}

/** The model with this id, also one that a pattern of the catalogue stands for. */
function visibleModel({ catalog }: Host, id: string, { principal }: RouteCall): Model | undefined {
  const found = catalog.find(id)
  const model = found && { ...found, id }
  return model && modelFilter(principal)(model) ? model : undefined
}

function unknown(host: Host, id: string, call: RouteCall) {
  const near = host.catalog.similar(id).find((other) => visibleModel(host, other, call))
  const hint = near === undefined ? '' : ` Did you mean ${JSON.stringify(near)}?`
  return call.refuse('model_not_found', `This gateway does not serve the model ${JSON.stringify(id.slice(0, 100))}.${hint}`)
}

/** A percentage that prices can't be marked up with exactly is told at the start. @throws Error */
function exactMarkup(percent: number): string {
  const text = String(percent)
  try {
    withMarkup(0n, text)
  } catch {
    throw new Error(`markup: ${text} can't be counted exactly; give it at most 12 decimals, and no exponent`)
  }
  return text
}
