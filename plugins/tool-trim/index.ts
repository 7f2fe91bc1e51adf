/**
 * `tool-trim`: results of tools in fewer tokens, without loss and without losing the provider's prompt cache.
 *
 * This file joins the parts to hooks. Each result is decided once, at its first sight; whoever sends the same conversation again sends the same bytes
 * (`pass.ts`). What no class could shorten leaves as the client sent it, byte for byte. Fails open: untrimmed is right, only dearer.
 */

import {
  definePlugin,
  type Exchange,
  globMatcher,
  type Json,
  type Operation,
  Principal,
  Session,
  type SessionValue,
  type Slot,
  Trim,
  Trimmers,
  type TrimValue,
} from 'headgate/plugin'
import { addRoutes } from './admin.ts'
import { branches } from './branch.ts'
import { config } from './config.ts'
import { yielding } from './decide.ts'
import { type Entry, written } from './entries.ts'
import { keyStore } from './key-store.ts'
import { type LeakWatch, leakWatch } from './leaks.ts'
import { ledger } from './ledger.ts'
import { type Passed, passing } from './pass.ts'
import { policyOf } from './policy.ts'
import { canRead } from './read-unit.ts'
import { locate } from './record.ts'
import { rereads } from './rereads.ts'
import { sessions } from './sessions.ts'
import { type OwnTrimValue, trimValue, untrimmed } from './value.ts'

/** What the hooks of one exchange share. */
interface Trimming {
  passed: Passed | undefined
  session: string
  value: OwnTrimValue | undefined
  watch: LeakWatch | undefined
  /** That what was sent is written down. */
  kept: Promise<void> | undefined
}

/** Estimates are off by a tenth, for better or worse. */
const estimateMargin = 1.2

const conversations: ReadonlySet<Operation> = new Set<Operation>(['chat', 'messages', 'responses', 'generate', 'converse'])

