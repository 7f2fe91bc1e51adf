/**
 * One upstream call as `attempt` hooks see it: its head, its bytes, and where the prompt lies in them.
 *
 * The body is kept in pieces and joined when somebody looks at it. What is inserted is put between pieces, so that no byte of a long history is copied
 * for a mark behind it; the next look joins them again.
 */

import { parsePointer } from '../json/pointer.ts'
import { type PromptLayout, type PromptUnit, promptUnits, spanAt } from '../json/prompt-units.ts'
import { bodyStart } from '../json/scan.ts'
import { childSpans, rootSpan } from '../json/spans.ts'
import type { CacheFacts } from '../plugin/cache-facts.ts'
import type { BodyInsertion, UpstreamCall } from '../plugin/hooks.ts'
import type { ByteSpan } from '../plugin/request.ts'

export interface CallParts {
  readonly upstream: string
  readonly dialect: string
  readonly model: string
  readonly index: number
  readonly translated: boolean
  readonly url: string
  readonly headers: Headers
  readonly body: readonly Uint8Array[]
  /** Which members are the prompt; absent where the body is no conversation. */
  readonly layout: PromptLayout | undefined
  /** Where they lie in `body`, when that is known without looking. */
  readonly units: (() => readonly PromptUnit[] | undefined) | undefined
  readonly cache: () => CacheFacts
}

export class CallView implements UpstreamCall {
  readonly upstream: string
  readonly dialect: string
  readonly model: string
  readonly index: number
  readonly translated: boolean
  url: string
  readonly headers: Headers
  /** Counts the changes of the body. */
  revision = 0
  private pieces: readonly Uint8Array[]
  private knownUnits: readonly PromptUnit[] | undefined = undefined
  private unmoved: CallParts['units']

  constructor(private readonly parts: CallParts) {
    this.upstream = parts.upstream
    this.dialect = parts.dialect
    this.model = parts.model
    this.index = parts.index
    this.translated = parts.translated
    this.url = parts.url
    this.headers = parts.headers
    this.pieces = parts.body
    this.unmoved = parts.units
  }

  /** As it is now, for a hook that may fail. */
  copy(): CallView {
    const copy = new CallView({ ...this.parts, url: this.url, headers: new Headers(this.headers), body: this.pieces, units: this.unmoved })
    copy.knownUnits = this.knownUnits
    copy.revision = this.revision
    return copy
  }

  get body(): Uint8Array {
    if (this.pieces.length !== 1) this.pieces = [Buffer.concat(this.pieces)]
    return this.pieces[0]!
  }
  set body(bytes: Uint8Array) {
    if (!(bytes instanceof Uint8Array)) throw new TypeError('the body of a call must be bytes')
    if (this.pieces.length === 1 && this.pieces[0] === bytes) return
    this.pieces = [bytes]
    this.revision++
    this.unmoved = undefined
    this.knownUnits = undefined
  }
  /** What is sent, one after the other. */
  get bytes(): readonly Uint8Array[] {
    return this.pieces
  }

  get cache(): CacheFacts {
    return this.parts.cache()
  }

  get units(): readonly PromptUnit[] {
    const { layout } = this.parts
    this.knownUnits ??= this.unmoved?.() ?? (layout ? promptUnits(this.body, layout) : [])
    return this.knownUnits
  }

  spanAt(start: number, pointer: string): ByteSpan | undefined {
    return spanAt(this.body, this.from(start), parsePointer(pointer))
  }

  itemsAt(start: number, pointer: string): readonly ByteSpan[] {
    const tokens = parsePointer(pointer)
    const at = this.from(start)
    const { body } = this
    const span = tokens.length === 0 ? { start: at } : spanAt(body, at, tokens)
    return span && (body[span.start] === 0x5b || body[span.start] === 0x7b) ? childSpans(body, span.start) : []
  }

  insert(insertions: readonly BodyInsertion[]): void {
    if (insertions.length === 0) return
    const { body } = this
    const inOrder = [...insertions].sort((a, b) => a.at - b.at)
    const pieces: Uint8Array[] = []
    let from = 0
    for (const { at, text } of inOrder) {
      if (!(Number.isInteger(at) && at >= 0 && at <= body.length)) throw new RangeError(`no byte ${at} in this body`)
      if (at > from) pieces.push(body.subarray(from, at))
      pieces.push(Buffer.from(text))
      from = at
    }
    if (from < body.length) pieces.push(body.subarray(from))
    this.pieces = pieces
    this.revision++
    this.unmoved = undefined
    this.knownUnits = undefined
  }

  private from(start: number): number {
    const { body } = this
    return start === 0 ? rootSpan(body, bodyStart(body)).start : start
  }
}
