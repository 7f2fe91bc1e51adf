/**
 * Waiting for something that must happen soon. Owns the timer, which is always cleared.
 */

/**
 * The value of `promise`.
 * @throws Error naming `what` when it is not there after `ms` milliseconds.
 */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * What `look` gives, as soon as it gives something.
 * @throws Error naming `what` when it has given nothing for `ms` milliseconds; and whatever `look` throws.
 */
export async function until<T>(ms: number, what: string, look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + ms
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > deadline) throw new Error(`${what}: not within ${ms} ms`)
    await Bun.sleep(10)
  }
}
