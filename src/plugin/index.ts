/** The public API for plugin authors: everything that a plugin may import, besides its own folder. */

export { type Static, Type } from 'typebox'
export { afterReading } from './after-reading.ts'
export type { CacheFacts, CacheFactsEdit, CacheMarkStyle } from './cache-facts.ts'
export { type PromptCacheStatus, promptCacheStatus } from './cache-status.ts'
export * from './cost.ts'
export { definePlugin, type FailureMode, type Plugin, type PluginDefinition, type PluginDialect } from './define.ts'
export { estimateBytes, estimateText } from './estimate-text.ts'
export * from './events.ts'
export { exactNumber } from './exact-number.ts'
export type { AdmitExchange, AnySlot, Exchange, InnerCall, ShadowOptions } from './exchange.ts'
export { globMatcher } from './glob.ts'
export {
  allHooks,
  type BodyInsertion,
  type BrokenStream,
  exchangeHooks,
  type HookName,
  type Hooks,
  type Inspection,
  type Next,
  type NextOptions,
  type ReplyHead,
  type UpstreamCall,
} from './hooks.ts'
export type * from './host.ts'
export { ShuttingDown, StoreUnavailable } from './host.ts'
export { isForTier, modelFilter } from './model-access.ts'
export { parseMoment } from './moment.ts'
export * from './money.ts'
export { type Operation, operations } from './operations.ts'
export * from './outcome.ts'
export {
  type Price,
  type PriceClass,
  type PriceList,
  type PriceRates,
  parsePrice,
  perMillion,
  priceAt,
  priceClasses,
} from './price.ts'
export { type RefusalCode, refusalCodes } from './refusal.ts'
export type { Completed, Recording, Refusal, RefusalOptions, Reply, StoredReply } from './reply.ts'
export type { BodyChange, ByteSpan, Json, Part, PartKind, PromptUnit, RequestView } from './request.ts'
export {
  Charged,
  type ChargeValue,
  type LaneState,
  Principal,
  type PrincipalCap,
  type PrincipalLimit,
  type PrincipalValue,
  PromptCache,
  type PromptCacheValue,
  Session,
  type SessionValue,
  type Slot,
  slot,
  Trim,
  Trimmers,
  type TrimValue,
} from './slots.ts'
export {
  type SeenText,
  type ToolResultFacts,
  type ToolResultText,
  type TrimClass,
  type TrimHistory,
  type Trimmer,
  trimClasses,
} from './trimmer.ts'
export { Duration, parseDuration, parseSize, Secret, Size } from './units.ts'
