import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import type { PromptUnit } from 'headgate/plugin'
import { chainOf } from './chain.ts'
import { type Found, identifier } from './identify.ts'
import { type Caller, callers } from './ids.ts'
import { knownSessions } from './known.ts'
import { settleSession } from './settle.ts'

setDefaultTimeout(30_000)

interface Said {
  readonly role: string
  readonly content: string
}

/** A gateway's memory, and a way to ask it. */
function memory(most = 1000, idle = 1e9) {
  const ids = identifier(knownSessions(most, idle), undefined)
  let now = 0
  return (caller: Caller, messages: readonly Said[], client?: string, output?: number): Found => {
    now++
    const units: PromptUnit[] = []
    let text = ''
    for (const [message, said] of messages.entries()) {
      const start = Buffer.byteLength(text)
      text += JSON.stringify(said)
      units.push({ kind: 'message', message, role: said.role, start, end: Buffer.byteLength(text) })
    }
    const chain = chainOf(Buffer.from(text), units, caller.seed)
    const owner = { key: 'k', account: 'a' }
    const found = ids.identify({
      caller,
      owner,
      chain,
      model: 'm',
      client: client === undefined ? undefined : { id: client, agent: '' },
      previous: undefined,
      answerTokens: (end) => (messages[end]?.content.length ?? 0) / 4,
      retry: false,
      now,
    })
    if (found instanceof Promise) throw new Error('nothing is shared here')
    settleSession(found, { chain, now, answered: true, input: undefined, output })
    return found
  }
}

const callerOf = callers('a secret')
const user = (content: string): Said => ({ role: 'user', content })
const assistant = (content: string): Said => ({ role: 'assistant', content })

describe('random conversations of several callers, all at once, with few words', () => {
  interface Conversation {
    readonly who: number
    readonly name: string | undefined
    said: Said[]
    id: string
  }
  const step = fc.record({
    act: fc.constantFrom('begin', 'name', 'go on', 'go on', 'go on', 'repeat', 'fork'),
    who: fc.nat(2),
    which: fc.nat(50),
    word: fc.constantFrom('a', 'b'),
  })
  test('each has one session of its own, of one caller, whoever says the same', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const ask = memory()
        const people = ['x', 'y', 'z'].map((key) => callerOf('acct', key))
        const all: Conversation[] = []
        const owner = new Map<string, Conversation | string>()
        let answers = 0
        const own = (conversation: Conversation, id: string) => {
          const key = conversation.name === undefined ? conversation : `${conversation.who} ${conversation.name}`
          expect(owner.get(id) ?? key).toBe(key)
          owner.set(id, key)
          conversation.id = id
        }
        for (const { act, who, which, word } of steps) {
          if (act === 'begin' || act === 'name' || all.length === 0) {
            // two that said the same and nothing more can't be told apart
            if (
              act !== 'name' &&
              all.some(
                (other) => other.who === who && other.name === undefined && other.said.length === 1 && other.said[0]!.content === word,
              )
            )
              continue
            const made: Conversation = { who, name: act === 'name' ? word : undefined, said: [user(word)], id: '' }
            all.push(made)
            own(made, ask(people[who]!, made.said, made.name).session.id)
            continue
          }
          const one = all[which % all.length]!
          if (act === 'repeat') {
            // words that begin a conversation are said in many
            if (one.said.length > 1) expect(ask(people[one.who]!, one.said, one.name).session.id).toBe(one.id)
            continue
          }
          // answers of a model are never twice the same: what else would tell two conversations apart?
          if (act === 'go on') {
            one.said = [...one.said, assistant(`answer ${++answers}`), user(word)]
            const found = ask(people[one.who]!, one.said, one.name)
            if (one.said.length > 3 || one.name !== undefined) expect(found.session.id).toBe(one.id)
            own(one, found.session.id)
          } else if (one.said.length >= 5 && one.name === undefined) {
            const fork: Conversation = { ...one, said: [...one.said.slice(0, 3), assistant(`answer ${++answers}`), user(word)] }
            all.push(fork)
            const found = ask(people[fork.who]!, fork.said)
            expect(found.session.parent).toBeDefined()
            own(fork, found.session.id)
          }
        }
      }),
      { numRuns: 500 },
    )
  })
})

test('several that began with the same words go on each for itself: the length of its answer tells which', () => {
  const ask = memory()
  const me = callerOf('a', 'k')
  const lengths = [400, 40, 4000]
  const begun = lengths.map((length) => ask(me, [user('same')], undefined, length / 4).session.id)
  expect(new Set(begun).size).toBe(3)
  for (const i of [1, 0, 2]) {
    // an estimate is off by a fifth
    const next = ask(me, [user('same'), assistant('x'.repeat(lengths[i]! * 1.2)), user('on')])
    expect(next.session.id).toBe(begun[i]!)
  }
})

test('the least recently used are forgotten, and ids do not come back with the same words', () => {
  const ask = memory(2)
  const me = callerOf('a', 'k')
  const ids = ['1', '2', '3'].map((word) => ask(me, [user(word)]).session.id)
  expect(new Set([...ids, ask(me, [user('1')]).session.id]).size).toBe(4)
})

test('a gateway without memory gives a conversation the id that its beginning had', () => {
  const me = callerOf('a', 'k')
  const id = memory()(me, [user('one')]).session.id
  const later = memory()(me, [user('one'), assistant('1'), user('two')])
  expect(later.session.id).toBe(id)
  expect(later.source).toBe('new')
})
