/** The quick look agrees with the full scan, or says that it does not know. Never the wrong model (a limit could be walked around). */

import { expect, test } from 'bun:test'
import { quickLook } from './quick-look.ts'
import { scanTopLevel } from './scan.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const middle = `"messages":[{"role":"user","content":"${'x'.repeat(100)}"}]`

function agrees(text: string): boolean {
  const quick = quickLook(bytes(text))
  if (!quick) return false
  const full = scanTopLevel(bytes(text))
  expect({ ...quick, checked: true }).toEqual(full as never)
  return true
}

test('bodies as clients send them are told from their ends', () => {
  expect(agrees(`{"model":"gpt-4o",${middle},"stream":true}`)).toBe(true)
  expect(agrees(`{"model":"gpt-4o",${middle},"temperature":0.5,"stream":false,"n":1}`)).toBe(true)
  expect(agrees(`{"model":"gpt-4o",${middle},"max_tokens":-1.5e3}`)).toBe(true)
  expect(agrees(`{ "stream" : true, "model" : "a/b" , ${middle} }`)).toBe(true)
  expect(agrees(`{${middle},"model":"gpt-4o","stream":null}`)).toBe(true)
  expect(agrees(`{\n  "model": "m",\n  ${middle},\n  "stream": true\n}\n`)).toBe(true)
})

test('what could mean two things is left to the full scan', () => {
  expect(agrees(`{"model":"cheap",${middle},"model":"dear"}`)).toBe(false)
  expect(agrees(`{"model":"cheap","a":[],"model":"dear","b":[]}`)).toBe(false)
  expect(agrees(`{"model":"cheap","a":[],"mod\\u0065l":"dear","b":[]}`)).toBe(false)
  expect(agrees(`{"model":"cheap","a":[],"\\u006Dodel":"dear","b":[]}`)).toBe(false)
  expect(agrees(`{"a":[],"model":"m","b":[]}`)).toBe(false)
  expect(agrees(`{"model":"m","a":[],"stream":true,"b":[]}`)).toBe(false)
  expect(agrees(`{"model":"m","a":{"stream":true},"b":1}`)).toBe(false)
  expect(agrees(`{"model":"m","a":[],"\\u0073tream":true,"b":[]}`)).toBe(false)
  expect(agrees(`{"model":"m","stream":false,"a":[],"s\\u0074ream":true,"b":[]}`)).toBe(false)
  expect(agrees(`{"model":"m","a":[],"\\u0073tream":true,"b":[],"stream":false}`)).toBe(true)
  expect(agrees(`{"model":"é","a":[],"b":1}`)).toBe(false)
  expect(agrees(`{"model":5,"a":[],"b":1}`)).toBe(false)
  expect(agrees(`{"model":"m","a":[],"stream":"yes"}`)).toBe(false)
})

test('text that looks like members is not taken for one', () => {
  expect(agrees(`{"model":"m","a":[],"b":"x,\\"stream\\":true"}`)).toBe(true)
  expect(agrees(`{"model":"m","a":[],"b":"x\\\\"}`)).toBe(true)
  expect(agrees(`{"model":"m","a":[{"b":"c","stream":true}]}`)).toBe(false)
  expect(quickLook(bytes('[{"model":"m"}]'))).toBeUndefined()
  expect(quickLook(bytes('{"model":"m"'))).toBeUndefined()
  expect(quickLook(bytes(''))).toBeUndefined()
})

test('random bodies: never a wrong answer', () => {
  let seed = 7
  const random = (n: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return Math.floor((seed / 2 ** 32) * n)
  }
  const values = [
    '"m1"',
    '"x\\"y"',
    '"\\\\"',
    'true',
    'false',
    'null',
    '12',
    '-1.5e3',
    '[]',
    '{"model":"in"}',
    '{"stream":true}',
    '["model"]',
    '"model"',
    '"a,b:c"',
    '[1,"s"]',
  ]
  const keys = ['"model"', '"stream"', '"a"', '"mod\\u0065l"', '"messages"', '"x\\"stream"', '"tools"']
  let told = 0
  for (let i = 0; i < 30_000; i++) {
    const members = Array.from(
      { length: 1 + random(6) },
      () => `${keys[random(keys.length)]}${random(4) ? '' : ' '}:${values[random(values.length)]}`,
    )
    const text = `{${members.join(random(3) ? ',' : ' , ')}}`
    const quick = quickLook(bytes(text))
    if (!quick) continue
    told++
    const full = scanTopLevel(bytes(text))
    expect({ text, ...quick, checked: true }).toEqual({ text, ...(full as typeof quick) })
  }
  expect(told).toBeGreaterThan(100)
})