export default definePlugin({
  api: 1,
  name: 'tool-trim',
  summary: 'Tool results in fewer tokens, without loss and without losing the prompt cache',
  config,
  needs: [Session],
  wants: [Principal, Trimmers],
  provides: [Trim],
  failure: 'open',
  usage: true,
  state: (): Trimming => ({ passed: undefined, session: '', value: undefined, watch: undefined, kept: undefined }),

  async setup(host, config) {
    const policy = policyOf(config)
    const isOn = globMatcher(config.models)
    const isOff = globMatcher(config.not_models)
    const tokens = host.counter(
      'tool_trim_tokens',
      'Tokens that requests were shorter by (estimates), by class; history counts with each request',
    )
    const fresh = host.counter('tool_trim_new_tokens', 'Of those: in results that were sent for the first time, by class')
    const refusals = host.counter(
      'tool_trim_decode_refusals',
      'Results that a trimmer was not used for, because its inverse did not give them back',
    )
    const mismatches = host.counter('tool_trim_ledger_mismatches', 'Results that would be trimmed otherwise now than they were sent')
    const leaks = host.counter('tool_trim_marks_leaked', 'References and masks that a model wrote itself')
    const failures = host.counter('tool_trim_store_failures', 'Calls to the store that failed')
    const requests = host.counter('tool_trim_requests', 'Requests, by what was done: trimmed, untouched, control, off')
    const kept = ledger(await keyStore(host), config.keep, () => failures.add())
    const running = branches(config.memory)
    const known = sessions(kept)
    const files = rereads(host.state, (trimmed, control) =>
      host.log.warn('files are read again more often after references than without: references are made no more', { trimmed, control }),
    )
    host.gauge('tool_trim_reread_share', 'Share of files that were read again within two turns of a reference, by arm', () => files.gauge())
    host.gauge('tool_trim_memory_bytes', 'Memory held for running conversations', () => [{ value: running.size }])
    const pass = passing({
      ledger: kept,
      branches: running,
      sessions: known,
      policy: () => (files.harmful ? { ...policy, classes: policy.classes.filter((name) => name !== 'ref') } : policy),
      margin: config.cold_mask.margin,
      refresh: config.keep / 2,
      told: { refused: (trimmer) => refusals.add(1, { trimmer }), mismatch: () => mismatches.add() },
      rereads: files,
    })
    addRoutes(host, { sessions: known, rereads: files, branches: running })

    /** Tokens of the shortest prompt that is cached by whoever may serve a model. */
    const shortestCached = (model: string): number => {
      let shortest = 0
      for (const target of host.catalog.find(model)?.targets ?? []) {
        const facts = host.catalog.promptCache(target.upstream, target.model)
        if (facts && facts.caching !== 'none') shortest = Math.max(shortest, facts.minimum)
      }
      return shortest * estimateMargin
    }
    /** Writes down what is sent, while it is on its way. */
    const keep = async ({ claims, writes }: Passed): Promise<void> => {
      try {
        for (const part of portions(claims)) {
          await yielding()
          const entries = part.map(written)
          const there = await kept.claim(entries)
          if (there.some((value, i) => value !== undefined && !sameValue(value, entries[i]![1]))) mismatches.add()
        }
        for (const part of portions(writes)) {
          await yielding()
          await kept.write(part.map(written))
        }
      } catch (error) {
        host.log.warn('what was sent could not be kept', { error: String(error) })
      }
    }

    return {
      async request(x) {
        if (!conversations.has(x.operation) || !canRead(x.dialect)) return
        const session = x.peek(Session)
        if (!session) return // no conversation
        if (!isOn(x.request.model) || isOff(x.request.model)) {
          x.put(Trim, untrimmed('off'))
          requests.add(1, { did: 'off' })
          return
        }
        const passed = await pass({
          request: x.request,
          dialect: x.dialect,
          scope: x.peek(Principal)?.id ?? '',
          session,
          more: x.peek(Trimmers) ?? [],
          minPrompt: config.min_prompt ?? shortestCached(x.request.model),
          now: host.now(),
        })
        if (!passed) return
        x.state.passed = passed
        x.state.session = session.id
        if (passed.control) {
          x.put(Trim, untrimmed('control'))
          requests.add(1, { did: 'control' })
          x.note('control group: untrimmed')
        } else put(x, passed, session)
        if (passed.claims.length + passed.writes.length > 0) x.state.kept = keep(passed)
      },

      hears: (x) => (x.state.passed?.marks.size ?? 0) > 0 && !x.state.passed!.control,

      event(x, event) {
        const { passed } = x.state
        if (!passed) return undefined
        x.state.watch ??= leakWatch((reference) => passed.marks.get(reference))
        return x.state.watch.event(event)
      },

      async settle(x, outcome) {
        const { passed, value, watch, session } = x.state
        if (!passed) return
        await x.state.kept
        const { state } = passed
        if (watch && watch.found.references + watch.found.masks > 0) {
          const { references, masks } = watch.found
          if (references > 0) state.refsOff = true
          if (masks > 0) state.masksOff = true
          if (references > 0) leaks.add(references, { what: 'reference' })
          if (masks > 0) leaks.add(masks, { what: 'mask' })
          host.log.warn('a model wrote a reference of ours itself: this session gets no new ones', { session, references, masks })
          x.note(`the model wrote ${references + masks} of our texts itself`)
          await kept.write(known.entries(session, state))
        }
        if (!value || outcome.served === undefined) return
        for (const [name, count] of Object.entries(value.classes)) tokens.add(count, { class: name })
        for (const [name, count] of Object.entries(value.newClasses)) fresh.add(count, { class: name })
        state.tokens = value.tokens
      },

      close() {
        running.clear()
        known.clear()
      },
    }

    /** Puts what was decided into the request. */
    function put(x: Exchange<Slot<SessionValue>, never, Slot<TrimValue>, Trimming>, passed: Passed, session: SessionValue): void {
      const { request } = x
      const { units, plain, records, state } = passed
      let changed = 0
      let masked = 0
      for (const [i, record] of records.entries()) {
        if (record.texts.length === 0) continue
        const unit = units[i]!
        locate(request, unit, record, plain[i]!)
        for (const { at, json, masked: isMasked } of record.texts) {
          if (json === undefined || !at) continue
          request.replaceSpan(unit.start + at.start, unit.start + at.end, json)
          changed++
          if (isMasked) masked++
        }
      }
      state.results = records.reduce((sum, record) => sum + record.texts.length, 0)
      state.trimmed = changed
      state.masked = masked
      requests.add(1, { did: changed > 0 ? 'trimmed' : 'untouched' })
      x.state.value = trimValue(request, passed, session)
      x.put(Trim, x.state.value)
      if (changed > 0) x.note(`${changed} results trimmed${masked > 0 ? `, ${masked} of them cleared` : ''}`)
    }
  },
})

/** Entries that are packed at once, while others wait. */
const portion = 16

function* portions(entries: readonly Entry[]): Generator<readonly Entry[]> {
  for (let from = 0; from < entries.length; from += portion) yield entries.slice(from, from + portion)
}

const sameValue = (a: Json, b: Json): boolean => JSON.stringify(a) === JSON.stringify(b)
