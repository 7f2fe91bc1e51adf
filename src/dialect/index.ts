/**
 * The public API for authors of dialects: everything that a plugin may import, besides `headgate/plugin` and its own folder, to speak another wire format.
 *
 * Interfaces, and the helpers that the gateway's own dialects use. Events, usage and parts of requests are those of `headgate/plugin`.
 */

export { isUnchanged } from './align.ts'
export { type CallIdForm, legalCallId, uniqueCallIds } from './call-ids.ts'
export type { Capabilities, CapabilityEdit } from './capability.ts'
export type * from './codec.ts'
export type * from './conversation.ts'
export { type DefinedDialect, type DialectDefinition, type DialectOperation, defineDialect } from './define-dialect.ts'
export { budgetOfEffort, effortOfBudget, nearestEffort } from './effort.ts'
export type { OperationSpec } from './family.ts'
export { type JsonSource, jsonSource } from './json-source.ts'
export { RawJson, rawObject, type Writable, writeJson } from './json-text.ts'
export { LossReport } from './loss.ts'
export { mimeOf } from './media-type.ts'
export { missingResult, pairResults } from './pair-results.ts'
export { type PartCollector, partCollector } from './part-collector.ts'
export { isTagged, madeBy, readProof } from './proof.ts'
export { type CallPiece, type Piece, type Reduced, type ReducedChoice, reduceEvents } from './reduce.ts'
export { countOf, decodeText, type JsonObject, jsonText, listOf, objectOf, parseJson, textOf, wordOf } from './shape.ts'
export { asBuffer, commentText, frameText, rawText, type SseFrame, SseReader } from './sse.ts'
export { markedSystemText } from './system-text.ts'
export { errorIn, errorOf, readUpstreamError, wordStatus } from './upstream-error.ts'
