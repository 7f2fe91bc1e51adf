/**
 * `batch`: many requests in one submission, run when there is room, each as an exchange of who submitted it. Survives the process, and every crash.
 *
 * This file joins the parts: the records that hold everything, the desk that takes submissions in three shapes, and the runner.
 */

import { definePlugin, Principal } from 'headgate/plugin'
import { addAnthropic } from './anthropic.ts'
import { config } from './config.ts'
import { fileStore } from './files.ts'
import { itemStore } from './items.ts'
import { jobStore } from './jobs.ts'
import { addOpenai } from './openai.ts'
import { createRunner } from './runner.ts'
import { addSimple } from './simple.ts'
import type { Desk } from './submit.ts'
import { migrations } from './tables.ts'
import { validate } from './validator.ts'

/** Times that a test does not wait for, in milliseconds. */
export interface Times {
  /** Without a sign of life for so long, what a process runs is another's to take. */
  readonly lease: number
  /** Between looks for what others have submitted or left. */
  readonly look: number
  /** What closing leaves to calls that run. */
  readonly patience?: number
}

/** Milliseconds between ticks: how long a submission waits to be begun. */
const tickEvery = 200
const sweepEvery = 60_000

/** The plugin with times of its own. */
export const batchWith = ({ lease, look, patience = 10_000 }: Times) =>
  definePlugin({
    api: 1,
    name: 'batch',
    summary: 'Takes many requests at once and runs each as an exchange of its submitter, durably, in three shapes',
    config,
    wants: [Principal],
    failure: 'closed',

    async setup(host, config) {
      const { records } = host
      const instance = crypto.randomUUID()
      await records.migrate(migrations)
      const jobs = jobStore(records)
      const items = itemStore(records, instance)
      const files = fileStore(records)
      const counted = {
        settled: host.counter('batch_requests', 'Requests of batches that were settled, by outcome'),
      }
      const now = () => host.now()
      const runner = createRunner({
        host,
        jobs,
        items,
        lease,
        look,
        patience,
        concurrency: config.concurrency,
        perBatch: config.per_batch,
        perAccount: config.per_account,
        tries: config.tries,
        keep: config.keep,
        validate: (job) => validate(job, { records, jobs, items, files, instance, lease, maxRequests: config.max_requests, now }),
        settled: (outcome) => counted.settled.add(1, { outcome }),
      })
      host.gauge('batch_running', 'Requests of batches that run now', () => [{ value: runner.running }])
      host.task('run', Math.min(tickEvery, look), () => runner.tick())
      host.task('sweep', sweepEvery, async (signal) => {
        if (!records.available) return
        while (!signal.aborted && (await files.sweep(now())) > 0);
        for (let id = await jobs.old(now() - config.keep); id !== undefined && !signal.aborted; id = await jobs.old(now() - config.keep)) {
          while ((await items.remove(id)) > 0);
          await jobs.remove(id)
        }
      })
      const desk: Desk = { host, config, jobs, items, files, wake: runner.wake }
      for (const path of config.simple) addSimple(desk, path)
      for (const prefix of config.openai) addOpenai(desk, prefix === '/' ? '' : prefix)
      for (const prefix of config.anthropic) addAnthropic(desk, prefix === '/' ? '' : prefix)
      return { close: () => runner.close() }
    },
  })

export default batchWith({ lease: 30_000, look: 2000 })
