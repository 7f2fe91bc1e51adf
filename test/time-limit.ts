/** Preloaded by bunfig.toml: how long a test may take when it does not say. Room for two files at a time on two busy cores. */

import { setDefaultTimeout } from 'bun:test'

setDefaultTimeout(30_000)
