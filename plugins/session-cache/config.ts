/** What an operator may set for `session-cache`: one section per part. */

import { type Static, Type } from 'headgate/plugin'
import { promptConfig } from './prompt/config.ts'
import { responseConfig } from './response/config.ts'
import { watchdogConfig } from './watchdog/config.ts'

export const config = Type.Object({
  prompt: promptConfig,
  response: { ...responseConfig, default: {} },
  watchdog: watchdogConfig,
})

export type SessionCacheConfig = Static<typeof config>
