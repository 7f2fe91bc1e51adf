/** The types that the classes and the plugin around them share; those of one class are public, so that other plugins bring theirs. */

import type { SeenText, ToolResultText, TrimClass, TrimHistory } from 'headgate/plugin'

export type { SeenText, ToolResultFacts, ToolResultText, TrimClass, TrimHistory, Trimmer } from 'headgate/plugin'

/** What became of one tool result at its first sight. */
export interface Trimmed {
  /** As the model is to see it; the client's own text when nothing was gained. */
  readonly text: string
  /** Names of the trimmers that took part, in their order. */
  readonly by: readonly string[]
  /** Tokens less, as estimated, by class; only classes that took part. Estimates anew each time: call it once, off the way of the request. */
  saved(): Readonly<Partial<Record<TrimClass, number>>>
  /** Names of trimmers whose inverse did not give the input back: they were left out. */
  readonly refused: readonly string[]
  /** To be added to the history, for the results after it. */
  readonly seen: SeenText
}

/** All classes that are switched on, one after the other. Pure: the same result after the same history gives the same text. */
export type Trim = (result: ToolResultText, history: TrimHistory) => Trimmed

/** A history that grows. Adding the same texts in the same order gives the same history, whatever was trimmed in between. */
export interface GrowingHistory extends TrimHistory {
  /** Texts in the order of the prompt. Drops the oldest beyond the bounds. */
  add(seen: SeenText): void
}
