/**
 * Type tests of the public plugin API: what must compile, and (with `@ts-expect-error`) what must not.
 *
 * Checked by `bun check`; nothing in here ever runs. A line that stops failing to compile is an error, so the API can't
 * grow looser unnoticed.
 */

import { defineDialect } from 'headgate/dialect'
import {
  type AdmitExchange,
  Duration,
  definePlugin,
  type Exchange,
  type Host,
  Principal,
  type PrincipalValue,
  Session,
  type SessionValue,
  slot,
  Type,
} from 'headgate/plugin'

/** True only when A and B are the same type, not merely assignable to each other. */
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
/** Compiles only for `true`. */
function exact<_T extends true>(): void {}

const Extra = slot<{ count: number }>('type-test', { count: 1 })

// Config is inferred from the schema, units included.
definePlugin({
  api: 1,
  name: 'config',
  summary: 's',
  config: Type.Object({ limit: Type.Integer({ default: 1 }), name: Type.Optional(Type.String()), window: Duration() }),
  failure: 'open',
  setup(host, config) {
    exact<Equal<typeof host, Host>>()
    exact<Equal<typeof config.limit, number>>()
    exact<Equal<typeof config.name, string | undefined>>()
    exact<Equal<typeof config.window, number>>()
    // @ts-expect-error not in the schema
    config.nope
    return {}
  },
})

// Slots: get for needs, peek for wants, put for provides, and their values are typed.
definePlugin({
  api: 1,
  name: 'slots',
  summary: 's',
  needs: [Principal],
  wants: [Session],
  provides: [Extra],
  failure: 'open',
  setup() {
    return {
      admit(x) {
        const principal = x.get(Principal)
        exact<Equal<typeof principal, PrincipalValue>>()
        const session = x.peek(Session)
        exact<Equal<typeof session, SessionValue | undefined>>()
        const extra = x.peek(Extra)
        exact<Equal<typeof extra, { count: number } | undefined>>()
        x.put(Extra, { count: 2 })
        // @ts-expect-error the value has another shape
        x.put(Extra, { count: 'two' })
        // @ts-expect-error a wanted slot may be missing: peek it
        x.get(Session)
        // @ts-expect-error provided by this plugin, so not there yet
        x.get(Extra)
        // @ts-expect-error not provided by this plugin
        x.put(Principal, principal)
      },
    }
  },
})

// Slots that were not declared can't be touched.
definePlugin({
  api: 1,
  name: 'no-slots',
  summary: 's',
  failure: 'open',
  setup() {
    return {
      request(x) {
        // @ts-expect-error not declared
        x.get(Principal)
        // @ts-expect-error not declared
        x.peek(Principal)
        // @ts-expect-error not declared
        x.put(Principal, Principal.example)
      },
    }
  },
})

// `admit` sees headers only; later hooks see the request. State is inferred from `state`.
definePlugin({
  api: 1,
  name: 'state',
  summary: 's',
  failure: 'closed',
  state: () => ({ seen: 0, label: undefined as string | undefined }),
  setup() {
    return {
      admit(x) {
        exact<Equal<typeof x, AdmitExchange<never, never, never, { seen: number; label: string | undefined }>>>()
        x.state.seen += 1
        // @ts-expect-error no such state
        x.state.nope
        // @ts-expect-error the body is not read yet
        x.request
        // @ts-expect-error no target can be chosen before the body is read
        x.setTarget({ upstream: 'a', model: 'b' })
        return x.refuse('rate_limited', { retryAfter: 1 })
      },
      request(x) {
        exact<Equal<typeof x, Exchange<never, never, never, { seen: number; label: string | undefined }>>>()
        // @ts-expect-error not a code of the catalogue
        x.refuse('too_bad')
        // @ts-expect-error the body may not be written to
        x.request.json.model = 'x'
        return x.reply([{ type: 'text', text: 'hi', choice: 0 }])
      },
      event(x, event) {
        x.state.seen += 1
        if (event.type !== 'text') return
        // @ts-expect-error events are values: return another one
        event.text = 'x'
        return { ...event, text: 'x' }
      },
    }
  },
})

// Without `state` there is none.
definePlugin({
  api: 1,
  name: 'stateless',
  summary: 's',
  failure: 'open',
  setup() {
    return {
      settle(x) {
        exact<Equal<typeof x.state, undefined>>()
      },
    }
  },
})

// `setup` may be asynchronous and is checked just the same.
definePlugin({
  api: 1,
  name: 'async-setup',
  summary: 's',
  needs: [Principal],
  failure: 'open',
  async setup(host) {
    await host.fetch('http://127.0.0.1')
    return {
      async request(x) {
        const principal = x.get(Principal)
        exact<Equal<typeof principal, PrincipalValue>>()
      },
      async around(_x, next) {
        return next()
      },
    }
  },
})

