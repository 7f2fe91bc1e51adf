/**
 * Checks the `with` of one plugin against the plugin's own schema, as strictly and with the same words as the rest of the file.
 *
 * Durations arrive at the plugin in milliseconds, sizes in bytes, defaults filled in. Never throws.
 */

import { type TObject, Type } from 'typebox'
import { check } from './check.ts'
import type { Diagnostic, Path, Position } from './diagnostics.ts'
import type { Places } from './source.ts'

/** Where a plugin's `with` stands. `LoadResult.place` makes one; `file`, `path` and `locate` alone will do. */
export interface Place {
  readonly file: string
  /** For example `['plugins', 2, 'with']`. */
  readonly path: Path
  locate(path: Path): Position
  locateKey?(path: Path): Position
  scalar?: Places['scalar']
}

export interface PluginConfigResult {
  /** What `setup` gets; undefined after a mistake. */
  readonly value?: Record<string, unknown>
  readonly diagnostics: readonly Diagnostic[]
  /** Values of secret fields, for masking. */
  readonly secrets: ReadonlySet<string>
}

const nothing = Type.Object({}, { additionalProperties: false })

/** Checks and converts one `with`; an absent one counts as empty, an absent schema takes no keys. */
export function checkPluginConfig(schema: TObject | undefined, value: unknown, at: Place): PluginConfigResult {
  const places: Places = {
    file: at.file,
    locate: (path) => at.locate(path),
    locateKey: (path) => (at.locateKey ?? at.locate)(path),
    scalar: (path) => at.scalar?.(path),
  }
  const result = check(schema ?? nothing, value ?? {}, places, at.path)
  return {
    ...(result.diagnostics.length === 0 ? { value: result.value as Record<string, unknown> } : {}),
    diagnostics: result.diagnostics,
    secrets: result.secrets,
  }
}
