import { conformance } from 'headgate/testkit'
import normalize from './index.ts'

conformance(normalize, { with: { model: true } })
