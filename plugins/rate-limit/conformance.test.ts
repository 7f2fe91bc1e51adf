import { conformance } from 'headgate/testkit'
import rateLimit from './index.ts'

conformance(rateLimit, { with: { requests: 100, by: 'ip' } })
conformance(rateLimit, { id: 'rate-limit-of-models', with: { requests: 1, by: 'model' } }) // the second call of a case is refused
conformance(rateLimit, {
  id: 'rate-limit-of-tokens',
  with: {
    limits: [
      { tokens: 1_000_000, by: ['ip', 'user'], burst: 10_000 },
      { requests: 100, when: { operation: ['chat'] } },
    ],
    header_names: { limit: 'x-{what}-limit', remaining: 'x-{what}-remaining', reset: 'x-{what}-reset' },
    default_output: 100,
  },
})
