/**
 * Stores of a running gateway: one for each setting, shared by all plugin instances, kept over a reload while the setting is the same.
 *
 * A reload that names another store opens it beside the old one, which is closed when the last config that names it has retired. Nothing
 * here knows what is stored.
 */

export interface KeptStores<S> {
  /** The store at this setting, opened when it is not yet. */
  use(where: string): Promise<S>
  /** Closes all stores but those at these settings. Never rejects. */
  keepOnly(settings: ReadonlySet<string>): Promise<void>
}

/** `failed` hears of a store that did not close well. */
export function keptStores<S extends { close(): Promise<void> }>(
  open: (where: string) => Promise<S>,
  failed: (error: unknown) => void,
): KeptStores<S> {
  const kept = new Map<string, S>()
  return {
    async use(where) {
      const store = kept.get(where) ?? (await open(where))
      kept.set(where, store)
      return store
    },
    async keepOnly(settings) {
      const leaving = [...kept].filter(([where]) => !settings.has(where))
      for (const [where] of leaving) kept.delete(where)
      for (const [, store] of leaving) await store.close().catch(failed)
    },
  }
}
