/** What an operator may set for the watchdog. */

import { Duration, Size, type Static, Type } from 'headgate/plugin'

export const watchdogConfig = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      description: 'false: nothing is said of prompts that should have been read from the cache and were not',
    }),
    memory: Size({
      default: '64mb',
      description: 'Last requests that are kept to find the first byte that differs; of older ones only hashes of their messages are',
    }),
    log_every: Duration({ default: '1m', description: 'At most one log line per cause in this time. 0 = every miss' }),
  },
  {
    additionalProperties: false,
    default: {},
    description: 'Compares what should have been read from the prompt cache with what was, and says who changed the prompt',
  },
)

export type WatchdogConfig = Static<typeof watchdogConfig>
