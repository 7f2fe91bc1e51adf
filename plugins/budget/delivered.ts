/**
 * How much of a reply has gone to the client, in tokens: counted from its events while they pass, for replies whose usage nobody reports.
 *
 * Cheap per event: text is gathered, and estimated a few hundred characters at a time, so that words which come in pieces count once.
 */

import { estimateText, type StreamEvent, type Usage } from 'headgate/plugin'

/** Characters that are gathered before they are estimated. */
const gathered = 400
/** Characters per token of what is not estimated yet. */
const perToken = 4
/** A picture or sound that a model made. */
const perMedia = 1300
/** The words around a call. */
const perCall = 10

/** About how many tokens an event adds. */
export function tokensIn(event: StreamEvent): number {
  switch (event.type) {
    case 'text':
    case 'reasoning':
      return event.text.length / perToken
    case 'tool_call':
      return event.arguments.length / perToken
    case 'media':
      return perMedia
    default:
      return 0
  }
}

export class Delivered {
  /** The last usage that passed. */
  usage: Usage | undefined = undefined
  /** Choices that have begun, and have not stopped. */
  readonly open = new Set<number>()
  private done = 0
  private text = ''

  /** Tokens so far. */
  get tokens(): number {
    return Math.ceil(this.done + this.text.length / perToken)
  }

  see(event: StreamEvent): void {
    switch (event.type) {
      case 'text':
      case 'reasoning':
        this.open.add(event.choice)
        this.add(event.text)
        return
      case 'tool_call':
        this.open.add(event.choice)
        if (event.id !== undefined) this.done += perCall
        this.add(event.arguments)
        return
      case 'media':
        this.open.add(event.choice)
        this.done += perMedia
        return
      case 'stop':
        this.open.delete(event.choice)
        return
      case 'usage':
        this.usage = event.usage
        return
    }
  }

  private add(text: string): void {
    this.text += text
    if (this.text.length < gathered) return
    this.done += estimateText(this.text)
    this.text = ''
  }

  /** Tokens when all is over: what was gathered is estimated too. */
  total(): number {
    this.done += estimateText(this.text)
    this.text = ''
    return Math.ceil(this.done)
  }
}
