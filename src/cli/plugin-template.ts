/** The text of a new plugin and of its test: small, working, and commented for somebody who writes a first one. Pure. */

export function pluginText(name: string): string {
  return `/**
 * \`${name}\`: refuses requests that hold a blocked word. Change it into what you need.
 *
 * A plugin is one file whose default export is made by \`definePlugin\`. It imports \`headgate/plugin\` and files of its own folder.
 */

import { definePlugin, Type } from 'headgate/plugin'

export default definePlugin({
  api: 1, // the version of the plugin API
  name: '${name}',
  summary: 'Refuses requests that hold a blocked word', // shown by \`headgate explain\`

  // What \`with\` takes in gateway.yaml. It is checked before the start; \`config\` below has its type.
  config: Type.Object({
    words: Type.Array(Type.String({ minLength: 1 }), { default: [], description: 'Words that no user message may hold' }),
  }),

  // When a hook throws or takes too long: closed refuses the request, open goes on without this plugin.
  failure: 'closed',

  // Called once per start or change of config. Throwing here is a start-up error.
  setup(host, config) {
    const words = config.words.map((word) => word.toLowerCase())
    const refused = host.counter('${name.replaceAll('-', '_')}_refused', 'Requests that held a blocked word')

    return {
      // The request is there and may be changed: x.request.setModel, .set, .remove, .replaceText. Return nothing to let it pass.
      request(x) {
        for (const part of x.request.parts('user')) {
          const text = part.text.toLowerCase()
          const word = words.find((one) => text.includes(one))
          if (word === undefined) continue
          refused.add()
          return x.refuse('content_filter', \`The word \${JSON.stringify(word)} is not allowed here.\`)
        }
      },

      // The other hooks, each optional, in the order of a request's way:
      //   admit(x)              headers only, before the body is read
      //   around(x, next)       wraps everything below: cache, retry, fallback
      //   attempt(x, call)      one upstream HTTP call: url, headers, body
      //   reply(x, reply)       status and headers of the reply, before its first byte
      //   event(x, event)       one event of the reply, streamed or whole: text, tool call, usage, ...
      //   inspect               text in windows, held back so that a pattern across chunks is seen
      //   settle(x, outcome)    once, when all is known: usage, status, timings
      //   ready(), health(), close()
    }
  },
})
`
}

export function pluginTestText(name: string): string {
  return `import { expect, test } from 'bun:test'
import { conformance, testPlugin } from 'headgate/testkit'
import plugin from './${name}.ts'

// Streams and whole replies, each API, upstream failures, aborts, timeouts, reloads: what every plugin must stand.
conformance(plugin, { with: { words: ['swordfish'] } })

test('a request with a blocked word never reaches the upstream', async () => {
  const kit = await testPlugin(plugin, { with: { words: ['swordfish'] } })
  const refused = await kit.chat({ messages: [{ role: 'user', content: 'The password is Swordfish.' }] })
  expect(refused.status).toBe(400)
  expect(refused.body).toContain('swordfish')
  expect(refused.sent).toHaveLength(0)
  await kit.close()
})

test('any other request passes as it came', async () => {
  const kit = await testPlugin(plugin, { with: { words: ['swordfish'] } })
  const passed = await kit.chat({ messages: [{ role: 'user', content: 'Hello' }] })
  expect(passed.status).toBe(200)
  expect(passed.text).toBe('Hello from upstream')
  expect(passed.sent).toHaveLength(1)
  await kit.close()
})
`
}
