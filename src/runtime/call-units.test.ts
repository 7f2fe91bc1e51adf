import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { JsonDocument } from '../json/document.ts'
import { promptUnits } from '../json/prompt-units.ts'
import { movedUnits } from './call-units.ts'

const layout = { tools: ['tools'], system: ['system'], messages: ['messages'] }
const bytesOf = (value: unknown, indent = 0) => new Uint8Array(Buffer.from(JSON.stringify(value, null, indent)))

/** Where the units are after edits, reckoned, and found by looking again. */
function both(source: Uint8Array, edit: (document: JsonDocument) => void) {
  const document = new JsonDocument(source)
  edit(document)
  const changes = document.edits().map(({ start, end, text }) => ({ start, end, bytes: Buffer.byteLength(text) }))
  const output = document.output()
  return { reckoned: movedUnits(source, promptUnits(source, layout), changes), found: promptUnits(output, layout), output }
}

const body = {
  model: 'm',
  system: 'rule',
  tools: [{ name: 'a' }],
  messages: [
    { role: 'user', content: 'one' },
    { role: 'assistant', content: [{ type: 'text', text: 'two' }] },
  ],
  max_tokens: 5,
}

describe('units that moved', () => {
  test.each([
    ['nothing', () => {}, true],
    ['another model', (d: JsonDocument) => d.set('/model', 'a much longer name'), true],
    ['a longer text', (d: JsonDocument) => d.set('/messages/0/content', 'a much longer text than before'), true],
    ['the whole system', (d: JsonDocument) => d.set('/system', 'x'), false],
    ['a member at the end', (d: JsonDocument) => d.set('/user', 'u'), false],
    ['a whole message', (d: JsonDocument) => d.set('/messages/1', { role: 'user', content: 'other' }), false],
    ['a block more', (d: JsonDocument) => d.set('/messages/1/content/-', { type: 'text', text: 'three' }), true],
    ['a message more', (d: JsonDocument) => d.set('/messages/-', { role: 'user', content: 'three' }), false],
    ['a message less', (d: JsonDocument) => d.remove('/messages/0'), false],
    ['no system', (d: JsonDocument) => d.remove('/system'), false],
    ['other messages', (d: JsonDocument) => d.set('/messages', [{ role: 'user', content: 'x' }]), false],
  ])('%s', (_, edit, known) => {
    for (const indent of [0, 2]) {
      const { reckoned, found } = both(bytesOf(body, indent), edit)
      // what can't be reckoned is looked for: that is never wrong
      if (known) expect(reckoned).toEqual(found)
      else if (reckoned) expect(reckoned).toEqual(found)
    }
  })

  test('are where they are found, or not known, whatever was edited (property)', () => {
    const text = fc.string({ maxLength: 20 })
    const message = fc.record({
      role: fc.constantFrom('user', 'assistant'),
      content: fc.oneof(text, fc.array(fc.record({ type: fc.constant('text'), text }), { maxLength: 3 })),
    })
    const bodies = fc.record(
      {
        model: text,
        system: text,
        max_tokens: fc.nat(),
        messages: fc.array(message, { maxLength: 5 }),
        tools: fc.array(fc.record({ name: text }), { maxLength: 3 }),
        user: text,
      },
      { requiredKeys: ['messages'] },
    )
    const pointer = fc.constantFrom(
      '/model',
      '/system',
      '/messages/0',
      '/messages/1/content',
      '/messages/2',
      '/messages/-',
      '/messages/0/content/0',
      '/tools',
      '/tools/0',
      '/tools/-',
      '/user',
      '/messages',
      '/new',
    )
    const edit = fc.record({ pointer, value: fc.oneof(text, message, fc.constant([])), remove: fc.boolean() })
    let known = 0
    fc.assert(
      fc.property(bodies, fc.array(edit, { maxLength: 4 }), fc.constantFrom(0, 2), (value, edits, indent) => {
        const { reckoned, found } = both(bytesOf(value, indent), (document) => {
          for (const { pointer, value, remove } of edits) {
            try {
              if (remove) document.remove(pointer)
              else document.set(pointer, value)
            } catch {} // there is no such place in this body
          }
        })
        if (!reckoned) return
        known++
        expect(reckoned).toEqual(found)
      }),
      { numRuns: 2000 },
    )
    expect(known).toBeGreaterThan(500)
  })
})
