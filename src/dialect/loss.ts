/**
 * What translation can't carry over: dropped and disclosed, or refused (PROTOCOL §1: map, carry, drop and disclose, or refuse).
 *
 * Readers and writers report here and go on; the caller decides, by the operator's `on_drop`, what becomes of it. Nothing is lost in silence.
 */

import type { Json } from '../plugin/request.ts'

/** Fields named in the header and the record; more are counted only. */
const maxNamed = 64

export interface LossRefusal {
  readonly field: string
  readonly message: string
  readonly details?: Json | undefined
}

export class LossReport {
  private readonly fields = new Set<string>()
  /** The first thing that the upstream can't do and that may not be left out. */
  refusal: LossRefusal | undefined = undefined

  /** `field`, in the client's spelling, was left out: the answer means the same without it. */
  drop(field: string): void {
    if (this.fields.size < maxNamed) this.fields.add(field.slice(0, 200))
  }

  /** `field` can't be done by the upstream, and leaving it out would change what the answer means or its shape. */
  refuse(field: string, message?: string, details?: Json): void {
    this.refusal ??= {
      field,
      message: message ?? `The model that was asked for can't do what "${field}" asks. Leave it out, or use a model that can.`,
      details,
    }
  }

  /** In order of discovery. */
  get dropped(): readonly string[] {
    return [...this.fields]
  }
}
