import { expect, test } from 'bun:test'
import type { Snapshot } from '../runtime/snapshot.ts'
import { liveness } from './public-app.ts'

test('what plugins tell stands beside the status; one that fails, or takes a name that is taken, takes nothing away', async () => {
  const logged: string[] = []
  const told = (members: Record<string, () => unknown>) => ({
    id: 'x',
    host: { told: new Map(Object.entries(members)), host: { log: { error: (message: string) => void logged.push(message) } } },
  })
  const live = [
    told({ upstreams: () => ({ a: 'operational' }), status: () => 'broken' }),
    told({
      broken: () => {
        throw new Error('oh')
      },
      upstreams: () => 'mine',
      more: () => 1,
    }),
  ]
  const response = liveness({ live } as unknown as Snapshot)
  expect([response.status, await response.json()]).toEqual([200, { status: 'ok', upstreams: { a: 'operational' }, more: 1 }])
  expect(logged).toEqual(['what is told in /health failed'])
})
