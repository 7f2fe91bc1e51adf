import { conformance } from 'headgate/testkit'
import shout from './shout.ts'

conformance(shout)
