/**
 * The request body of one exchange: immutable bytes, edits on top, and who made them.
 *
 * The model name is the one thing every gateway changes, so it is a span replaced in place of parsing anything. Everything else goes
 * through the JSON document. Plugins hold a `RequestFacade`, which knows whose edits they are.
 */

import { JsonDocument, type Mark } from '../json/document.ts'
import { parsePointer } from '../json/pointer.ts'
import { type PromptLayout, promptUnits, spanAt } from '../json/prompt-units.ts'
import { bodyStart, type TopLevel } from '../json/scan.ts'
import { rootSpan } from '../json/spans.ts'
import type { Edit } from '../plugin/outcome.ts'
import type { BodyChange, ByteSpan, Json, Part, PartKind, PromptUnit, RequestView } from '../plugin/request.ts'
import type { PluginView } from './view.ts'

/** Reads the texts of a body: the dialect's lens. */
export type Lens = (body: Json) => Part[]

const maxNotes = 1000

const models = new Map<string, Uint8Array>()

/** The JSON text of a model id as bytes, kept for the next request: targets are few. */
function encodedModel(model: string): Uint8Array {
  let bytes = models.get(model)
  if (!bytes) {
    if (models.size >= 1000) models.clear()
    bytes = new Uint8Array(Buffer.from(JSON.stringify(model)))
    models.set(model, bytes)
  }
  return bytes
}

interface BodyMark {
  readonly document: Mark | undefined
  readonly model: string
  readonly written: string
  readonly inPlace: boolean
  readonly notes: number
  readonly edits: number
  readonly modelEdits: number
}

/** The mark of a body that nobody has edited yet: nearly always. */
const untouched = Symbol('untouched')

export class RequestCore {
  readonly notes: Edit[] = []
  private known: JsonDocument | undefined = undefined
  private knownParts: readonly Part[] | undefined = undefined
  private knownUnits: readonly PromptUnit[] | undefined = undefined
  private currentModel: string
  /** The model that the document holds; it is told of another only when somebody looks at it. */
  private written: string
  /** The member `model` stands where it was received. */
  private inPlace: boolean
  /** Edits made, and how many of them were of the model's span. */
  private edits = 0
  private modelEdits = 0
  private lent = false
  private givenBack = false

  constructor(
    readonly bytes: Uint8Array,
    private readonly top: TopLevel,
    private readonly lens: Lens,
    /** The model stands in the path, not in the body. */
    private readonly inPath = false,
    /** Which members are the prompt; absent where the body is no conversation. */
    private readonly layout: PromptLayout | undefined = undefined,
  ) {
    this.currentModel = top.model
    this.written = top.model
    this.inPlace = top.modelStart >= 0 && !inPath
  }

  /** The body with all edits so far. Made when first asked for: most requests are routed without it. */
  get document(): JsonDocument {
    this.known ??= new JsonDocument(this.borrow(), this.top.checked)
    if (this.written !== this.currentModel && !this.inPath) {
      this.written = this.currentModel
      this.known.setSpan(this.top.modelStart, this.top.modelEnd, JSON.stringify(this.currentModel))
    }
    return this.known
  }

  /** The bytes, for as long as the exchange lasts. @throws Error afterwards, if they were given back */
  borrow(): Uint8Array {
    if (this.givenBack) throw new Error('the exchange is settled, and its body was given back')
    return this.bytes
  }

  /** Somebody may look at the bytes for good: from now on they are not given back. */
  lend(): void {
    this.lent = true
  }

  /** The body with all edits so far, for good. */
  output(): Uint8Array {
    const output = this.document.output()
    if (output === this.bytes) this.lend() // edits that undo each other
    return output
  }

  /**
   * Gives the memory of the bytes back now, and does not wait for the collector, unless somebody has them for good. Whoever only borrowed them has an
   * empty array from now on. For bytes that nobody else has, when no call sends them any more; those that fill no buffer of their own stay.
   */
  giveBack(): void {
    const { buffer, length } = this.bytes
    if (this.lent || this.givenBack || length !== buffer.byteLength) return
    this.givenBack = true
    ;(buffer as ArrayBuffer).transfer(0)
  }

  get model(): string {
    return this.currentModel
  }
  get stream(): boolean {
    return this.top.stream
  }
  get json(): { readonly [key: string]: Json } {
    return this.document.value as { readonly [key: string]: Json }
  }
  get firstEdit(): number {
    return this.edits === 0 ? -1 : this.document.firstEdit
  }
  get changes(): readonly BodyChange[] {
    if (this.edits === 0) return []
    return this.document.edits().map(({ start, end, text }) => ({ start, end, bytes: Buffer.byteLength(text) }))
  }

  parts(kinds: readonly PartKind[]): readonly Part[] {
    this.knownParts ??= this.lens(this.document.value)
    return kinds.length === 0 ? this.knownParts : this.knownParts.filter((p) => kinds.includes(p.kind))
  }

  /** Of the bytes as received: they never change, nor does this. */
  get units(): readonly PromptUnit[] {
    this.knownUnits ??= this.layout ? promptUnits(this.borrow(), this.layout) : []
    return this.knownUnits
  }

  spanAt(start: number, pointer: string): ByteSpan | undefined {
    const tokens = parsePointer(pointer)
    const bytes = this.borrow()
    const at = start === 0 ? rootSpan(bytes, bodyStart(bytes)).start : start
    return spanAt(bytes, at, tokens)
  }

  replaceSpan(start: number, end: number, json: string, by: string): void {
    if (start < this.top.modelEnd && this.top.modelStart < end) throw new RangeError('the model is changed with setModel')
    this.document.setSpan(start, end, json)
    this.noteEdit(by, 'set', `bytes ${start}-${end}`)
  }

