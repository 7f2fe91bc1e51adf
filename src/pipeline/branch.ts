/**
 * One branch of an `around`: what tells the calls below that nobody wants them any more.
 *
 * Ends with the branch that it was begun in, and with the signal that its plugin gave it. Does what an AbortSignal would do; making one of those for each
 * request costs more than a hook. Lets go of both as soon as nobody listens any more, so that a long-lived signal keeps no branch.
 */

export class Branch {
  ended = false
  /** Why it ended, as its plugin said it. */
  reason: unknown = undefined
  /** It has answered: nobody else will begin to listen. */
  private answered = false
  private readonly heard = new Set<() => void>()
  private leaveParent: (() => void) | undefined = undefined
  private onSignal: (() => void) | undefined = undefined

  constructor(
    parent: Branch | undefined,
    private readonly signal: AbortSignal | undefined,
  ) {
    if (parent?.ended) this.end(parent.reason)
    else if (signal?.aborted) this.end(signal.reason)
    else {
      if (parent) this.leaveParent = parent.listen(() => this.end(parent.reason))
      if (signal) {
        this.onSignal = () => this.end(signal.reason)
        signal.addEventListener('abort', this.onSignal, { once: true })
      }
    }
  }

  /** Ends it, once. */
  end(reason?: unknown): void {
    if (this.ended) return
    this.ended = true
    this.reason = reason
    for (const listener of [...this.heard]) listener()
    this.release()
  }

  /** Calls back once when it ends; not for one that has ended. The result takes that back. */
  listen(listener: () => void): () => void {
    this.heard.add(listener)
    return () => {
      this.heard.delete(listener)
      this.releaseUnheard()
    }
  }

  /** Its reply is there: from now on only the call behind that may listen. */
  hasAnswered(): void {
    this.answered = true
    this.releaseUnheard()
  }

  private releaseUnheard(): void {
    if (this.answered && this.heard.size === 0) this.release()
  }

  private release(): void {
    this.leaveParent?.()
    this.leaveParent = undefined
    if (this.onSignal) this.signal!.removeEventListener('abort', this.onSignal)
    this.onSignal = undefined
  }
}
