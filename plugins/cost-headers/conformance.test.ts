import { conformance } from 'headgate/testkit'
import costHeaders from './index.ts'

conformance(costHeaders, { with: { headers: { cost_usd: 'x-cost', tier: 'x-tier' } } })
conformance(costHeaders, { id: 'cost-in-body', with: { headers: { cost_unknown: 'x-cost-unknown' }, body: { cost_usd: 'usage.cost' } } })
