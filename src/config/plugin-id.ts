/**
 * The default id of an entry in the plugin list, from its `use`.
 */

/** `./plugins/my-own.ts` → `my-own`, `@acme/headgate-tags` → `headgate-tags`, `auth` → `auth`; a folder's index file gives the folder's name. */
export function pluginId(use: string): string {
  const steps = use.split(/[\\/]/).filter((step) => step !== '' && step !== '.' && step !== '..')
  const last = steps.at(-1) ?? 'plugin'
  const bare = last.replace(/\.(ts|js|mjs|mts)$/, '')
  const name = bare === 'index' ? (steps.at(-2) ?? bare) : bare
  const id = name
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
  return id === '' ? 'plugin' : id
}
