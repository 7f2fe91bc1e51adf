/** What is compared: lists of plugins above the router, as an operator would write them. */

import type { Policy } from './replay.ts'

const trimmed = (more = '') => `  - use: tool-trim
    with: { control_share: 0${more} }
`
const cached = `  - use: session
    with: { secret: replayed }
  - use: session-cache
`

export const policies: Readonly<Record<string, Omit<Policy, 'name'>>> = {
  /** Marks for clients that send none, and nothing else: what trimming is compared with. */
  cache: { plugins: cached },
  /** Lossless trimming as it is by default, but for the control group. */
  trim: { plugins: cached + trimmed() },
  /** And what is old is masked when the provider's cache is cold anyway. */
  cold: { plugins: cached + trimmed(', cold_mask: { enabled: true }') },
  /** As `cache`, with four providers to choose from: shows what is lost when sessions are sent elsewhere. */
  four: { plugins: cached, deployments: 4 },
}
