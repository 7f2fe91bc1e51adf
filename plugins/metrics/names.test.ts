/**
 * The list of metrics in the README is that of the code: every `host.counter`, `gauge` and `histogram` of every plugin stands in it, and the dashboard
 * asks for nothing else.
 *
 * `HEADGATE_WRITE_DOCS=1 bun test plugins/metrics/names.test.ts` writes the list.
 */

import { expect, test } from 'bun:test'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const plugins = join(import.meta.dir, '..')
const readmePath = join(import.meta.dir, 'README.md')
const begin = '<!-- metrics -->'
const end = '<!-- /metrics -->'

interface Named {
  readonly plugin: string
  readonly name: string
  readonly what: string
}

/** What a plugin's sources name. Names and helps are written out in the call: that is what makes them findable. */
function namedBy(plugin: string): Named[] {
  const files = readdirSync(join(plugins, plugin), { recursive: true, encoding: 'utf8' }).filter(
    (f) => f.endsWith('.ts') && !f.includes('.test.'),
  )
  return files.flatMap((file) => {
    const source = readFileSync(join(plugins, plugin, file), 'utf8')
    const calls = source.matchAll(/host\s*\.(?:counter|gauge|histogram)\(\s*'([a-z_]+)',\s*(?:'((?:[^'\\]|\\.)*)'|"([^"]*)"|`([^`]*)`)/g)
    return [...calls].map(([, name, one, two, three]) => ({
      plugin,
      name: `headgate_${name}`,
      what: (one ?? two ?? three ?? '').replaceAll('|', '\\|'),
    }))
  })
}

const all = readdirSync(plugins, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'metrics')
  .flatMap((entry) => namedBy(entry.name))
  .sort((a, b) => (a.plugin === b.plugin ? (a.name < b.name ? -1 : 1) : a.plugin < b.plugin ? -1 : 1))
const table = [
  '| metric | plugin | what |',
  '| --- | --- | --- |',
  ...all.map((m) => `| `.concat(`\`${m.name}\` | ${m.plugin} | ${m.what} |`)),
].join('\n')

test('the README lists the metrics of all plugins', () => {
  const readme = readFileSync(readmePath, 'utf8')
  const [from, to] = [readme.indexOf(begin) + begin.length, readme.indexOf(end)]
  if (process.env.HEADGATE_WRITE_DOCS) writeFileSync(readmePath, `${readme.slice(0, from)}\n${table}\n${readme.slice(to)}`)
  else {
    const listed = [...readme.slice(from, to).matchAll(/^\| `(headgate_[a-z_]+)` +\| ([a-z-]+) +\|/gm)].map(
      ([, name, plugin]) => `${plugin} ${name}`,
    )
    expect(listed).toEqual(all.map((m) => `${m.plugin} ${m.name}`))
  }
  expect(all.length).toBeGreaterThan(10)
  expect(all.filter((m) => m.name.startsWith('headgate_headgate_'))).toEqual([])
})

test('the dashboard asks for nothing else', () => {
  const readme = readFileSync(readmePath, 'utf8')
  const known = new Set([...readme.matchAll(/`(headgate_[a-z_]+)`/g)].map(([, name]) => name))
  const asked = new Set(
    [...readFileSync(join(plugins, '../config/grafana.json'), 'utf8').matchAll(/headgate_[a-z_]+/g)].map(([name]) =>
      name.replace(/_(bucket|sum|count)$/, ''),
    ),
  )
  expect([...asked].filter((name) => !known.has(name))).toEqual([])
  expect(asked.size).toBeGreaterThan(15)
})
