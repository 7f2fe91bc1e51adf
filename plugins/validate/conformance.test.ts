import { conformance } from 'headgate/testkit'
import validate from './index.ts'

conformance(validate, {})
