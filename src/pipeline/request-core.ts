/**
 * The request body of one exchange: immutable bytes, edits on top, and who made them.
 *
 * The model name is the one thing every gateway changes, so it is a span replaced in place of parsing anything. Everything else goes
 * through the JSON document. Plugins hold a `RequestFacade`, which knows whose edits they are.
 */

import { JsonDocument, type Mark } from '../json/document.ts'
import type { TopLevel } from '../json/scan.ts'
import type { Json, Part, PartKind, RequestView } from '../plugin/request.ts'
import type { PluginView } from './view.ts'

/** Reads the texts of a body: the dialect's lens. */
export type Lens = (body: Json) => Part[]

/** One edit, for `explain` and the record. */
export interface EditNote {
  readonly plugin: string
  readonly what: string
}

interface BodyMark {
  readonly document: Mark
  readonly model: string
  readonly notes: number
}

export class RequestCore {
  readonly document: JsonDocument
  readonly notes: EditNote[] = []
  private knownParts: readonly Part[] | undefined = undefined
  private currentModel: string

  constructor(
    readonly bytes: Uint8Array,
    private readonly top: TopLevel,
    private readonly lens: Lens,
  ) {
    this.document = new JsonDocument(bytes, true)
    this.currentModel = top.model
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

  parts(kinds: readonly PartKind[]): readonly Part[] {
    this.knownParts ??= this.lens(this.document.value)
    return kinds.length === 0 ? this.knownParts : this.knownParts.filter((p) => kinds.includes(p.kind))
  }

  setModel(model: string, by: string): void {
    if (model === this.currentModel) return
    if (this.top.modelStart >= 0) this.document.setSpan(this.top.modelStart, this.top.modelEnd, JSON.stringify(model))
    else this.document.set('/model', model)
    this.currentModel = model
    this.noteEdit(by, `model = ${model}`)
  }

  set(pointer: string, value: Json, by: string): void {
    if (pointer === '/model' && typeof value === 'string') {
      this.setModel(value, by)
      return
    }
    this.document.set(pointer, value)
    this.noteEdit(by, `set ${pointer}`)
  }

  remove(pointer: string, by: string): void {
    this.document.remove(pointer)
    if (pointer === '/model') this.currentModel = ''
    this.noteEdit(by, `remove ${pointer}`)
  }

  replaceText(part: Part, text: string, by: string): void {
    if (this.document.at(part.pointer) === undefined) throw new Error(`no text at ${part.pointer} any more`)
    this.document.set(part.pointer, part.kind === 'tool_schema' ? (JSON.parse(text) as Json) : text)
    this.noteEdit(by, `text ${part.pointer}`)
  }

  mark(): BodyMark {
    return { document: this.document.mark(), model: this.currentModel, notes: this.notes.length }
  }
  undo(mark: unknown): void {
    const m = mark as BodyMark
    if (m.notes === this.notes.length) return
    this.document.undo(m.document)
    this.currentModel = m.model
    this.notes.length = m.notes
    this.knownParts = undefined
  }

  private noteEdit(plugin: string, what: string): void {
    this.knownParts = undefined
    this.notes.push({ plugin, what })
  }
}

/** The request as one plugin instance sees it. */
export class RequestFacade implements RequestView {
  constructor(
    private readonly core: RequestCore,
    private readonly view: PluginView,
  ) {}
  get bytes(): Uint8Array {
    return this.core.bytes
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
    return this.core.document.firstEdit
  }
  parts(...kinds: PartKind[]): readonly Part[] {
    return this.core.parts(kinds)
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
