/**
 * `bun run test:contract`: runs the contract tests and prints the table of all rows, each passed, failed or without a test.
 *
 * Exit code 1 when a row did not pass. Arguments go to `bun test`.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gateways, rowOf } from './rows.ts'

const root = join(import.meta.dir, '../..')
const folder = mkdtempSync(join(tmpdir(), 'contract-'))
const report = join(folder, 'report.xml')
const child = Bun.spawn(
  [process.execPath, 'test', 'test/contract', '--reporter=junit', `--reporter-outfile=${report}`, ...process.argv.slice(2)],
  {
    cwd: root,
    stdout: 'inherit',
    stderr: 'inherit',
  },
)
await child.exited

const results = new Map<string, { tests: number; failed: number }>()
const decode = (text: string) =>
  text.replaceAll('&quot;', '"').replaceAll('&apos;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
for (const [, attributes = '', rest = ''] of readFileSync(report, 'utf8').matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
  const row = rowOf(decode(/\bname="([^"]*)"/.exec(attributes)?.[1] ?? ''))
  if (row === undefined) continue
  const sum = results.get(row) ?? { tests: 0, failed: 0 }
  results.set(row, { tests: sum.tests + 1, failed: sum.failed + (/<(failure|error|skipped)\b/.test(rest) ? 1 : 0) })
}
rmSync(folder, { recursive: true, force: true })

let passed = 0
let all = 0
const lines: string[] = []
for (const { preset, prefix, rows } of gateways) {
  lines.push('', preset)
  for (const [i, about] of rows.entries()) {
    const id = `${prefix}-${i + 1}`
    const sum = results.get(id)
    const good = sum !== undefined && sum.failed === 0
    all++
    if (good) passed++
    const tests = sum === undefined ? 'no test' : sum.tests === 1 ? '1 test' : `${sum.tests} tests`
    lines.push(`  ${good ? 'pass' : 'FAIL'}  ${id.padEnd(8)} ${about.padEnd(45)} ${tests}${sum?.failed ? `, ${sum.failed} failed` : ''}`)
  }
}
console.log(lines.join('\n'))
console.log(`\n${passed} of ${all} rows pass`)
process.exit(passed === all ? 0 : 1)
