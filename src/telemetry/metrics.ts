/**
 * Counters, gauges and histograms of one process, printed in Prometheus text format.
 *
 * Bounded: a metric keeps at most `maxSeries` label sets; further ones are counted under `other`.
 */

import type { Counter, GaugeReading, Histogram } from '../plugin/host.ts'

const maxSeries = 1000
const usualBuckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300]

type Read = () => Iterable<GaugeReading>

interface Metric {
  readonly help: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly series: Map<string, number[]>
  /** Of a histogram. */
  readonly buckets: readonly number[]
  /** Of a gauge: who is asked when somebody looks. */
  readonly readers: Set<Read>
}

export class Metrics {
  private readonly metrics = new Map<string, Metric>()

  counter(name: string, help: string): Counter {
    const metric = this.metric(name, help, 'counter')
    return {
      add: (value = 1, labels) => {
        const cell = this.cell(metric, labels, 1)
        cell[0]! += value
      },
    }
  }

  /** Asks `read` whenever the metrics are printed. Gives a function that ends that. */
  gauge(name: string, help: string, read: Read): () => void {
    const { readers } = this.metric(name, help, 'gauge')
    readers.add(read)
    return () => void readers.delete(read)
  }

  /** Unit of observations: seconds. */
  histogram(name: string, help: string, buckets: readonly number[] = usualBuckets): Histogram {
    const metric = this.metric(name, help, 'histogram', buckets)
    return {
      observe: (value, labels) => {
        const cell = this.cell(metric, labels, buckets.length + 2)
        cell[0]! += 1
        cell[1]! += value
        for (let i = 0; i < buckets.length; i++) if (value <= buckets[i]!) cell[i + 2]! += 1
      },
    }
  }

  /** All metrics in text exposition format 0.0.4. */
  text(): string {
    const lines: string[] = []
    for (const [name, metric] of this.metrics) {
      lines.push(`# HELP ${name} ${metric.help.replaceAll('\n', ' ')}`, `# TYPE ${name} ${metric.kind}`)
      if (metric.kind === 'gauge') lines.push(...gaugeLines(name, metric.readers))
      const { buckets } = metric
      for (const [labels, cell] of metric.series) {
        if (metric.kind === 'counter') {
          lines.push(`${name}${labels && `{${labels}}`} ${cell[0]}`)
          continue
        }
        const prefix = labels === '' ? '' : `${labels},`
        for (const [i, le] of buckets.entries()) lines.push(`${name}_bucket{${prefix}le="${le}"} ${cell[i + 2]}`)
        lines.push(`${name}_bucket{${prefix}le="+Inf"} ${cell[0]}`)
        lines.push(`${name}_sum${labels && `{${labels}}`} ${cell[1]}`, `${name}_count${labels && `{${labels}}`} ${cell[0]}`)
      }
    }
    return `${lines.join('\n')}\n`
  }

  private metric(name: string, help: string, kind: Metric['kind'], buckets: readonly number[] = []): Metric {
    if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new TypeError(`metric name ${JSON.stringify(name)} must be snake_case`)
    const known = this.metrics.get(name)
    if (known) {
      if (known.kind !== kind) throw new TypeError(`metric ${name} is a ${known.kind} already`)
      return known
    }
    const made: Metric = { help, kind, series: new Map(), buckets, readers: new Set() }
    this.metrics.set(name, made)
    return made
  }

  private cell(metric: Metric, labels: Readonly<Record<string, string>> | undefined, width: number): number[] {
    let key = labelText(labels)
    let cell = metric.series.get(key)
    if (cell) return cell
    if (metric.series.size >= maxSeries) key = 'other="true"'
    cell = metric.series.get(key) ?? new Array<number>(width).fill(0)
    metric.series.set(key, cell)
    return cell
  }
}

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  if (!labels) return ''
  let only: string | undefined
  let more = false
  for (const name in labels) {
    more = only !== undefined
    if (more) break
    only = name
  }
  // the usual case: counted for each request
  if (!more) return only === undefined ? '' : `${only}="${escapeLabel(labels[only]!)}"`
  return Object.keys(labels)
    .sort()
    .map((k) => `${k}="${escapeLabel(labels[k]!)}"`)
    .join(',')
}

/** What the readers say now; of two that say something of the same labels the later one. One that fails says nothing. */
function gaugeLines(name: string, readers: ReadonlySet<Read>): string[] {
  const values = new Map<string, string>()
  for (const read of readers) {
    try {
      for (const { value, labels } of read()) if (values.size < maxSeries) values.set(labelText(labels), String(value))
    } catch {
      // a broken reader may not keep the others from being seen
    }
  }
  return [...values].map(([labels, value]) => `${name}${labels && `{${labels}}`} ${value}`)
}

const special = /[\\"\n]/

function escapeLabel(value: string): string {
  if (!special.test(value)) return value
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
