/**
 * The plan of shadows: the plugins that want to hear of copies of requests, with the two hooks that run for them.
 *
 * Nothing that decides, changes or charges a request of a client is in it.
 */

import { compilePlan, type Instance, type Plan } from './plan.ts'

/** The plan for copies of exchanges that run by `instances`. What replies used is always asked for: it is what shadows are sent for. */
export function shadowPlan(instances: readonly Instance[]): Plan {
  const told = instances.filter((instance) => instance.plugin.shadows === true)
  const reduced = told.map((instance, index): Instance => {
    const { attempt, settle } = instance.hooks
    return { ...instance, index, holdsEnd: false, hooks: { ...(attempt && { attempt }), ...(settle && { settle }) } }
  })
  return { ...compilePlan(reduced), usage: true }
}
