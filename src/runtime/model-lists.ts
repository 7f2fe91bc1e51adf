/** Where the gateway lists its models: below each mount, once for each version that clients of its API call. */

import { type FamilyApi, families } from '../dialect/family.ts'

/** Versions below which each API has its model list; dialects of plugins have none. SDKs of Gemini differ. */
const listVersions: ReadonlyMap<FamilyApi, readonly string[]> = new Map([
  [families.openai, ['']],
  [families.anthropic, ['/v1']],
  [families.gemini, ['/v1beta', '/v1', '/v1alpha']],
])

/** Paths of the lists, with the API that each belongs to when the caller's headers do not tell. Earlier mounts win; a prefix has no slash at its end. */
export function modelLists(mounts: readonly { readonly prefix: string; readonly api: FamilyApi }[]): Map<string, FamilyApi> {
  const lists = new Map<string, FamilyApi>()
  for (const { prefix, api } of mounts) {
    for (const version of listVersions.get(api) ?? []) {
      const path = `${prefix}${version}/models`
      if (!lists.has(path)) lists.set(path, api)
    }
  }
  return lists
}
