/**
 * What a client says about routing, in the shape that OpenRouter gave it: `models`, `route`, `provider`; and a header that names one upstream.
 *
 * Reads and checks; `taken` says which members must leave the body. A body without the names of these members is not parsed.
 */

import type { Json, RequestView } from 'headgate/plugin'
import { asBuffer } from './affinity.ts'

export interface Wishes {
  /** Models to try in turn, besides the body's `model`. */
  readonly models: readonly string[]
  readonly provider: ProviderWishes
  /** Members of the body that are meant for the gateway. */
  readonly taken: readonly string[]
}

export interface ProviderWishes {
  readonly order?: readonly string[]
  readonly only?: readonly string[]
  readonly ignore?: readonly string[]
  readonly allowFallbacks?: boolean
  readonly sort?: 'price' | 'latency' | 'throughput'
}

export interface Mistake {
  readonly param: string
  readonly message: string
}

const none: Wishes = { models: [], provider: {}, taken: [] }
const maxNames = 16
const routeName = Buffer.from('"route"')
const modelsName = Buffer.from('"models"')
const providerName = Buffer.from('"provider"')

/** Reads the wishes of a request; a mistake when they are not usable. */
export function readWishes(request: RequestView, may: { readonly models: boolean; readonly provider: boolean }): Wishes | Mistake {
  const bytes = asBuffer(request.borrowed)
  const listed = may.models && bytes.includes(modelsName)
  const routed = may.models && bytes.includes(routeName)
  const provided = may.provider && bytes.includes(providerName)
  if (!listed && !routed && !provided) return none
  const taken: string[] = []
  let models: readonly string[] = []
  let provider: ProviderWishes = {}
  const member = (name: string): Json | undefined => {
    const value = request.at(`/${name}`)
    if (value !== undefined) taken.push(name)
    return value ?? undefined
  }
  if (listed) {
    const value = member('models')
    const read = value === undefined ? [] : namesOf(value)
    if (!read) return { param: 'models', message: `"models" must be a list of at most ${maxNames} model ids.` }
    models = read
  }
  if (routed) {
    const value = member('route')
    if (value !== undefined && value !== 'fallback') return { param: 'route', message: '"route" can only be "fallback".' }
  }
  if (provided) {
    const value = member('provider')
    const read = value === undefined ? {} : readProvider(value)
    if ('param' in read) return read
    provider = read
  }
  return { models, provider, taken }
}

function readProvider(value: Json): ProviderWishes | Mistake {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { param: 'provider', message: '"provider" must be an object.' }
  const wishes: { -readonly [K in keyof ProviderWishes]: ProviderWishes[K] } = {}
  for (const [name, given] of Object.entries(value as { readonly [key: string]: Json })) {
    if (given === null) continue
    const param = `provider.${name}`
    switch (name) {
      case 'order':
      case 'only':
      case 'ignore': {
        const names = namesOf(given)
        if (!names) return { param, message: `"${param}" must be a list of at most ${maxNames} names of upstreams.` }
        wishes[name] = names
        break
      }
      case 'allow_fallbacks':
        if (typeof given !== 'boolean') return { param, message: `"${param}" must be true or false.` }
        wishes.allowFallbacks = given
        break
      case 'sort':
        if (given !== 'price' && given !== 'latency' && given !== 'throughput') {
          return { param, message: `"${param}" must be "price", "latency" or "throughput".` }
        }
        wishes.sort = given
        break
      default:
        return { param, message: `"${param}" is not known to this gateway. It knows order, only, ignore, allow_fallbacks and sort.` }
    }
  }
  return wishes
}

function namesOf(value: Json): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > maxNames) return undefined
  return value.every((name) => typeof name === 'string' && name !== '') ? (value as readonly string[]) : undefined
}
