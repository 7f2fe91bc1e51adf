/** Whatever the text, loading gives a config or diagnostics, and never throws. */

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { formatDiagnostics } from './diagnostics.ts'
import type { LoadResult } from './load.ts'
import { defaultText, load } from './load-text.fixture.ts'

describe('whatever the text, loading gives diagnostics or a config, and never throws', () => {
  const usable = (result: LoadResult): void => {
    expect(result.config !== undefined || result.diagnostics.length > 0).toBe(true)
    for (const d of result.diagnostics) {
      expect(d.line).toBeGreaterThan(0)
      expect(d.column).toBeGreaterThan(0)
    }
    formatDiagnostics(result.diagnostics, { text: result.texts, color: true, secrets: result.secrets })
  }
  test('mutations of the default file', () => {
    const scraps = [
      '{',
      '}',
      '[',
      ']',
      ': ',
      '- ',
      '\n',
      '\t',
      '  ',
      '"',
      "'",
      '*',
      '&a ',
      '*a',
      '<<: ',
      '${env:',
      '${',
      '!x ',
      '| ',
      '> ',
      '#',
      '---\n',
      '\u0000',
      '\ue000',
      '\ud800',
      '0x1',
      '.nan',
      'null',
      '? ',
      '__proto__: ',
    ]
    const mutation = fc.tuple(fc.nat(defaultText.length), fc.nat(20), fc.oneof(fc.constantFrom(...scraps), fc.string({ maxLength: 5 })))
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
        let text = defaultText
        for (const [at, cut, put] of mutations) text = text.slice(0, at) + put + text.slice(at + cut)
        usable(load(text, { OPENAI_API_KEY: 'k', GEMINI_API_KEY: 'x'.repeat(30) }))
      }),
      { numRuns: 100 },
    )
  }, 20_000)
  test('any value in any place', () => {
    const keys = fc.constantFrom(
      'version',
      'server',
      'listen',
      'mounts',
      'upstreams',
      'models',
      'targets',
      'upstream',
      'model',
      'price',
      'input',
      'plugins',
      'use',
      'with',
      'when',
      'header',
      'headers',
      'timeouts',
      'operation',
      'a',
    )
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        fc.jsonValue({ maxDepth: 1 }),
        fc.dictionary(keys, tie('tree'), { maxKeys: 6 }),
        fc.array(tie('tree'), { maxLength: 3 }),
      ),
    }))
    fc.assert(
      fc.property(fc.dictionary(keys, tree, { maxKeys: 8 }), (value) => usable(load(JSON.stringify(value)))),
      { numRuns: 200 },
    )
  }, 20_000)
})
