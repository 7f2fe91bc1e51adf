/**
 * Arbitrary JSON texts for the property tests of this folder: random white space, number spellings, escapes, duplicate keys,
 * odd names and nesting. Tests only.
 */

import fc from 'fast-check'

const space = fc.constantFrom('', '', '', ' ', '\n', '\t', '\r\n ', '   ')

const numberText = fc.oneof(
  fc.constantFrom('0', '-0', '1.0e5', '1E+2', '0.10', '12345678901234567890', '1e-400', '-1.50', '100000000000000000000000'),
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
)

/** One of the spellings of a string: some characters escaped that need not be. */
function spelled(value: string, seed: number): string {
  let text = ''
  for (let index = 0; index < value.length; index++) {
    const unit = value[index]!
    seed = (seed * 1103515245 + 12345) & 0x7fffffff
    const lone = !unit.isWellFormed()
    if (!lone && seed % 7 === 0) text += `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
    else if (unit === '/' && seed % 2 === 0) text += '\\/'
    else if (lone) {
      const pair = value.slice(index, index + 2)
      if (pair.length === 2 && pair.isWellFormed()) {
        text += pair
        index++
      } else text += JSON.stringify(unit).slice(1, -1)
    } else text += JSON.stringify(unit).slice(1, -1)
  }
  return `"${text}"`
}

const someString = fc.oneof(
  fc.constantFrom('', 'model', 'x', 'a\\b', '"quoted"', '\\', '\\\\"', 'line\nline', '{}', '[,]', 'é🙂', '\ud800', '\ufffd'),
  fc.string({ unit: 'binary', maxLength: 12 }),
)

export const someKey = fc.constantFrom(
  'a',
  'b',
  'c',
  'model',
  'stream',
  '__proto__',
  'constructor',
  '',
  'a/b',
  'm~n',
  '~1',
  '0',
  '-',
  'é',
  '\ud800',
  '\ufffd',
)

const stringText = fc.tuple(someString, fc.nat()).map(([value, seed]) => spelled(value, seed))
const keyText = fc.tuple(someKey, fc.nat()).map(([value, seed]) => spelled(value, seed))
const scalarText = fc.oneof(numberText, stringText, fc.constantFrom('true', 'false', 'null'))

const texts = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 5, depthSize: 'small' }, scalarText, tie('array'), tie('object')),
  array: fc
    .tuple(space, fc.array(fc.tuple(space, tie('value'), space), { maxLength: 5 }))
    .map(([inner, items]) => (items.length === 0 ? `[${inner}]` : `[${items.map((item) => item.join('')).join(',')}]`)),
  object: fc
    .tuple(space, fc.array(fc.tuple(space, keyText, space, space, tie('value'), space), { maxLength: 6 }))
    .map(([inner, members]) =>
      members.length === 0 ? `{${inner}}` : `{${members.map(([a, key, b, c, value, d]) => `${a}${key}${b}:${c}${value}${d}`).join(',')}}`,
    ),
}))

const around = (text: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.tuple(space, text, space).map((parts) => parts.join(''))

/** Any JSON text. */
export const jsonText = around(
  fc.oneof({ weight: 1, arbitrary: texts.value }, { weight: 3, arbitrary: fc.oneof(texts.object, texts.array) }),
)

/** The text of an object. */
export const objectText = around(texts.object)

/** A value that an edit may insert. */
export const someValue = fc.oneof(
  jsonText.map((text) => JSON.parse(text) as unknown),
  fc.constantFrom('x', 1, null, true, '\ud800é'),
)
