/**
 * A credential that expires, kept and renewed in time.
 *
 *   none ──get──▶ loading ──▶ fresh ──(a fifth of its life left)──▶ renewing aside, still in use ──▶ fresh
 *                    └──▶ failed: the same error for a while (1 s, doubling to 30 s), then tried again
 *
 * One load runs at a time, whoever asks. Nothing is loaded before the first call, so there is no timer to stop. Errors never hold the credential.
 */

/** There is no credential to be had. The message is for operators and clients: it names the place, never a secret. */
export class CredentialError extends Error {
  override readonly name = 'CredentialError'
}

export interface Expiring {
  /** Milliseconds since the epoch; Infinity = never. */
  readonly expiresAt: number
}

export interface CredentialSource<T> {
  /** The credential, at once when there is a fresh one. @throws (or rejects with) CredentialError */
  get(): T | Promise<T>
  /** The service has rejected the credential in use: the next call fetches another, unless this one is so young that it was not the one meant. */
  rejected(): void
}

/** The credential is renewed this long before it expires, or a fifth of its life if that is shorter. Milliseconds. */
const early = 5 * 60_000
const firstPause = 1000
const longestPause = 30_000
/** A credential younger than this is not fetched again when it is rejected: a service that rejects every one would cost a load per call. */
const least = 10_000

/** @param load gets a new credential; must end by itself. @param now milliseconds since the epoch */
export function credentialSource<T extends Expiring>(load: () => Promise<T>, now: () => number): CredentialSource<T> {
  let current: T | undefined
  let loadedAt = 0
  let renewAt = 0
  let loading: Promise<T> | undefined
  let failure: CredentialError | undefined
  let pause = 0
  let retryAt = 0

  const start = (): Promise<T> => {
    loading ??= load().then(
      (fresh) => {
        const at = now()
        loading = undefined
        failure = undefined
        pause = 0
        current = fresh
        loadedAt = at
        renewAt = fresh.expiresAt - Math.min(early, Math.max(0, fresh.expiresAt - at) / 5)
        return fresh
      },
      (error: unknown) => {
        loading = undefined
        failure = error instanceof CredentialError ? error : new CredentialError(error instanceof Error ? error.message : String(error))
        pause = pause === 0 ? firstPause : Math.min(pause * 2, longestPause)
        retryAt = now() + pause
        throw failure
      },
    )
    return loading
  }

  return {
    get() {
      const at = now()
      if (current !== undefined && at < renewAt) return current
      const usable = current !== undefined && at < current.expiresAt ? current : undefined
      if (failure !== undefined && at < retryAt) {
        if (usable !== undefined) return usable
        throw failure
      }
      const next = start()
      if (usable === undefined) return next
      next.catch(() => {}) // the one in hand is good; when it is not any more, the failure is told
      return usable
    },
    rejected() {
      if (now() >= loadedAt + least) current = undefined
    },
  }
}
