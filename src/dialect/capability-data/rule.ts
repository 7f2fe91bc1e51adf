/** The form of what is known of models and hosts: a condition, the deviation, and where that is written or was seen. */

import type { CapabilityEdit } from '../capability.ts'

export interface Rule {
  readonly dialect?: RegExp
  /** Matched against the kind of the host (`azure`, `vertex`, `bedrock`) where there is one, else against the host name of the base URL. */
  readonly host?: RegExp
  /** Matched against the maker's own name (`model-name.ts`). */
  readonly model?: RegExp
  readonly can: CapabilityEdit
  /** Page, or `recorded` for recorded traffic. */
  readonly source: string
}