// Hooks may depend on the config, in whichever way an author writes that.
definePlugin({
  api: 1,
  name: 'conditional',
  summary: 's',
  config: Type.Object({ early: Type.Boolean(), headers: Type.Boolean() }),
  failure: 'open',
  setup(_host, config) {
    if (config.early) return { admit: (x) => x.refuse('rate_limited') }
    return {
      request(x) {
        x.note(x.request.model)
      },
      ...(config.headers && {
        reply(x, reply) {
          reply.headers.set('x-id', x.id)
        },
      }),
    }
  },
})
definePlugin({
  api: 1,
  name: 'conditional-expression',
  summary: 's',
  config: Type.Object({ early: Type.Boolean() }),
  failure: 'open',
  setup: (_host, config) => (config.early ? { admit() {} } : { settle() {} }),
})

// An unknown hook is a mistake, not a hook that never runs.
definePlugin({
  api: 1,
  name: 'unknown-hook',
  summary: 's',
  failure: 'open',
  // @ts-expect-error `requests` is no hook
  setup() {
    return { requests() {}, settle() {} }
  },
})
definePlugin({
  api: 1,
  name: 'unknown-hook-async',
  summary: 's',
  failure: 'open',
  // @ts-expect-error `onEvent` is no hook
  async setup() {
    return { onEvent() {}, settle() {} }
  },
})

// `event` is synchronous.
definePlugin({
  api: 1,
  name: 'async-event',
  summary: 's',
  failure: 'open',
  setup: () => ({
    // @ts-expect-error a Promise is no event
    async event() {},
  }),
})
definePlugin({
  api: 1,
  name: 'async-event-value',
  summary: 's',
  failure: 'open',
  setup: () => ({
    // @ts-expect-error a Promise is no event
    async event(_x, event) {
      return event
    },
  }),
})

// Answers belong to the hooks that may give them.
definePlugin({
  api: 1,
  name: 'late-refusal',
  summary: 's',
  failure: 'open',
  setup: () => ({
    // @ts-expect-error too late for a refusal
    reply: (x) => x.refuse('rate_limited'),
  }),
})
definePlugin({
  api: 1,
  name: 'early-reply',
  summary: 's',
  failure: 'open',
  setup: () => ({
    // @ts-expect-error an admit hook can refuse, not answer
    admit: () => ({ type: 'completed', events: [] }),
  }),
})
definePlugin({
  api: 1,
  name: 'empty-around',
  summary: 's',
  failure: 'open',
  setup: () => ({
    // @ts-expect-error `around` always resolves with a reply
    async around() {},
  }),
})
definePlugin({
  api: 1,
  name: 'text-refusal',
  summary: 's',
  failure: 'open',
  setup: () => ({
    // @ts-expect-error a refusal is an object made by x.refuse
    request: () => 'no',
  }),
})

// Routes answer or refuse, inner calls are made by the host.
definePlugin({
  api: 1,
  name: 'routes',
  summary: 's',
  failure: 'open',
  setup(host) {
    host.route({
      method: 'GET',
      path: '/a/*',
      summary: 's',
      open: true,
      handler: (_request, params, call) => call.refuse('not_found', params['*']),
    })
    host.route({
      method: 'POST',
      path: '/b',
      summary: 's',
      handler: (_request, _params, { principal, dialect }) =>
        dialect === 'openai-chat' ? host.call(new Request('http://x/v1/chat/completions'), { principal, once: 'b' }) : undefined,
    })
    // @ts-expect-error a refusal has a code of the catalogue
    host.route({ method: 'GET', path: '/c', summary: 's', handler: (_request, _params, call) => call.refuse('nope') })
    // @ts-expect-error an admin page knows no callers
    host.admin({ method: 'GET', path: '/d', summary: 's', handler: (_request, _params, call) => call.refuse('not_found') })
    return {
      admit(x) {
        exact<Equal<typeof x.open, boolean>>()
        exact<Equal<NonNullable<typeof x.inner>['principal'], PrincipalValue | undefined>>()
      },
    }
  },
})

// Definitions.
// @ts-expect-error `failure` has no default: the author decides
definePlugin({ api: 1, name: 'no-failure', summary: 's', setup: () => ({}) })
// @ts-expect-error another version of the API
definePlugin({ api: 2, name: 'api', summary: 's', failure: 'open', setup: () => ({}) })
// @ts-expect-error neither open nor closed
definePlugin({ api: 1, name: 'mode', summary: 's', failure: 'ajar', setup: () => ({}) })
// @ts-expect-error config must be an object schema
definePlugin({ api: 1, name: 'schema', summary: 's', failure: 'open', config: Type.String(), setup: () => ({}) })
// @ts-expect-error a dialect is made with defineDialect
definePlugin({ api: 1, name: 'dialect', summary: 's', failure: 'open', dialects: [{ name: 'mine' }], setup: () => ({}) })
// @ts-expect-error an operation of a dialect has a codec
defineDialect({ name: 'mine', operations: [{ operation: 'chat', suffix: '/chat' }] })
