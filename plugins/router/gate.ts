/**
 * How many calls one upstream gets at the same time, and who waits for their turn: fair between accounts, first come first served within one.
 *
 * Bounded in number and in time. Whoever leaves the queue, in whatever way, frees its place at once.
 */

/** Nobody may wait any longer: the queue is full, or the time is over. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom'

  /** @param waited it was in the queue: there is no time for another one */
  constructor(
    message: string,
    readonly waited: boolean,
  ) {
    super(message)
  }
}

export interface GateOptions {
  /** Calls at the same time. */
  readonly limit: number
  /** How many may wait, all accounts together. */
  readonly queue: number
  /** Milliseconds that one may wait. */
  readonly wait: number
}

interface Waiter {
  readonly enter: () => void
}

export class Gate {
  active = 0
  waiting = 0
  /** By account; the account whose turn it is stands first. */
  private readonly queues = new Map<string, Waiter[]>()

  constructor(readonly options: GateOptions) {}

  get full(): boolean {
    return this.active >= this.options.limit || this.waiting > 0
  }

  /** Lets a call in, or has it wait: then the promise resolves when it is in, and rejects with {@link NoRoom}. Each call that is in leaves once. */
  enter(account: string, client: { readonly signal: AbortSignal }): Promise<void> | undefined {
    if (!this.full) {
      this.active++
      return undefined
    }
    if (this.waiting >= this.options.queue) return Promise.reject(new NoRoom('the queue is full', false))
    const { signal } = client // asked for only here: it costs
    return new Promise((resolve, reject) => {
      const queue = this.queues.get(account) ?? []
      const over = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', gone)
        this.waiting--
      }
      const give = (error: unknown): void => {
        over()
        queue.splice(queue.indexOf(waiter), 1)
        if (queue.length === 0) this.queues.delete(account)
        reject(error as Error)
      }
      const gone = (): void => give(new NoRoom('the client has gone', true))
      const timer = setTimeout(() => give(new NoRoom('no place became free in time', true)), this.options.wait)
      const waiter: Waiter = {
        enter: () => {
          over()
          this.active++
          resolve()
        },
      }
      queue.push(waiter)
      this.queues.set(account, queue)
      this.waiting++
      signal.addEventListener('abort', gone, { once: true })
      if (signal.aborted) gone()
    })
  }

  leave(): void {
    this.active--
    while (this.active < this.options.limit) {
      const next = this.queues.entries().next().value
      if (!next) return
      const [account, queue] = next
      // behind the others, if it has more
      this.queues.delete(account)
      const waiter = queue.shift()!
      if (queue.length > 0) this.queues.set(account, queue)
      waiter.enter()
    }
  }
}
