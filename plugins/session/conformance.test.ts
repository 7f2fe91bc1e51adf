import { conformance } from 'headgate/testkit'
import session from './index.ts'

conformance(session)
conformance(session, { id: 'session-by-name', with: { prefix: false, header: false, secret: 'a secret of this test' } })
