/**
 * `deprecation`: tells clients which routes and models are on their way out, in the headers that the RFCs have for it.
 *
 * This file joins the parts to hooks. A route's mark is known when its request comes in, a model's when the body is read; both stand on every answer, refusals too.
 */

import { definePlugin, globMatcher } from 'headgate/plugin'
import { config } from './config.ts'
import { headersOf, type Mark, momentOf } from './marks.ts'

interface Marked {
  route: Mark | undefined
  model: Mark | undefined
}

export default definePlugin({
  api: 1,
  name: 'deprecation',
  summary: 'Tells which routes and models are on their way out: Deprecation, Sunset and Link headers',
  config,
  failure: 'open',
  state: (): Marked => ({ route: undefined, model: undefined }),

  setup(host, config) {
    const routes = config.routes.map(({ path, method, since, sunset, link, successor }, i) => {
      const where = `routes[${i}]`
      const mark: Mark = {
        since: momentOf(since, `${where}.since`),
        ...(sunset !== undefined && { sunset: momentOf(sunset, `${where}.sunset`) }),
        ...(link !== undefined && { link }),
        ...(successor !== undefined && { successor }),
      }
      if (mark.sunset !== undefined && mark.sunset < mark.since) throw new Error(`${where}: it ends before it is deprecated`)
      return { method, fits: globMatcher([path]), mark }
    })
    const refuses = config.after_sunset === 'refuse'
    const isOver = (mark: Mark) => refuses && mark.sunset !== undefined && host.now() >= mark.sunset
    const endOf = ({ sunset, link, successor }: Mark) => {
      const see = link ?? successor
      return `since ${new Date(sunset!).toISOString().slice(0, 10)}.${see === undefined ? '' : ` See ${see}`}`
    }
    return {
      admit(x) {
        if (x.operation === 'models') x.state.model = host.catalog.find(modelIn(x.path) ?? '')?.deprecation
        const found = routes.find(({ method, fits }) => (method === undefined || method === x.method) && fits(x.path))
        if (!found) return
        const { mark } = found
        x.state.route = mark
        if (isOver(mark))
          return x.refuse('not_found', { status: 410, message: `${x.method} ${x.path} is no longer served, ${endOf(mark)}` })
      },
      request(x) {
        const mark = host.catalog.find(x.request.model)?.deprecation
        if (!mark) return
        x.state.model = mark
        if (!isOver(mark)) return
        const message = `The model ${JSON.stringify(x.request.model.slice(0, 100))} is no longer served, ${endOf(mark)}`
        return x.refuse('model_not_found', { message, param: 'model' })
      },
      reply({ state }, { headers }) {
        const [first, ...more] = [state.route, state.model].filter((mark) => mark !== undefined)
        if (!first) return
        const { deprecation, sunset, links } = headersOf([first, ...more])
        headers.set('deprecation', deprecation)
        if (sunset !== undefined) headers.set('sunset', sunset)
        for (const link of links) headers.append('link', link)
      },
    }
  },
})

/** The model of which a path asks what is known: an id may hold slashes, plain or encoded. */
function modelIn(path: string): string | undefined {
  const [, id] = /\/models\/(.+)$/.exec(path) ?? []
  try {
    return id === undefined ? undefined : decodeURIComponent(id)
  } catch {
    return id
  }
}
