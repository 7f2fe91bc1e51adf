/** Results as streams of lines, told from the items: nothing is kept twice, and nothing is held in memory but one page. */

import type { ItemStore } from './items.ts'
import type { Done } from './result-line.ts'

const pageSize = 50

/** The lines of what is done, in order of submission; `tell` gives undefined for those that are left out. */
export function resultLines(items: ItemStore, batch: string, tell: (item: Done) => string | undefined): ReadableStream<Uint8Array> {
  let after = -1
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        const page = await items.done(batch, after, pageSize)
        const last = page.at(-1)
        if (!last) return controller.close()
        after = Number(last.seq)
        const lines = page.map((item) => tell(item) ?? '').join('')
        if (lines !== '') return controller.enqueue(Buffer.from(lines))
      }
    },
  })
}

/** The bytes of a file as a stream. */
export function streamOf(pieces: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      await pieces.return(undefined)
    },
  })
}
