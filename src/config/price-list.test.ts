import { describe, expect, test } from 'bun:test'
import { formatDiagnostics } from './diagnostics.ts'
import { loadConfig } from './load.ts'

const gateway = `version: 1
price_list: ./prices/models.yaml
upstreams: { a: { dialect: openai, base_url: builtin:demo } }
models:
  m: { targets: [{ upstream: a, price: { input: 1 } }, { upstream: a }] }
plugins: [{ use: router }]
`

function load(prices: string | undefined, text = gateway) {
  return loadConfig({
    path: 'etc/gateway.yaml',
    text,
    env: {},
    readFile(path) {
      if (path !== `${process.cwd()}/etc/prices/models.yaml`) throw new Error(`unexpected ${path}`)
      if (prices === undefined) throw Object.assign(new Error('gone'), { code: 'ENOENT' })
      return prices
    },
  })
}
const places = (prices: string | undefined, text?: string) =>
  load(prices, text).diagnostics.map((d) => `${d.file}:${d.line}:${d.column} ${d.path}: ${d.message}; ${d.fix}`)

describe('the price list', () => {
  test('is loaded with its dates, long contexts and limits, in picodollars per token', () => {
    const { config, diagnostics, files } = load(`models:
  one:
    context: 200000
    max_output: 8192
    price:
      - { from: 2026-03-01, input: 2.5, output: 10 }
      - { from: 2026-01-01T12:00:00Z, input: "0.075", output: 0, long_context: { above: 200000, input: 5 } }
      - { input: 3, output: 15, cache_read: 0.30, cache_write: 3.75, cache_write_1h: 6, request: 5000 }
  "glob-*": { price: { input: 0.000001 } }
`)
    expect(diagnostics).toEqual([])
    expect(files).toEqual([`${process.cwd()}/etc/prices/models.yaml`])
    expect(config!.priceList).toEqual({
      file: `${process.cwd()}/etc/prices/models.yaml`,
      models: [
        {
          id: 'one',
          context: 200_000,
          maxOutput: 8192,
          price: [
            {
              input: 3_000_000n,
              output: 15_000_000n,
              cache_read: 300_000n,
              cache_write: 3_750_000n,
              cache_write_1h: 6_000_000n,
              request: 5_000_000_000n,
            },
            { from: Date.UTC(2026, 0, 1, 12), input: 75_000n, output: 0n, longContext: { above: 200_000, input: 5_000_000n } },
            { from: Date.UTC(2026, 2, 1), input: 2_500_000n, output: 10_000_000n },
          ],
        },
        { id: 'glob-*', price: [{ input: 1n }] },
      ],
    })
    expect(config!.models[0]!.targets).toEqual([
      { upstream: 'a', model: 'm', price: [{ input: 1_000_000n }] },
      { upstream: 'a', model: 'm' },
    ])
  })

  test('has mistakes of its own, each at its place in that file', () => {
    expect(
      places(`models:
  a: { price: { inptu: 1 } }
  b: { price: { input: 0.0000001 } }
  c: { price: [{ from: 2026-02-30, input: 1 }] }
  d: { price: [{ input: 1 }, { input: 2 }] }
  e: { price: [{ from: 2026-01-01, input: 1 }, { from: 2026-01-01T00:00:00Z, input: 2 }] }
  "**": {}
  f: { price: { input: -1 } }
`),
    ).toEqual([
      'etc/prices/models.yaml:2:17 models.a.price.inptu: unknown key `inptu`; did you mean `input`?',
      'etc/prices/models.yaml:3:24 models.b.price.input: 0.0000001 is no price; a price has at most 6 decimals: a millionth of a dollar per million tokens',
      'etc/prices/models.yaml:4:24 models.c.price[0].from: "2026-02-30" is not a date; write it as 2026-01-31, or with a time as 2026-01-31T12:00:00Z; both are UTC',
      'etc/prices/models.yaml:5:30 models.d.price[1]: a second price without a date; say `from` when it is in force',
      'etc/prices/models.yaml:6:56 models.e.price[1].from: a price is in force from that date already (number 1); remove one of the two',
      'etc/prices/models.yaml:7:3 models["**"]: `**` holds 2 stars; use one *: it stands for anything, slashes included',
      'etc/prices/models.yaml:8:24 models.f.price.input: -1 is negative; write a number from 0 up',
    ])
  })

  test('shows the line of its own file below a mistake', () => {
    const { diagnostics, texts } = load('models:\n  a: { price: { input: x } }\n')
    expect(formatDiagnostics(diagnostics, { text: texts })).toContain('2 |   a: { price: { input: x } }')
  })

  test('that is missing is a mistake at the line that names it', () => {
    const [only, ...more] = places(undefined)
    expect(more).toEqual([])
    expect(only).toStartWith('etc/gateway.yaml:2:13 price_list: etc/prices/models.yaml does not exist; put the price list there')
    expect(load(undefined).config).toBeUndefined()
  })

  test('that is empty or no map says so', () => {
    expect(places('')).toEqual([`etc/prices/models.yaml:1:1 : \`models\` is missing; add \`models\`: ${modelsWords}`])
    expect(places('[]')[0]).toStartWith('etc/prices/models.yaml:1:1 ')
    expect(places('models: {\n')[0]).toStartWith('etc/prices/models.yaml:')
  })
})

const modelsWords = "Models by the provider's name for them. A name may hold *: exact names win, then patterns from top to bottom."

test('gateway.yaml: prices of targets are checked like those of models', () => {
  const text = gateway.replace('price: { input: 1 }', 'price: [{ from: 2026-01-01 }, { from: 2026-01-01 }]')
  expect(places('models: {}', text)).toEqual([
    'etc/gateway.yaml:5:71 models.m.targets[0].price[1].from: a price is in force from that date already (number 1); remove one of the two',
  ])
})

test('prices can be written as JSON, as they stand in the file', () => {
  const { config } = load('models: { a: { price: { input: 0.10, long_context: { above: 7, input: 2 } } } }')
  expect(JSON.parse(JSON.stringify(config!.priceList!.models[0]))).toEqual({
    id: 'a',
    price: [{ input: '0.1', long_context: { above: 7, input: '2' } }],
  })
})

describe('the list that comes with Headgate', () => {
  const { config } = loadConfig({ path: `${import.meta.dir}/../../config/gateway.yaml`, env: {} })
  const models = config!.priceList!.models

  test('is without mistakes, and states input and output of every model', () => {
    expect(models.length).toBeGreaterThan(40)
    for (const { id, price } of models) {
      for (const one of price!) expect([id, one.input !== undefined, one.output !== undefined]).toEqual([id, true, true])
    }
  })
  test('prices no pattern that could take in a later version: only dates follow a name', () => {
    for (const { id } of models) if (id.includes('*')) expect(id).toEndWith('-202*')
  })
  test('cache reads cost no more than input, cache writes no less, an hour no less than five minutes', () => {
    for (const { id, price } of models) {
      for (const one of price!.flatMap((p) => [p, ...(p.longContext ? [p.longContext] : [])])) {
        const { input = 0n, cache_read = input, cache_write = input, cache_write_1h = cache_write } = one
        expect([id, cache_read <= input, cache_write >= input, cache_write_1h >= cache_write]).toEqual([id, true, true, true])
      }
    }
  })
})
