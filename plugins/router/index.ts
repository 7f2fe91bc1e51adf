/**
 * `router`: from the model that the client names to the upstream that answers, over as many tries as that takes.
 *
 * This file joins the parts to hooks. A target that a plugin above has set stays, and gets one try. Only a model id that differs is spliced into the body
 * (hazard F01). Tracks and homes are of this process; limits and money have no place here.
 */

import { definePlugin, Principal, type Refusal, Session } from 'headgate/plugin'
import { sessionOf } from './affinity.ts'
import { type AttemptOptions, countLone, countServed, isLone, tryAll } from './attempts.ts'
import { startChecks } from './checks.ts'
import { type Family, familyOf } from './choose.ts'
import { config } from './config.ts'
import { Gate } from './gate.ts'
import { createHomes } from './homes.ts'
import { findNames } from './names.ts'
import { ejectOutliers } from './outliers.ts'
import { createPlanner, type Plan, type Routing, type X } from './plan.ts'
import { providerOf, resolveModel } from './resolve.ts'
import { createShadows } from './shadow.ts'
import { sharedPlaces } from './shared-places.ts'
import { adminStatus, publicStatus } from './status.ts'
import { createStitches } from './stitch.ts'
import { createTracks } from './track.ts'

export default definePlugin({
  api: 1,
  name: 'router',
  summary: 'Sends each request to an upstream of its model, and to the next one when that fails',
  config,
  wants: [Principal, Session],
  failure: 'closed',
  state: (): Routing => ({
    plan: undefined,
    serving: undefined,
    shadow: undefined,
    said: undefined,
    tried: [],
    spared: undefined,
    prepare: undefined,
    outgrown: false,
    shadowed: false,
  }),

  setup(host, given) {
    const { aliases, mistakes, absent } = findNames(given, host)
    if (mistakes.length > 0) throw new Error(mistakes.join(' '))
    if (absent.length > 0) host.log.info('left out, and with it what is said of it here', { names: absent.join(', ') })
    const config = { ...given, aliases }
    const { breaker, concurrency } = config
    const now = () => host.now()
    const tracks = createTracks(breaker.enabled ? breaker : undefined, gateOf)
    const homes = createHomes(config.affinity)
    const plan = createPlanner({
      config,
      tracks,
      homes,
      now,
      catalog: () => host.catalog,
      upstreams: () => host.upstreams,
    })
    const failures = host.counter('router_failures', 'Upstream calls that failed before content, by upstream and why')
    const opened = host.counter('router_circuit_opened', 'Circuits opened, by upstream')
    const fallbacks = host.counter('router_fallbacks', 'Requests that went on to another target, by the upstreams from and to')
    const hedges = host.counter('router_hedges', 'Requests that a second call beside the first one answered, by its upstream')
    const attempts: AttemptOptions = {
      ...config,
      patience: config.affinity.patience,
      keyRest: breaker.enabled ? breaker.max_cooldown : 0,
      now,
      random: Math.random,
      tracks,
      told: {
        failed: ({ upstream }, why) => failures.add(1, { upstream: upstream.name, why }),
        hedged: (winner) => hedges.add(1, { upstream: winner.upstream.name }),
        fellBack: (from, to) => fallbacks.add(1, { from: from.upstream.name, to: to.upstream.name }),
        opened: ({ upstream, model, health }) => {
          opened.add(1, { upstream: upstream.name })
          host.log.warn('circuit opened', { upstream: upstream.name, model, failure: health.lastFailure })
        },
      },
    }
    startChecks(host, config.checks, tracks, Math.random)
    const { outliers } = config
    if (outliers.enabled) {
      const ejections = host.counter('router_ejected', 'Targets left out because their peers do far better, by upstream and why')
      host.task('outliers', outliers.interval, () => {
        for (const peers of tracks.peers()) {
          for (const { track, why } of ejectOutliers(peers, now(), outliers)) {
            const { upstream, model, ejectedUntil } = track
            ejections.add(1, { upstream: upstream.name, why })
            host.log.warn('target left out', { upstream: upstream.name, model, why, ms: ejectedUntil - now() })
          }
        }
      })
    }
    const words = () => publicStatus(tracks, host.upstreams, now())
    // several routers in one list know of their own calls only
    if (config.health) {
      host.health(host.id === 'router' ? 'upstreams' : `upstreams of ${host.id}`, () =>
        Object.fromEntries(words().data.map(({ name, status }) => [name, status])),
      )
    }
    host.gauge('router_upstream_status', 'How each upstream is: 1 for the word that holds', () =>
      words().data.map(({ name, status }) => ({ value: 1, labels: { upstream: name, status } })),
    )
    host.admin({
      method: 'GET',
      path: host.id === 'router' ? '/providers' : `/providers/${host.id}`,
      summary: 'How each upstream is: circuits, failures, calls under way',
      handler: () => Response.json(adminStatus(tracks, host.upstreams, now())),
    })
    if (config.providers_path !== undefined) {
      host.route({
        method: 'GET',
        path: config.providers_path,
        summary: 'The upstreams, and how they are',
        handler: () => Response.json(words()),
      })
    }

    const shadows =
      config.shadow && createShadows(host, config.shadow, (id) => resolveModel(id, host.catalog, aliases, true)?.model, Math.random)

    function gateOf(upstream: string): Gate | undefined {
      const { upstreams, limit: general, queue, wait } = concurrency
      const limit = upstreams[upstream] ?? upstreams[providerOf(upstream)] ?? general
      return limit === undefined ? undefined : new Gate({ limit, queue, wait })
    }

    const places = sharedPlaces(host, config.affinity.ttl, homes)

    function choose(x: X, family: Family): Refusal | undefined {
      const made: Plan | Refusal = plan(x, family)
      if ('type' in made) return made
      const { target } = made.candidates[0]!
      x.state.plan = made
      x.setTarget(target)
      if (x.request.model !== target.model) x.request.setModel(target.model)
      if (shadows) x.state.shadow = shadows.of(x, made)
      return undefined
    }

    function noteHome(session: string, place: string, forGood: boolean): void {
      const moved = homes.served(session, place, now(), forGood)
      if (config.affinity.shared) places.tell(session, homes.of(session, now()) ?? place, moved)
    }

    const stitches = config.stitch ? createStitches(host, attempts) : undefined

    return {
      request(x) {
        const family = familyOf(x.operation, x.dialect)
        if (family === undefined || x.target !== undefined) return
        const session = config.affinity.enabled && config.affinity.shared ? sessionOf(x) : undefined
        if (session === undefined || homes.of(session, now()) !== undefined) return choose(x, family)
        return places.find(session).then(() => choose(x, family))
      },
      wraps: ({ state }) => state.plan !== undefined && (state.shadow !== undefined || !isLone(state.plan, attempts)),

      around(x, next) {
        const { plan, shadow } = x.state
        // once, however often a plugin above has it tried
        if (shadow && !x.state.shadowed) shadows?.send(x, shadow)
        x.state.shadowed = true
        return plan ? tryAll(x, next, plan, attempts) : next()
      },

      ...stitches,

      settle(x, outcome) {
        const { plan, serving, shadow } = x.state
        if (!plan) return
        const { continued, end } = outcome
        const served = continued?.at(-1) ?? outcome.served
        if (serving) {
          x.state.serving = undefined
          serving.done()
          if (served) countServed(serving.called, served, attempts)
          if (plan.session !== undefined && served && end === 'finished') noteHome(plan.session, serving.called.key, x.state.outgrown)
        } else if (shadow === undefined && isLone(plan, attempts)) countLone(plan, outcome, attempts, x.operation !== 'count_tokens')
      },

      close: () => shadows?.close(),
    }
  },
})
