import { conformance } from 'headgate/testkit'
import rateLimit from './index.ts'

conformance(rateLimit, { with: { requests: 100, by: 'ip' } })
conformance(rateLimit, { id: 'rate-limit-of-models', with: { requests: 1, by: 'model' } }) // the second call of a case is refused
