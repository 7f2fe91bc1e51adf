import { conformance } from 'headgate/testkit'
import metrics from './index.ts'

conformance(metrics)
