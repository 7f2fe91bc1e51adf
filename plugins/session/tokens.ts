/**
 * How many input tokens a request will have: what its lane's last one was billed, and an estimate of what is new.
 *
 * The estimate knows no model; how many tokens of a model one estimated token is, is learned from bills. What tools and system come to is learned
 * too, for they are the same in many sessions and providers add words of their own. Bounded; kept in this process only: it is learned again in a few turns.
 */

import { estimateBytes, type PromptUnit } from 'headgate/plugin'
import type { Chain } from './chain.ts'
import type { Anchor } from './known.ts'

/** A model's tokens per estimated token, before its first bill. */
function usualRatio(model: string): number {
  return /claude/i.test(model) ? 1.14 : 1
}
/** How many tokens of bills the usual ratio weighs as much as. */
const faith = 20_000
/** Older bills weigh less: half after seventy. */
const decay = 0.99
/** A turn with fewer new tokens says little of the ratio. */
const fewest = 100
/** A bill that is off by more than this had another reason: thoughts that were left out, a trimmed history. */
const lowest = 0.4
const highest = 3
const mostModels = 1000
const mostShapes = 5000

interface Learned {
  billed: number
  scanned: number
}

/** The tokens of one request. What was scanned once is not scanned again. */
export interface RequestTokens {
  /** Tokens that its model is billed for, per estimated token: learned from its bills. */
  ratio(): number
  estimate(): number
  /** The request was billed so much. @param trimmed tokens that were taken out of what was new in it */
  learn(input: number, trimmed: number): void
}

export interface TokenEstimator {
  of(asked: TokensAsked): RequestTokens
}

export interface TokensAsked {
  readonly model: string
  readonly bytes: Uint8Array
  readonly units: readonly PromptUnit[]
  readonly chain: Chain
  readonly anchor: Anchor | undefined
  /** Tokens of what a provider keeps of earlier turns and the request does not repeat. */
  readonly kept: number
}

export function tokenEstimator(): TokenEstimator {
  const models = new Map<string, Learned>()
  const shapes = new Map<string, number>()
  const ratioOf = (model: string) => {
    const learned = models.get(model)
    const usual = usualRatio(model)
    return learned ? (learned.billed + usual * faith) / (learned.scanned + faith) : usual
  }

  return {
    of({ model, bytes, units, chain, anchor, kept }) {
      const shape = `${chain.shape} ${model}`
      let fresh: number | undefined
      /** What is new since the anchor; without one the messages. */
      const scanFresh = () => (fresh ??= scanUnits(bytes, units, anchor ? anchor.units : chain.lead, units.length))
      let estimate: number | undefined
      return {
        ratio: () => ratioOf(model),
        estimate() {
          if (estimate !== undefined) return estimate
          const ratio = ratioOf(model)
          const before = anchor ? anchor.input : kept + (shapes.get(shape) ?? ratio * scanUnits(bytes, units, 0, chain.lead))
          estimate = Math.round(before + ratio * scanFresh())
          return estimate
        },
        learn(input, trimmed) {
          const scanned = scanFresh()
          if (!anchor) {
            const lead = input + trimmed - ratioOf(model) * scanned
            if (lead > 0 && kept === 0) bounded(shapes, shape, lead, mostShapes)
            return
          }
          const billed = input + trimmed - anchor.input
          if (scanned < fewest || billed < scanned * lowest || billed > scanned * highest) return
          const learned = models.get(model) ?? { billed: 0, scanned: 0 }
          bounded(models, model, { billed: learned.billed * decay + billed, scanned: learned.scanned * decay + scanned }, mostModels)
        },
      }
    },
  }
}

/** Members whose value is not text to the model: pictures and sounds, and what only a provider can read. */
const opaque = ['"data"', ';base64,', '"signature"', '"encrypted_content"', '"thoughtSignature"', '"thought_signature"'].map((text) =>
  Buffer.from(text),
)
/** A picture, a page; providers bring them down to about this. */
const perMedia = 1000
/** Base64 characters per token of hidden thought. */
const perHidden = 6
/** Shorter values are counted as text. */
const shortest = 400
/** A value longer than this is no thought. */
const longestHidden = 40_000

/** Estimated tokens of units `from` to `to`. */
export function scanUnits(bytes: Uint8Array, units: readonly PromptUnit[], from: number, to: number): number {
  let tokens = 0
  for (let i = from; i < to; i++) tokens += scanUnit(bytes, units[i]!)
  return tokens
}

function scanUnit(bytes: Uint8Array, { start, end }: PromptUnit): number {
  if (end - start < shortest) return estimateBytes(bytes, start, end)
  const values: { from: number; to: number }[] = []
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
  for (const name of opaque) {
    for (let at = buffer.indexOf(name); at >= 0 && values.length < 1000; at = buffer.indexOf(name, at + name.length)) {
      let from = at + name.length
      if (name[0] === 0x22) {
        while (buffer[from] === 0x20 || buffer[from] === 0x3a) from++
        if (buffer[from] !== 0x22 || buffer[at - 1] === 0x5c) continue
        from++
      }
      const to = buffer.indexOf(0x22, from)
      // what has spaces or escapes in it is a text that happens to have this name
      if (to - from >= shortest && !buffer.subarray(from, Math.min(to, from + 200)).includes(0x20)) values.push({ from, to })
    }
  }
  if (values.length === 0) return estimateBytes(bytes, start, end)
  values.sort((a, b) => a.from - b.from)
  let tokens = 0
  let at = 0
  for (const { from, to } of values) {
    if (from < at) continue
    tokens += estimateBytes(buffer, at, from) + (to - from > longestHidden ? perMedia : (to - from) / perHidden)
    at = to + 1
  }
  return tokens + estimateBytes(buffer, at)
}

function bounded<V>(map: Map<string, V>, key: string, value: V, most: number): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > most) map.delete(map.keys().next().value!)
}