  setModel(model: string, by: string): void {
    if (model === this.currentModel) return
    if (this.inPlace || this.inPath) this.modelEdits++
    else {
      this.document.set('/model', model)
      this.written = model
    }
    this.currentModel = model
    this.noteEdit(by, 'model', model)
  }

  /** A body of its own on the same bytes; undefined where more than the model was edited: then they are not what is sent. */
  twin(): RequestCore | undefined {
    if (this.edits !== this.modelEdits) return undefined
    this.lend()
    return new RequestCore(this.borrow(), this.top, this.lens, this.inPath)
  }

  /** The body's pieces when the model is all that was changed, which is nearly always: found without a document. */
  splicedModel(): Uint8Array[] | undefined {
    if (this.edits === 0) return [this.bytes]
    if (this.edits !== this.modelEdits || this.bytes[0] === 0xef) return undefined
    if (this.inPath) return [this.bytes]
    const { modelStart, modelEnd } = this.top
    return [this.bytes.subarray(0, modelStart), encodedModel(this.currentModel), this.bytes.subarray(modelEnd)]
  }

  set(pointer: string, value: Json, by: string): void {
    if (pointer === '/model' && typeof value === 'string' && !this.inPath) {
      this.setModel(value, by)
      return
    }
    this.document.set(pointer, value)
    if (pointer === '') this.replaced(value)
    this.noteEdit(by, 'set', pointer)
  }

  /** Another document: it names its own model, and where the old one stood says nothing any more. */
  private replaced(value: Json): void {
    if (this.inPath) return
    const { model } = (value ?? {}) as { readonly model?: unknown }
    this.currentModel = typeof model === 'string' ? model : ''
    this.written = this.currentModel
    this.inPlace = false
  }

  remove(pointer: string, by: string): void {
    this.document.remove(pointer)
    if (pointer === '/model' && !this.inPath) {
      this.currentModel = ''
      this.written = ''
      this.inPlace = false
    }
    this.noteEdit(by, 'remove', pointer)
  }

  replaceText(part: Part, text: string, by: string): void {
    if (this.document.at(part.pointer) === undefined) throw new Error(`no text at ${part.pointer} any more`)
    this.document.set(part.pointer, part.kind === 'tool_schema' ? (JSON.parse(text) as Json) : text)
    this.noteEdit(by, 'text', part.pointer)
  }

  mark(): BodyMark | typeof untouched {
    if (this.edits === 0) return untouched
    return {
      document: this.known?.mark(),
      model: this.currentModel,
      written: this.written,
      inPlace: this.inPlace,
      notes: this.notes.length,
      edits: this.edits,
      modelEdits: this.modelEdits,
    }
  }
  undo(mark: unknown): void {
    if (mark === untouched) {
      if (this.edits === 0) return
      this.known = undefined
      this.currentModel = this.top.model
      this.written = this.top.model
      this.inPlace = this.top.modelStart >= 0 && !this.inPath
      this.notes.length = 0
      this.edits = 0
      this.modelEdits = 0
      this.knownParts = undefined
      return
    }
    const m = mark as BodyMark
    if (m.edits === this.edits) return
    if (m.document) {
      this.known?.undo(m.document)
      this.written = m.written
    } else {
      this.known = undefined
      this.written = this.top.model
    }
    this.currentModel = m.model
    this.inPlace = m.inPlace
    this.notes.length = m.notes
    this.edits = m.edits
    this.modelEdits = m.modelEdits
    this.knownParts = undefined
  }

  private noteEdit(plugin: string, what: Edit['what'], where: string): void {
    this.knownParts = undefined
    this.edits++
    // bounded: a trimmer may make thousands of edits
    if (this.notes.length < maxNotes) this.notes.push({ plugin, what, where })
  }
}

/** The request as one plugin instance sees it. */
export class RequestFacade implements RequestView {
  constructor(
    private readonly core: RequestCore,
    private readonly view: PluginView,
  ) {}
  get bytes(): Uint8Array {
    this.core.lend()
    return this.core.borrow()
  }
  get borrowed(): Uint8Array {
    return this.core.borrow()
  }
  get json(): { readonly [key: string]: Json } {
    return this.core.json
  }
  get model(): string {
    return this.core.model
  }
  get stream(): boolean {
    return this.core.stream
  }
  get firstEdit(): number {
    return this.core.firstEdit
  }
  get changes(): readonly BodyChange[] {
    return this.core.changes
  }
  parts(...kinds: PartKind[]): readonly Part[] {
    return this.core.parts(kinds)
  }
  get units(): readonly PromptUnit[] {
    return this.core.units
  }
  spanAt(start: number, pointer: string): ByteSpan | undefined {
    return this.core.spanAt(start, pointer)
  }
  replaceSpan(start: number, end: number, json: string): void {
    this.view.check()
    this.core.replaceSpan(start, end, json, this.view.instance.id)
  }
  at(pointer: string): Json | undefined {
    return this.core.document.at(pointer)
  }
  setModel(model: string): void {
    this.view.check()
    this.core.setModel(model, this.view.instance.id)
  }
  replaceText(part: Part, text: string): void {
    this.view.check()
    this.core.replaceText(part, text, this.view.instance.id)
  }
  set(pointer: string, value: Json): void {
    this.view.check()
    this.core.set(pointer, value, this.view.instance.id)
  }
  remove(pointer: string): void {
    this.view.check()
    this.core.remove(pointer, this.view.instance.id)
  }
}
