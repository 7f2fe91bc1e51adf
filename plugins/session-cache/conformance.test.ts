import { Session } from 'headgate/plugin'
import { conformance } from 'headgate/testkit'
import sessionCache from './index.ts'

conformance(sessionCache)
conformance(sessionCache, {
  id: 'all-of-it',
  with: {
    prompt: { ping: true, ping_from: 0, hold_from: 0 },
    response: { models: ['*'], any_temperature: true },
    watchdog: { log_every: '0' },
  },
  slots: [[Session, { id: 'ses_1', turn: 2, source: 'client' }]],
})
