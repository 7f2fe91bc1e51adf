/**
 * `short-rulers`: an example of a plugin that brings a class of trimming. Rulers that tools draw (`==========…`) become `[= 80 times]`. It stands above
 * `tool-trim`, which holds it to its word: what `encode` made is used only if `decode` gives the result back.
 *
 *     - use: ./plugins/examples/short-rulers.ts
 *     - use: tool-trim
 */

import { definePlugin, type Trimmer, Trimmers } from 'headgate/plugin'

const ruler = /^([=\-_*#~─━═])\1{23,199}$/gm
const short = /^\[([=\-_*#~─━═]) (\d{1,3}) times\]$/gm

const rulers: Trimmer = {
  name: 'short-rulers',
  class: 'byte', // switched on and off with the others of its class
  encode: ({ text }) => text.replace(ruler, (line, sign: string) => `[${sign} ${line.length} times]`),
  decode: (text) => text.replace(short, (_, sign: string, times: string) => sign.repeat(Number(times))),
}
/** The same list each time: what is put together once need not be put together again. */
const list: readonly Trimmer[] = [rulers]

export default definePlugin({
  api: 1,
  name: 'short-rulers',
  summary: 'Writes the rulers in results of tools in few tokens',
  provides: [Trimmers],
  failure: 'open',
  setup: () => ({ request: (x) => x.put(Trimmers, list) }),
})
