import { conformance } from 'headgate/testkit'
import budget from './index.ts'

conformance(budget, { with: { no_plan: 'unlimited' } })
conformance(budget, {
  id: 'budget-with-caps',
  with: { no_plan: 'unlimited', plans: { anonymous: { billed: false, caps: [{ of: 'user', per: 'day', messages: 1000 }] } } },
})
