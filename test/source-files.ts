/**
 * The project's own files as the architecture test sees them: what git tracks or would track, and what each file imports.
 *
 * Reads files, changes none. Imports are found in the text, not by a compiler: the style of this code base (one import statement
 * per line start) makes that exact, and imports inside the template texts of tests count too.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dir, '..')

export interface SourceFile {
  /** Relative to the project. */
  readonly path: string
  readonly text: string
}

/** Every file of the project that is or would be committed. */
export function projectFiles(): readonly string[] {
  const git = Bun.spawnSync(['git', 'ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate'], { cwd: root })
  if (git.success) {
    const paths = git.stdout.toString().split('\n').filter(Boolean)
    if (paths.length > 0) return paths.filter((path) => Bun.file(join(root, path)).size > 0).sort()
  }
  // no git, or a copy without its history
  return [...new Bun.Glob('**/*').scanSync({ cwd: root, dot: true })].filter((path) => !/^(node_modules|\.git|data)\//.test(path)).sort()
}

export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** What a file imports: specifiers of `import`, `export … from`, `import()` and `require()`, types included. */
export function importsOf(text: string): readonly string[] {
  const found: string[] = []
  for (const pattern of statements) for (const match of text.matchAll(pattern)) found.push(match[1]!)
  return found
}

const statements = [
  /^\s*(?:import|export)\b[^'"`;=()]*?\bfrom\s*['"]([^'"\n]+)['"]/gm,
  /^\s*import\s*['"]([^'"\n]+)['"]/gm,
  /\bimport\s*\(\s*['"]([^'"\n]+)['"]/g,
  /\brequire(?:\.resolve)?\s*\(\s*['"]([^'"\n]+)['"]/g,
]
