import { describe, expect, test } from 'bun:test'
import { encoded, none, result } from './class.fixture.ts'
import { jsonTokens } from './json-tokens.ts'
import { parseTree, writeTree } from './json-tree.ts'
import { plainJson } from './plain-json.ts'

const api = (text: string) => result(text, { kind: 'api', tool: 'get_things' })

describe('JSON of API tools', () => {
  test('lists of objects become rows', () => {
    const text = JSON.stringify(
      {
        things: [
          { id: 1, name: 'Ann Lee', at: '2026-01-02' },
          { id: 2, name: 'a, b', at: null },
        ],
        next: true,
      },
      null,
      2,
    )
    expect(encoded(plainJson, api(text))).toBe('{things:[2 rows: id,name,at\n1,Ann Lee,2026-01-02\n2,"a, b",null],next:true}')
  })

  test('strings that would read as something else keep their quotes', () => {
    const text = JSON.stringify(
      {
        a: '12',
        b: 'true',
        c: '',
        d: ' x',
        e: '1e5',
        f: 'null',
        g: '-',
        h: '[x',
        i: 'a"b',
        j: 'a\nb',
        k: 'a\u2028b',
        l: '2 rows: x',
        'm n': 0,
        '': 1,
      },
      null,
      1,
    )
    expect(encoded(plainJson, api(text))).toBe(
      '{a:"12",b:"true",c:"",d:" x",e:"1e5",f:"null",g:-,h:"[x",i:"a\\"b",j:"a\\nb",k:"a\u2028b",l:"2 rows: x","m n":0,"":1}',
    )
  })

  test('digits of numbers stay: beyond 2^53, exponents, minus zero', () => {
    const text = '[{"id": 9007199254740993, "x": 1.0},\n {"id": 12345678901234567890123, "x": -0},\n {"id": 1E400, "x": 1e-7}]'
    expect(encoded(plainJson, api(text))).toBe('[3 rows: id,x\n9007199254740993,1.0\n12345678901234567890123,-0\n1E400,1e-7]')
  })

  test('members of the same name stay, in their order', () => {
    expect(encoded(plainJson, api('{"a": 1, "b": 2, "a": 3}'))).toBe('{a:1,b:2,a:3}')
    expect(encoded(plainJson, api('[{"a": 1, "a": 2}, {"a": 3, "a": 4}]'))).toBe('[2 rows: a,a\n1,2\n3,4]')
    expect(encoded(plainJson, api('[{"a": 1, "b": 2}, {"b": 3, "a": 4}]'))).toBe('[{a:1,b:2},{b:3,a:4}]')
  })

  test('nested values, other scripts, separators, halves of pairs', () => {
    const text = '{"a": [[], {}, [{"x": [1, 2], "y": {"z": "é 漢"}}, {"x": [], "y": {}}]], "b": "\\ud800 \\u2029"}'
    expect(encoded(plainJson, api(text))).toBe('{a:[[],{},[2 rows: x,y\n[1,2],{z:é 漢}\n[],{}]],b:"\\ud800 \u2029"}')
  })

  test('never for shells and files: a later edit has to match the layout', () => {
    const text = JSON.stringify({ a: [1, 2, 3] }, null, 2)
    expect(encoded(plainJson, result(text, { kind: 'shell', command: 'cat x.json' }))).toBeUndefined()
    expect(encoded(plainJson, result(text, { kind: 'file' }))).toBeUndefined()
  })

  test('what is no JSON passes, however deep', () => {
    for (const text of [
      '{"a":1} x',
      '{"a":01}',
      '[1,]',
      '{"a" 1}',
      '["\t"]',
      '"text"',
      '12',
      '[',
      '{"a":',
      '['.repeat(100_000),
      `${'['.repeat(200)}${']'.repeat(200)}`,
    ]) {
      expect(encoded(plainJson, api(text))).toBeUndefined()
    }
  })

  test('equal means the same tree, not the same text', () => {
    expect(plainJson.equal!('{"a": "\\u00e9"}', '{"a":"é"}')).toBe(true)
    expect(plainJson.equal!('{"a": 1.0}', '{"a":1}')).toBe(false)
    expect(plainJson.equal!('{"a": 1, "b": 2}', '{"b":2,"a":1}')).toBe(false)
    expect(plainJson.decode('[3 rows: a,b\n1,2]', result(''), none)).toBeUndefined()
    expect(plainJson.decode('{a:1', result(''), none)).toBeUndefined()
  })

  test('trees are written as they were read', () => {
    for (const text of ['[]', '{}', '{"a":[1,-2.5e+3,true,null,"x\\"\\n"],"a":{}}']) expect(writeTree(parseTree(text)!)).toBe(text)
  })
})

describe('what plain JSON saves', () => {
  const record = (i: number) => ({
    order_id: `#W${2378156 + i}`,
    name: 'Water Bottle',
    price: 46.47 + i,
    options: { color: 'blue', size: '500ml' },
    paid: i % 3 > 0,
  })
  const row = (i: number) => ({
    id: 1000 + i,
    title: `Fix the build of part ${i}`,
    state: 'open',
    user: 'ann_lee',
    updated_at: '2026-01-02',
  })
  const lists = { records: Array.from({ length: 12 }, (_, i) => record(i)), rows: Array.from({ length: 12 }, (_, i) => row(i)) }
  const spaced = (value: unknown) => JSON.stringify(value, null, 1).replace(/\n */g, ' ')

  // counted with a public vocabulary of 200,000 tokens
  test.each([
    ['records', 0, 144],
    ['records', 'spaces', 300],
    ['records', 2, 432],
    ['records', 4, 432],
    ['rows', 0, 123],
    ['rows', 'spaces', 266],
    ['rows', 2, 350],
    ['rows', 4, 350],
  ] as const)('%s, %s: near what a tokenizer counts', (name, layout, exact) => {
    const value = lists[name]
    const text = layout === 'spaces' ? spaced(value) : JSON.stringify(value, null, layout)
    const plain = encoded(plainJson, api(text))!
    const saved = plainJson.saved!(text, plain)
    // of what has no layout to lose little is saved, and that is off by more
    expect(Math.abs(saved / exact - 1)).toBeLessThan(layout === 0 ? 0.2 : 0.06)
  })

  test('takes as long for a text of any kind as it is long', () => {
    for (const text of ['', ' ', '\n', '"', 'é', '1', '\r\n  ', ' "', '  12', '\ud800']) {
      expect(jsonTokens(text)).toBeLessThan(6)
      expect(jsonTokens(text.repeat(100_000))).toBeLessThan(500_000)
    }
  })
})
