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
