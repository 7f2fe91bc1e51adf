/**
 * `headgate/testkit`: run a plugin in the real gateway, against a scripted upstream, and hold it to what every plugin must keep.
 *
 *     const kit = await testPlugin(myPlugin, { with: { limit: 2 } })
 *     const r = await kit.chat({ stream: true })
 *     expect(r.text).toBe('Hello from upstream')
 *     await kit.close()
 *
 *     conformance(myPlugin, { with: { limit: 2 } })   // in a test file: registers the whole matrix
 */

export type { Call, Result } from './call.ts'
export type { Clock } from './clock.ts'
export { type ConformanceCase, type ConformanceOptions, conformance, conformanceCases } from './conformance.ts'
export type { Entry } from './list.ts'
export type { KitRecords, Stores } from './stores.ts'
export { type LogLine, type PluginKit, type SendOptions, type SlotValues, type TestPluginOptions, testPlugin } from './test-plugin.ts'
export { type SentRequest, textEvents, type UpstreamAnswer, type UpstreamScript } from './upstream-script.ts'
