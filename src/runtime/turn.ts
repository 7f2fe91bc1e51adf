/**
 * The end of a turn of the event loop: when all requests that have come by then are known.
 *
 * Exchanges begin there, one after the other, and go on step by step in the same order: a dozen of them at the same step cost less than each from
 * its beginning to its first wait between two reads of the kernel, for the code of a step stays in the processor's caches. Their bodies are mostly there
 * by then too. A lone request loses nothing: the turn ends as soon as nothing else is ready to be read.
 */

let turn: Promise<void> | undefined

/** Resolves at the end of this turn, for all that ask during it in the order of asking. */
export function endOfTurn(): Promise<void> {
  return (turn ??= new Promise(atEnd))
}

function atEnd(resolve: () => void): void {
  setImmediate(over, resolve)
}

function over(resolve: () => void): void {
  turn = undefined
  resolve()
}
