/** What operators watch of the house itself: exchanges under way, the stores, and the time that plugins take. */

import { type HookTime, sampled } from '../pipeline/plan.ts'
import type { SharedServices } from './host.ts'

/** Seconds: hooks take microseconds, those that ask a store milliseconds. */
const hookBuckets = [0.000_001, 0.000_005, 0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5]

/** Adds the metrics; gives what is to be told of the time of hooks. */
export function ownMetrics(services: SharedServices, inFlight: () => number): HookTime {
  const { metrics } = services
  const yes = (well: boolean) => [{ value: well ? 1 : 0 }]
  metrics.gauge('headgate_exchanges_in_flight', 'Exchanges under way', () => [{ value: inFlight() }])
  metrics.gauge('headgate_records_up', '1 while the durable records can be reached', () => yes(services.records.problem === undefined))
  metrics.gauge('headgate_state_up', '1 while shared state can be reached', () => yes(services.state.problem === undefined))
  metrics.gauge('headgate_records_spool_bytes', 'Bytes that wait for the durable records', () => [{ value: services.records.spooled }])
  const times = metrics.histogram('headgate_plugin_seconds', `Time of plugin hooks, of one call in ${sampled}`, hookBuckets)
  return (instance, hook, ms) => times.observe(ms / 1000, { plugin: instance.id, hook })
}
