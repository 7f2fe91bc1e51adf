/**
 * Profiles of AWS's shared files (`~/.aws/credentials`, `~/.aws/config`): reading them, nothing else.
 *
 * Sections are `[name]` in the first and `[profile name]` (or `[default]`) in the second; where both have a key the first wins.
 */

import { CredentialError } from './source.ts'
import type { Surroundings } from './surroundings.ts'

export type Profile = Readonly<Record<string, string>>

/** A profile of both files. @throws CredentialError when it is in neither and was asked for by name */
export async function readProfile(name: string, around: Surroundings, asked: boolean): Promise<Profile> {
  const { env, home } = around
  const read = async (path: string) => sections(await around.readText(path).catch(() => ''))
  const credentials = await read(env.AWS_SHARED_CREDENTIALS_FILE ?? `${home}/.aws/credentials`)
  const config = await read(env.AWS_CONFIG_FILE ?? `${home}/.aws/config`)
  const first = credentials.get(name)
  const second = config.get(`profile ${name}`) ?? (name === 'default' ? config.get('default') : undefined)
  if (!first && !second && asked) throw new CredentialError(`There is no AWS profile ${JSON.stringify(name)} in the shared files.`)
  return { ...second, ...first }
}

/** The sections of an INI file as AWS writes it. Nested (indented) settings are skipped. */
export function sections(text: string): ReadonlyMap<string, Profile> {
  const found = new Map<string, Record<string, string>>()
  let section: Record<string, string> | undefined
  for (const line of text.split(/\r?\n/)) {
    const head = /^\s*\[\s*([^\]]+?)\s*\]/.exec(line)
    if (head) {
      const name = head[1]!.replace(/\s+/g, ' ').replaceAll(/["']/g, '')
      section = found.get(name) ?? {}
      found.set(name, section)
      continue
    }
    const setting = /^([A-Za-z0-9_]+)\s*=\s*(.*?)\s*(?:\s[#;].*)?$/.exec(line)
    if (section && setting) section[setting[1]!.toLowerCase()] = setting[2]!
  }
  return found
}
