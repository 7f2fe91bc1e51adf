/**
 * `router`: from the model that the client names to the upstream that serves it.
 *
 * This file joins the choice to a hook. A target that a plugin above has set stays. Only a model id that differs is spliced into
 * the body (hazard F01).
 */

import { definePlugin } from 'headgate/plugin'
import { chooseTarget, familyOf, unknownModelMessage, unservedMessage } from './choose.ts'
import { config } from './config.ts'

export default definePlugin({
  api: 1,
  name: 'router',
  summary: 'Sends each request to an upstream of its model, best one that speaks its API',
  config,
  failure: 'closed',

  setup(host, config) {
    const fallback = config.default_model
    if (fallback !== undefined && host.catalog.find(fallback) === undefined) {
      throw new Error(`default_model: ${unknownModelMessage(fallback, host.catalog.similar(fallback))}`)
    }

    return {
      request(x) {
        const family = familyOf(x.operation, x.dialect)
        if (family === undefined || x.target !== undefined) return
        const asked = x.request.model || fallback
        if (asked === undefined) {
          return x.refuse('invalid_request', {
            message: 'The request names no model. Set "model" to one that GET /v1/models lists.',
            param: 'model',
          })
        }
        const model = host.catalog.find(asked)
        if (model === undefined) {
          return x.refuse('model_not_found', { message: unknownModelMessage(asked, host.catalog.similar(asked)), param: 'model' })
        }
        const target = chooseTarget(model, family)
        if (target === undefined) {
          return x.refuse('invalid_request', { message: unservedMessage(asked), param: 'model' })
        }
        x.setTarget(target)
        if (x.request.model !== target.model) x.request.setModel(target.model)
      },
    }
  },
})
