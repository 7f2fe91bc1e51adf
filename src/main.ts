#!/usr/bin/env -S bun --no-install
/** The composition root: the only file that joins `src` and `plugins`. */

import type { Composition } from './cli/command.ts'
import { runCli } from './cli/index.ts'

/** Exported for tests of the command line. */
export const composition: Composition = {
  // imported when a config uses them
  builtins: {
    audit: () => import('../plugins/audit/index.ts'),
    auth: () => import('../plugins/auth/index.ts'),
    batch: () => import('../plugins/batch/index.ts'),
    budget: () => import('../plugins/budget/index.ts'),
    catalog: () => import('../plugins/catalog/index.ts'),
    'cost-headers': () => import('../plugins/cost-headers/index.ts'),
    deprecation: () => import('../plugins/deprecation/index.ts'),
    metrics: () => import('../plugins/metrics/index.ts'),
    normalize: () => import('../plugins/normalize/index.ts'),
    'rate-limit': () => import('../plugins/rate-limit/index.ts'),
    router: () => import('../plugins/router/index.ts'),
    'session-cache': () => import('../plugins/session-cache/index.ts'),
    session: () => import('../plugins/session/index.ts'),
    'tool-trim': () => import('../plugins/tool-trim/index.ts'),
    traces: () => import('../plugins/traces/index.ts'),
    validate: () => import('../plugins/validate/index.ts'),
  },
  keys: () => import('../plugins/auth/tools.ts'),
  audit: () => import('../plugins/audit/tools.ts'),
  credits: () => import('../plugins/budget/tools.ts'),
  startDemo: async () => (await import('./demo/server.ts')).startDemo(),
}

if (import.meta.main) {
  const code = await runCli(process.argv.slice(2), composition)
  if (code !== undefined) process.exit(code)
}
