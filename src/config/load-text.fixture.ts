/** Loads texts for the tests of this folder, with lent variables and files. */

import { readFileSync } from 'node:fs'
import { type LoadResult, loadConfig } from './load.ts'

export const defaultFile = new URL('../../config/gateway.yaml', import.meta.url).pathname
export const defaultText = readFileSync(defaultFile, 'utf8')

/** Loads a text as /etc/headgate/gateway.yaml. `files` by absolute path. */
export function load(text: string, env: Record<string, string> = {}, files: Record<string, string> = {}): LoadResult {
  const readFile = (path: string): string => {
    const found = files[path]
    if (found === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
    return found
  }
  return loadConfig({ path: '/etc/headgate/gateway.yaml', text, env, readFile })
}

/** `line:column path` of each mistake. */
export function places(text: string, env?: Record<string, string>): string[] {
  return load(text, env).diagnostics.map((d) => `${d.line}:${d.column} ${d.path}`)
}

/** The least plugin list. */
export const router = 'plugins: [{ use: router }]\n'
