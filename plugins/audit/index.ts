/**
 * `audit`: one line of JSON for each settled exchange, in a file or on standard output.
 *
 * This file joins the parts to hooks. It fails open: when an exchange settles its reply has been sent, so there is nothing left to
 * refuse; a destination that fails shows in the log, in `/ready` and in a counter.
 */

import { definePlugin, Principal, Session } from 'headgate/plugin'
import { config } from './config.ts'
import { fileDestination, standardOutput } from './destination.ts'
import { lineBuffer } from './line-buffer.ts'
import { lineOf, recordOf } from './record.ts'

/** 16 MB: some 20,000 exchanges. */
const limit = 16 * 1024 * 1024
const linger = 50
const retry = 1000

export default definePlugin({
  api: 1,
  name: 'audit',
  summary: 'Writes one JSON line per settled exchange to a file or standard output',
  config,
  wants: [Principal, Session],
  failure: 'open',

  async setup(host, config) {
    const path = config.file === undefined ? undefined : host.file(config.file)
    const name = path ?? 'standard output'
    const append = path === undefined ? standardOutput : await fileDestination(path)
    const lost = host.counter('audit_lines_lost', 'Audit lines that could not be kept while the destination failed')
    const unpriced = host.counter('audit_cost_unknown', 'Exchanges whose cost is not known')
    let lostSince = 0

    const buffer = lineBuffer({
      append,
      limit,
      linger,
      retry,
      onFailure: (error) => {
        host.log.error('audit lines cannot be written; they are kept and tried again', { to: name, error: String(error) })
      },
      onRecovery: () => {
        host.log.info('audit lines are written again', { to: name, lost: lostSince })
        lostSince = 0
      },
      onLost: (lines) => {
        if (lostSince === 0) host.log.error('audit lines are lost: the destination fails and the buffer is full or closed', { to: name })
        lostSince += lines
        lost.add(lines)
      },
    })

    return {
      settle(x, outcome) {
        const record = recordOf(x, outcome, x.peek(Principal), x.peek(Session), host.catalog)
        if (record.cost_usd === 'unknown') unpriced.add(1, { upstream: outcome.upstream ?? '' })
        buffer.add(lineOf(record, config.fields))
      },
      health: () => (buffer.failing ? `audit lines cannot be written to ${name}` : undefined),
      close: () => buffer.close(),
    }
  },
})
