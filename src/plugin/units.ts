/**
 * Schema types for values that people write with units: durations, sizes and secrets.
 *
 * In YAML they are strings (`1m`, `32mb`); the host converts them before `setup`, so a plugin gets numbers. A schema carries
 * its unit in `x-unit`, which the config loader and the editor schema read.
 */

import { type TSchemaOptions, type TUnsafe, Unsafe } from 'typebox'

export interface UnitOptions extends TSchemaOptions {
  /** As people write it, e.g. `1m` or `32mb`. */
  default?: string | number
}

/** A duration: `250ms`, `30s`, `1m`, `2h`, `1d`. The plugin receives milliseconds. */
export function Duration(options: UnitOptions = {}): TUnsafe<number> {
  return Unsafe<number>({
    description: 'A duration: 250ms, 30s, 1m, 2h, 1d',
    ...options,
    type: 'string',
    pattern: durationPattern,
    'x-unit': 'duration',
  })
}

/** A size: `512kb`, `32mb`, `1gb`, or plain bytes. The plugin receives bytes (1 kb = 1024 bytes). */
export function Size(options: UnitOptions = {}): TUnsafe<number> {
  return Unsafe<number>({
    description: 'A size: 512kb, 32mb, 1gb',
    ...options,
    type: 'string',
    pattern: sizePattern,
    'x-unit': 'size',
  })
}

/** A secret string: printed as `***` by every command and log. */
export function Secret(options: TSchemaOptions = {}): TUnsafe<string> {
  return Unsafe<string>({ ...options, type: 'string', minLength: 1, 'x-unit': 'secret' })
}

export const durationPattern = '^(0|[0-9]+(\\.[0-9]+)?(ms|s|m|h|d))$'
export const sizePattern = '^[0-9]+(\\.[0-9]+)?(b|kb|mb|gb)?$'

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const sizeUnits: Readonly<Record<string, number>> = { '': 1, b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 }

/** Milliseconds of a duration text; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const m = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)$/.exec(text)
  if (!m) return text === '0' ? 0 : undefined
  return Math.round(Number(m[1]) * durationUnits[m[2]!]!)
}

/** Bytes of a size text; undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const m = /^([0-9]+(?:\.[0-9]+)?)(b|kb|mb|gb)?$/i.exec(text)
  if (!m) return undefined
  return Math.round(Number(m[1]) * sizeUnits[(m[2] ?? '').toLowerCase()]!)
}
