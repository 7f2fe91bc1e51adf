import { conformance } from 'headgate/testkit'
import toolTrim from './index.ts'

conformance(toolTrim)
conformance(toolTrim, { id: 'tool-trim-of-all', with: { control_share: 100, cold_mask: { enabled: true } } })
