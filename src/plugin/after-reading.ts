/**
 * Later than all that can be read by now. A turn of the event loop reads, then runs the timers that are due, and hands on what it read at its end: whoever takes
 * something for late by a timer, in a process that was busy or stood still, may have it lying there unread.
 */

/** Runs it when what has come by now is read and handed on. */
export function afterReading(run: () => void): void {
  // the end of this turn, the end of one that reads, and what that handed on
  setImmediate(setImmediate, setImmediate, run)
}
