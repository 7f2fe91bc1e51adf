import { conformance } from 'headgate/testkit'
import router from './index.ts'

conformance(router)
conformance(router, { with: { stitch: true } })
