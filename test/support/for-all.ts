/**
 * Runs one check over many items, some at a time, and says at the end which of them failed and how: one broken recording among
 * hundreds must be named, and must not hide the others.
 */

/** Failures that are listed. */
const shown = Number(process.env.HEADGATE_SHOWN ?? 6)

/**
 * Checks all items.
 * @throws Error that lists the failures (at most 6 in full, or HEADGATE_SHOWN) by name.
 */
export async function forAll<T>(
  items: readonly T[],
  nameOf: (item: T) => string,
  check: (item: T) => Promise<void>,
  parallel = 16,
): Promise<void> {
  const failures: string[] = []
  const queue = [...items]
  const work = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      try {
        await check(item)
      } catch (error) {
        failures.push(`${nameOf(item)}: ${error instanceof Error ? Bun.stripANSI(error.message).slice(0, 700) : String(error)}`)
      }
    }
  }
  await Promise.all(Array.from({ length: parallel }, work))
  if (failures.length > 0) throw new Error(`${failures.length} of ${items.length} failed\n\n${failures.slice(0, shown).join('\n\n')}`)
}
