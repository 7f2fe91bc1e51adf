/**
 * What is told of a model, in each of the shapes that clients ask for. Pure: the same catalogue, config and prices in force give the same text.
 */

import { type Catalog, exactNumber, type Json, type Model, type Price } from 'headgate/plugin'
import { isFree, priceOf, type Rates, ratesOf } from './prices.ts'

export interface TellOptions {
  readonly catalog: Catalog
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Percent, as a decimal text. */
  readonly markup: string
  /** Of `pricing` in {@link fullModel}. */
  readonly pricePer: 'token' | 'million'
}

/** Name of the upstream in the file, without the number of its key. */
export function providerOf(upstream: string): string {
  return upstream.split('#', 1)[0]!
}

/** As OpenAI tells it. */
export function openaiModel(model: Model): { [name: string]: Json } {
  const created = Math.floor((model.created ?? 0) / 1000)
  return { id: model.id, object: 'model', created, owned_by: model.ownedBy ?? providerOf(model.targets[0]?.upstream ?? 'headgate') }
}

/** As OpenRouter tells it, and all that OpenAI does. */
export function fullModel(model: Model, options: TellOptions): object {
  const { catalog, now, markup, pricePer } = options
  const { id, context = null, maxOutput = null, name = id } = model
  const price = priceOf(model, now)
  const modalities = catalog.modalities(model)
  const { input, output } = modalities
  const [first] = model.targets
  const parameters = first && catalog.parameters(first)
  const limits = context === null && maxOutput === null ? null : { prompt_tokens: context, completion_tokens: maxOutput }
  return {
    ...openaiModel(model),
    canonical_slug: model.canonical ?? id,
    name,
    description: model.description ?? name,
    context_length: context,
    modalities,
    architecture: {
      modality: `${input.join('+')}->${output.join('+')}`,
      input_modalities: input,
      output_modalities: output,
      tokenizer: model.tokenizer ?? 'Other',
      instruct_type: null,
    },
    pricing: price ? pricing(price, pricePer, markup) : {},
    top_provider: topProvider(model),
    per_request_limits: limits,
    ...(parameters && { supported_parameters: parameters }),
    is_free: isFree(price),
    expiration_date: dateOf(model.deprecation?.sunset),
  }
}

/** The same model at each of its targets, as OpenRouter tells it at `/endpoints`. */
export function endpointsOf(model: Model, options: TellOptions): object {
  const { name = model.id, description = name, targets } = model
  const full = fullModel(model, options) as { architecture: object; created: number }
  const seen = new Set<string>()
  const endpoints = targets.flatMap((target) => {
    const provider = providerOf(target.upstream)
    const key = `${provider} ${target.model}`
    if (seen.has(key)) return []
    seen.add(key)
    const price = priceOf({ ...model, ...(target.price && { price: target.price }) }, options.now)
    return {
      name: `${provider} | ${target.model}`,
      model_name: name,
      provider_name: provider,
      tag: provider.toLowerCase(),
      context_length: model.context ?? null,
      max_completion_tokens: target.maxOutput ?? model.maxOutput ?? null,
      max_prompt_tokens: null,
      pricing: price ? pricing(price, options.pricePer, options.markup) : {},
      quantization: 'unknown',
      supported_parameters: options.catalog.parameters(target) ?? [],
      status: 0,
    }
  })
  return { data: { id: model.id, name, created: full.created, description, architecture: full.architecture, endpoints } }
}

/** One line of the price list: USD per million tokens as numbers; null = not known. */
export function priceLine(model: Model, { now, markup }: TellOptions): object {
  const { id, name = id } = model
  const price = priceOf(model, now)
  const long = price?.longContext
  return {
    id,
    model: id,
    name,
    ...numbers(price ? ratesOf(price, 'million', markup) : {}),
    ...(long && { long_context: { above: long.above, ...numbers(ratesOf({ ...price, ...long }, 'million', markup)) } }),
    is_free: isFree(price),
  }
}

