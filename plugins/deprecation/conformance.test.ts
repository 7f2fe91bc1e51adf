import { conformance } from 'headgate/testkit'
import deprecation from './index.ts'

conformance(deprecation)
conformance(deprecation, {
  id: 'deprecation-of-all',
  with: { routes: [{ path: '/*', since: '2026-01-01', sunset: '2027-01-01', link: '/old', successor: '/v2' }], after_sunset: 'refuse' },
})
