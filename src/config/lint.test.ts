/** Advice about the order: each rule once where it holds, and silence where the list is sound. */

import { expect, test } from 'bun:test'
import { type LintEntry, lintOrder } from './lint.ts'

const entry = (id: string, hooks: string, more: Partial<LintEntry> = {}): Omit<LintEntry, 'index' | 'line' | 'column'> => ({
  id,
  plugin: id,
  hooks: hooks.split(' '),
  needs: [],
  wants: [],
  provides: [],
  ...more,
})
const advice = (...list: Omit<LintEntry, 'index' | 'line' | 'column'>[]): string[] =>
  lintOrder(
    list.map((one, index) => ({ ...one, index, line: 10 + index, column: 5 })),
    'g.yaml',
  ).map((d) => `${d.line}:${d.column} ${d.severity} ${d.path} ${d.message} — ${d.fix}`)

const audit = entry('audit', 'settle close')
const auth = entry('auth', 'admit', { provides: ['principal'] })
const limit = entry('limit', 'admit reply', { wants: ['principal'] })
const cache = entry('cache', 'around settle')
const router = entry('router', 'request')

test('a sound list has no advice', () => {
  expect(advice(audit, auth, limit, cache, router)).toEqual([])
})
test('an observer below what can end an exchange', () => {
  expect(advice(auth, cache, audit, router)).toEqual([
    '12:5 advice plugins[2] `audit` stands below `auth`, `cache`: it will not see what ends there (refusals, answers from a cache) — move it above `auth` (line 10) unless that is meant',
  ])
})
test('an observer that needs a slot may stand right below its provider', () => {
  const needy = entry('needy', 'settle', { needs: ['principal'] })
  expect(advice(auth, needy, cache, router)).toEqual([])
  expect(advice(auth, cache, needy, router)[0]).toContain('`needy` stands below `cache`:')
})
test('a plugin that acts on the way down may settle anywhere', () => {
  expect(advice(auth, cache, entry('budget', 'request settle'), router)).toEqual([])
})
test('a wanted slot that is filled below', () => {
  expect(advice(limit, auth, router)).toEqual([
    '10:5 advice plugins[0] `limit` uses `principal`, which only `auth` below it (line 11) provides: it will find none — move `auth` above it',
  ])
})
test('who counts usage below the router', () => {
  const budget = entry('budget', 'request event settle', { wants: ['principal'], counts: true })
  const choosing = entry('router', 'request around settle')
  expect(advice(auth, budget, choosing)).toEqual([])
  expect(advice(auth, cache, budget, choosing)).toEqual([])
  expect(advice(auth, choosing, budget)).toEqual([
    '12:5 advice plugins[2] `budget` stands below `router`, which has chosen a target by then: it reckons with that one alone — move it above `router` (line 11)',
  ])
  expect(advice(budget, auth, choosing)).toEqual([
    '10:5 advice plugins[0] `budget` uses `principal`, which only `auth` below it (line 11) provides: it will find none — move `auth` above it',
  ])
})
test('headers below what can answer or refuse', () => {
  const headers = entry('costs', 'reply event settle', { wants: ['principal'], counts: true })
  const budget = entry('budget', 'request event settle', { counts: true })
  expect(advice(auth, headers, budget, router)).toEqual([])
  expect(advice(entry('auth', 'admit request', { provides: ['principal'] }), headers, router)).toEqual([])
  expect(advice(auth, cache, budget, headers, router)).toEqual([
    '13:5 advice plugins[3] `costs` stands below `cache`, `budget`: what ends there (refusals, answers from a cache) leaves without its headers — move it above `cache` (line 11) unless that is meant',
  ])
})
test('nothing chooses an upstream', () => {
  expect(advice(audit, auth)).toEqual([
    '10:5 warning plugins no plugin here can choose an upstream: every request will fail — add `- use: router` at the end',
  ])
})
test('nobody asks who is calling', () => {
  expect(advice(audit, router)).toEqual([
    '10:5 advice plugins nothing here says who is calling: whoever can connect may use your provider keys — add `- use: auth` near the top',
  ])
})
test('held-back text adds up', () => {
  const guard = (id: string, holds: number) => entry(id, 'inspect', { holds })
  expect(advice(auth, guard('a', 900), guard('b', 900), router)).toEqual([])
  expect(advice(auth, guard('a', 1500), guard('b', 900), router)[0]).toContain('`a` and `b` hold back 2400 characters')
})
test('an empty list is the loader’s business', () => expect(advice()).toEqual([]))

test('who reads a slot when all is over may stand above what fills it', () => {
  expect(advice(entry('audit', 'admit request settle', { wants: ['principal'], open: true }), auth, router)).toEqual([])
  expect(advice(entry('audit', 'request settle', { wants: ['principal'] }), auth, router)).toHaveLength(1)
})
test('a second instance below what fills the slot shows that the first is meant for strangers', () => {
  expect(advice({ ...limit, id: 'strangers' }, auth, limit, router)).toEqual([])
  expect(advice({ ...limit, id: 'strangers' }, auth, router)).toHaveLength(1)
})
test('a condition on who calls, above what says so', () => {
  const asking = (hooks: string, more: Partial<LintEntry> = {}) => entry('guard', hooks, { asksCaller: ['tier', 'tag'], ...more })
  expect(advice(asking('admit'), auth, router)).toEqual([
    '10:5 warning plugins[0] `guard` asks for a `tier` and `tag` of the caller, which only `auth` below it (line 11) knows: it never runs — move `auth` above it',
  ])
  expect(advice(auth, asking('admit'), router)).toEqual([])
  // by its first hook it is known
  expect(advice(asking('request'), auth, router)).toEqual([])
  expect(advice(asking('admit', { asksBody: true }), auth, router)).toEqual([])
  expect(advice(asking('reply event'), auth, router)).not.toContainEqual(expect.stringContaining('never runs'))
  const late = entry('who', 'request', { provides: ['principal'] })
  expect(advice(asking('request'), late, router)).toHaveLength(1)
  expect(advice(late, asking('request'), router)).toEqual([])
  expect(advice(asking('request'), router)).toContain(
    '10:5 warning plugins[0] `guard` asks for a `tier` and `tag` of the caller, which nothing here knows: it never runs — add `- use: auth` above it',
  )
})
test('a condition on who calls at what says so: everybody would pass', () => {
  expect(advice({ ...auth, asksCaller: ['tier'] }, router)).toEqual([
    '10:5 warning plugins[0] `auth` asks for a `tier` before it has said who is calling: it never runs, and callers pass without it — take `tier` out of its `when`',
  ])
  const second = { ...auth, id: 'second', asksCaller: ['tier'] }
  expect(advice(auth, second, router)).toEqual([])
})
