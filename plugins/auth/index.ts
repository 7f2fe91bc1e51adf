/**
 * `auth`: admits requests that carry a known API key and says who they are.
 *
 * This file joins the parts to hooks. It fails closed, and nothing it says or logs may hold more of a key than its public id.
 */

import { definePlugin, Principal, type PrincipalValue } from 'headgate/plugin'
import { config } from './config.ts'
import { findCredential } from './credential.ts'
import { indexKeys, type KeyEntry } from './key-index.ts'
import { watchKeys } from './keys-watch.ts'

const anonymous: KeyEntry = {
  principal: Object.freeze<PrincipalValue>({ id: 'anonymous', kind: 'anonymous', account: 'anonymous', tier: 'anonymous', tags: [] }),
  expiresAt: Number.POSITIVE_INFINITY,
}

/** RFC 9110 wants it with each 401. */
const challenge = { 'www-authenticate': 'Bearer' }

export default definePlugin({
  api: 1,
  name: 'auth',
  summary: 'Admits requests by API key, as a bearer token or in x-api-key',
  config,
  provides: [Principal],
  failure: 'closed',
  state: () => ({ entry: undefined as KeyEntry | undefined }),

  async setup(host, config) {
    const path = host.file(config.keys_file)
    const names = config.headers.map((name) => name.toLowerCase())
    const watch = watchKeys(path)
    const first = await watch.look().catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
      if (config.keys.length > 0 || config.anonymous) return undefined
      throw new Error(`there are no API keys: ${path} does not exist. Make the first key with: headgate keys create`)
    })
    let keys = indexKeys(first ?? [], config.keys)

    host.task('keys-file', 1000, async () => {
      try {
        const changed = await watch.look()
        if (changed === undefined) return
        keys = indexKeys(changed, config.keys)
        host.log.info('API keys reloaded', { keys: keys.size })
      } catch (error) {
        host.log.error('the keys file could not be read; the keys read before stay valid', {
          file: path,
          error: error instanceof Error ? error.message : String(error),
        })
      }
    })

    return {
      admit(x) {
        const found = findCredential(x.headers, names)
        let entry: KeyEntry | undefined
        if (typeof found === 'string') {
          entry = keys.find(found)
          if (entry === undefined) {
            const hint = found.startsWith(config.key_prefix) ? '' : ` Keys made here begin with ${config.key_prefix}.`
            return x.refuse('invalid_api_key', {
              message: `This API key is not known here: it is mistyped, was revoked, or belongs to another service.${hint}`,
              headers: challenge,
            })
          }
          if (host.now() >= entry.expiresAt) {
            const { id } = entry.principal
            const when = new Date(entry.expiresAt).toISOString()
            return x.refuse('invalid_api_key', { message: `The API key ${id} expired at ${when}. Ask for a new one.`, headers: challenge })
          }
        } else if (config.anonymous && found.code === 'missing_api_key') {
          entry = anonymous
        } else {
          return x.refuse(found.code, { message: found.message, headers: challenge })
        }
        x.state.entry = entry
        x.put(Principal, entry.principal)
      },

      request(x) {
        const entry = x.state.entry
        if (entry?.allows === undefined) return
        const model = x.request.model
        if (model === '' || entry.allows(model)) return
        const allowed = entry.principal.models?.join(', ') || 'none'
        return x.refuse('permission_denied', {
          message: `The API key ${entry.principal.id} may not use the model ${JSON.stringify(model.slice(0, 100))}. It may use: ${allowed}.`,
          param: 'model',
        })
      },
    }
  },
})
