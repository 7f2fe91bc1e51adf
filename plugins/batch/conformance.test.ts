import { conformance } from 'headgate/testkit'
import batch from './index.ts'

conformance(batch)
