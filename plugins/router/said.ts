/**
 * What a streamed reply has said so far, and why nobody else may go on with it, if so.
 *
 * Only plain text can be gone on with: not a tool call, not a thought that its maker has signed, nothing that this gateway has no word for. Pure.
 */

import type { StreamEvent } from 'headgate/plugin'
import { saysNothing } from './stream-shape.ts'

/** UTF-16 code units of text from which on nobody goes on. */
const most = 1024 * 1024

export class Said {
  text = ''
  /** Why the stream may not be gone on with; undefined while it may. */
  barred: string | undefined = undefined
  /** How often somebody else went on. */
  seams = 0
  /** White space at the end of the text that was not sent, because providers refuse it there: the next text may begin with it again. */
  private trimmed = ''
  private lead: string | undefined = undefined

  constructor(private readonly dialect: string) {}

  /** Another model goes on now: it was asked with all but the last `trimmed` characters of the text. */
  goesOn(trimmed: string): void {
    this.seams++
    this.trimmed = trimmed
    this.lead = trimmed === '' ? undefined : ''
  }

  /** Keeps up with an event. What the client gets instead of it: null = nothing, undefined = the event. */
  take(event: StreamEvent): StreamEvent | null | undefined {
    // what another model thought to itself belongs to no answer of the first one
    if (event.type === 'reasoning' && this.seams > 0) return null
    if (event.type === 'text' && this.lead !== undefined) return this.first(event)
    this.note(event)
    return undefined
  }

  /** The first text after a seam: white space that the client has is not told again. */
  private first(event: StreamEvent & { readonly type: 'text' }): StreamEvent | null {
    const all = this.lead + event.text
    const text = all.trimStart()
    if (text === '' && all.length < 1024) {
      this.lead = all
      return null
    }
    this.lead = undefined
    const white = all.slice(0, all.length - text.length)
    const rest = { ...event, text: (white.startsWith(this.trimmed) ? white.slice(this.trimmed.length) : '') + text }
    this.note(rest)
    return rest
  }

  private note(event: StreamEvent): void {
    if (this.barred !== undefined) return
    switch (event.type) {
      case 'text':
        if (event.choice > 0) this.barred = 'several answers'
        else if (event.refusal) this.barred = 'a refusal'
        else if (event.signature !== undefined) this.barred = 'a proof'
        this.text += event.text
        if (this.text.length > most) this.barred = 'too long'
        return
      case 'reasoning':
        if (event.signature !== undefined) this.barred = 'a proof'
        return
      case 'tool_call':
        this.barred = 'a tool call'
        return
      case 'stop':
        this.barred = 'it had stopped'
        return
      case 'citation':
      case 'media':
      case 'embedding':
        this.barred = `a ${event.type}`
        return
      case 'native':
        if (!saysNothing(this.dialect, event.data)) this.barred = 'something unknown'
    }
  }
}
