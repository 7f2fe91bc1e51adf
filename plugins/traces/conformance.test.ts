import { conformance } from 'headgate/testkit'
import traces from './index.ts'

// nothing listens there: spans wait, and no exchange minds
conformance(traces, { with: { endpoint: 'http://127.0.0.1:9/v1/traces' } })
