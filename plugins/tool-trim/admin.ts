/**
 * What operators can ask: how a session is trimmed, and how the trimmed and the control group compare. From memory only: sessions that run on this instance.
 *
 *   GET /tool-trim                 this instance
 *   GET /tool-trim/sessions/:id    one session
 */

import type { Host } from 'headgate/plugin'
import type { Branches } from './branch.ts'
import type { Rereads } from './rereads.ts'
import type { Sessions } from './sessions.ts'

export function addRoutes(host: Host, o: { readonly sessions: Sessions; readonly rereads: Rereads; readonly branches: Branches }): void {
  host.admin({
    method: 'GET',
    path: `/${host.id}`,
    summary: 'Tool results: references and reads after them, trimmed and in the control group',
    handler: () =>
      Response.json({
        references: o.rereads.harmful ? 'given up' : 'on',
        rereads: o.rereads.counts(),
        conversations: o.branches.count,
        memory_bytes: o.branches.size,
      }),
  })
  host.admin({
    method: 'GET',
    path: `/${host.id}/sessions/:id`,
    summary: 'Tool results of one session: what was trimmed, and how',
    handler(_request, { id }) {
      const state = o.sessions.get(id!)
      if (!state) return Response.json({ error: 'this instance knows no such session now' }, { status: 404 })
      const { policy, control, refsOff, masksOff, requests, results, trimmed, masked, tokens } = state
      return Response.json({
        session: id,
        control,
        classes: policy.classes.filter((name) => name !== 'ref' || !refsOff),
        cold_mask: policy.mask !== undefined && !masksOff,
        requests,
        last_request: { results, trimmed, cleared: masked, tokens },
      })
    },
  })
}
