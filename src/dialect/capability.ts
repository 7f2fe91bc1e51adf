/**
 * What an upstream model understands of its dialect: "compatible" servers differ (PROTOCOL §0.7).
 *
 * Consulted when a request is translated; one in the upstream's own dialect leaves as it came, whatever the model understands. Defaults are those of the
 * dialect's own provider; deviations are data (`capability-data`) and the config.
 */

export interface Capabilities {
  /** The role `developer` is known; else it is written as `system`. */
  readonly developer: boolean
  /** A system text in mid-conversation keeps its place as such; else it becomes a marked user text. */
  readonly midSystem: boolean
  /** Chat: `max_completion_tokens` is known; else `max_tokens`. */
  readonly maxCompletionTokens: boolean
  /** `strict` on tools and schemas is known. */
  readonly strict: boolean
  /** A limit of one call per turn can be said. */
  readonly parallelCalls: boolean
  /** Chat: `stream_options.include_usage` is known. Consulted also for untranslated requests, when a plugin needs usage. */
  readonly streamUsage: boolean
  /** Output held to a JSON schema. Without it a forced tool stands in, which needs `tools`. */
  readonly jsonSchema: boolean
  /** Output held to some JSON. */
  readonly jsonObject: boolean
  readonly tools: boolean
  /** A tool can be forced. Without it `required` becomes `auto`, disclosed. */
  readonly forcedTools: boolean
  /** Chat: the model may reason where it is offered tools. Without it, it is told not to. */
  readonly reasonsWithTools: boolean
  /** temperature, top_p and top_k are accepted. */
  readonly sampling: boolean
  /** temperature and top_p may come together. */
  readonly temperatureWithTopP: boolean
  readonly topK: boolean
  readonly penalties: boolean
  readonly seed: boolean
  readonly stop: boolean
  /** Answers per request. */
  readonly n: boolean
  readonly logprobs: boolean
  /** Efforts that the model knows, weakest first; empty = it takes none. */
  readonly efforts: readonly string[]
  /** Anthropic: `adaptive` thinking is known (with `output_config.effort`); else a token budget is given. */
  readonly adaptiveThinking: boolean
  /** Thinking by token budget is known. */
  readonly thinkingBudget: boolean
  /** Anthropic: thinking can be turned off. */
  readonly thinkingOff: boolean
  readonly images: boolean
  /** Remote image URLs are fetched by the provider; else they must be inline. */
  readonly imageUrls: boolean
  readonly documents: boolean
  readonly audio: boolean
  /** `cache_control` marks are understood. */
  readonly cacheMarks: boolean
  readonly cacheKey: boolean
  readonly user: boolean
  readonly metadata: boolean
  readonly store: boolean
  readonly verbosity: boolean
  /** The model wants its own `reasoning_content` back on turns with tool calls (DeepSeek, Kimi). */
  readonly reasoningEcho: boolean
  /** What a call id may look like. */
  readonly callIds: 'any' | 'word' | 'alnum9'
  /** Longest tool name. */
  readonly toolName: number
  /** A stream may end without finish reason (B03). Consulted also for untranslated requests, when one ends so. */
  readonly finishMissing: boolean
  /** The model goes on with an assistant message that stands last; others refuse that, or answer it. Asked when a broken stream is to go on. */
  readonly prefill: boolean
}

/** A deviation from the defaults of the dialect. */
export type CapabilityEdit = Partial<Capabilities>
