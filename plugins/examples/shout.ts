/**
 * `shout`: an example of a third-party plugin. It turns the visible text of each reply into capitals, in every dialect, whole or
 * streamed, without delay. To use it, name the file in gateway.yaml:
 *
 *     - use: ./plugins/examples/shout.ts
 *       with: { language: tr }
 */

import { definePlugin, Type } from 'headgate/plugin'

export default definePlugin({
  api: 1, // the version of the plugin API
  name: 'shout',
  summary: 'Turns the visible text of replies into capitals',
  config: Type.Object({
    language: Type.Optional(Type.String({ description: 'BCP 47 tag whose capitals are used, e.g. tr; those of Unicode when absent' })),
  }),
  failure: 'open', // when a hook throws, the reply goes on unchanged
  setup(_host, config) {
    if (config.language) Intl.getCanonicalLocales(config.language) // a wrong tag throws here: a start-up error, not a broken reply
    const capitals = (text: string) => (config.language ? text.toLocaleUpperCase(config.language) : text.toUpperCase())
    return {
      // Called for each event of each reply. Not a promise: nothing may wait here.
      event(_x, event) {
        if (event.type !== 'text') return // tool calls, reasoning, usage … pass untouched, byte for byte
        return { ...event, text: capitals(event.text) } // events are values: return another one
      },
    }
  },
})