/** What the gateway can do with a model, for whom and for how much. */
export function capability(model: Model, options: TellOptions): object {
  const { id, name = id, context = null, maxOutput = null, tiers = null, deprecation } = model
  const price = priceOf(model, options.now)
  return {
    id,
    model: id,
    name,
    tiers,
    tier: tiers === null ? 'all' : tiers.join(' + '),
    price: { currency: 'USD', per: '1M tokens', ...numbers(price ? ratesOf(price, 'million', options.markup) : {}) },
    context_length: context,
    max_output_tokens: maxOutput,
    modalities: options.catalog.modalities(model),
    expiration_date: dateOf(deprecation?.sunset),
  }
}

/** As LiteLLM tells it at `/model/info`. */
export function modelInfo(model: Model, options: TellOptions): object {
  const { id, context, maxOutput, targets } = model
  const [first] = targets
  const price = priceOf(model, options.now)
  const { input, output, cache_read, cache_write } = price ? ratesOf(price, 'token', options.markup) : ({} as Rates)
  const { input: takes, output: gives } = options.catalog.modalities(model)
  const number = (text: string | undefined) => (text === undefined ? null : exactNumber(text))
  return {
    model_name: id,
    litellm_params: { model: first ? `${first.dialect ?? providerOf(first.upstream)}/${first.model}` : id },
    model_info: {
      id,
      key: id,
      db_model: false,
      mode: gives.includes('embeddings') ? 'embedding' : 'chat',
      max_tokens: maxOutput ?? context ?? null,
      max_input_tokens: context ?? null,
      max_output_tokens: maxOutput ?? null,
      input_cost_per_token: number(input),
      output_cost_per_token: number(output),
      cache_read_input_token_cost: number(cache_read),
      cache_creation_input_token_cost: number(cache_write),
      litellm_provider: first?.dialect ?? null,
      supports_vision: takes.includes('image'),
      supports_audio_input: takes.includes('audio'),
      supports_pdf_input: takes.includes('file'),
      supports_prompt_caching: price?.cache_read !== undefined,
    },
  }
}

function pricing(price: Price, per: 'token' | 'million', markup: string): object {
  const rates = Object.entries(ratesOf(price, per, markup)).map(([name, text]) => [
    name,
    per === 'million' ? asPrice(text as string) : text,
  ])
  const { input, output, cache_read, cache_write, reasoning, audio_input, request } = Object.fromEntries(rates) as Rates
  return {
    ...(input !== undefined && { prompt: input }),
    ...(output !== undefined && { completion: output }),
    ...(request !== undefined && { request }),
    ...(price.cache_read !== undefined && { input_cache_read: cache_read }),
    ...(price.cache_write !== undefined && { input_cache_write: cache_write }),
    ...(reasoning !== undefined && { internal_reasoning: reasoning }),
    ...(audio_input !== undefined && { audio: audio_input }),
  }
}

/** As prices are written: `0.60`. What is finer keeps all its digits. */
function asPrice(text: string): string {
  const [whole, cents = ''] = text.split('.')
  return `${whole}.${cents.padEnd(2, '0')}`
}

function topProvider({ targets: [first], context, maxOutput }: Model): object {
  return {
    name: first ? providerOf(first.upstream) : null,
    context_length: context ?? null,
    max_completion_tokens: first?.maxOutput ?? maxOutput ?? null,
    is_moderated: false,
  }
}

/** The four that everybody asks for, null where not known; the others where they are. */
function numbers(rates: Rates): object {
  const { input, output, cache_read, cache_write, ...others } = rates
  const all = { input, output, cache_read, cache_write }
  return Object.fromEntries([
    ...Object.entries(all).map(([name, text]) => [name, text === undefined ? null : exactNumber(text)]),
    ...Object.entries(others).map(([name, text]) => [name, exactNumber(text as string)]),
  ])
}

function dateOf(at: number | undefined): string | null {
  return at === undefined ? null : new Date(at).toISOString().slice(0, 10)
}
