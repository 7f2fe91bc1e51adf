/**
 * What the config may say of an upstream's understanding: deviations from the gateway's own knowledge of it.
 *
 * Consulted only when a request is translated to that upstream. Names are those of the file; `dialect/capability.ts` says what each means.
 */

import { type Static, Type } from 'typebox'

const flag = (description: string) => Type.Optional(Type.Boolean({ description }))

export const capabilities = Type.Object(
  {
    developer: flag('The role developer is known; else it is written as system.'),
    mid_system: flag('A system message in mid-conversation keeps its place.'),
    max_completion_tokens: flag('Chat: max_completion_tokens is known; else max_tokens is sent.'),
    strict: flag('strict on tools and schemas is known.'),
    parallel_calls: flag('A limit of one tool call per turn can be said.'),
    stream_usage: flag(
      'Chat: stream_options.include_usage is known. Asked for also when nothing is translated, for plugins that need usage.',
    ),
    json_schema: flag('Output can be held to a JSON schema; else a forced tool stands in.'),
    json_object: flag('Output can be held to some JSON.'),
    tools: flag('Tools can be called.'),
    forced_tools: flag('A tool can be forced.'),
    reasons_with_tools: flag('Chat: the model may reason where it is offered tools; else it is told not to.'),
    sampling: flag('temperature, top_p and top_k are accepted.'),
    temperature_with_top_p: flag('temperature and top_p may come together.'),
    top_k: flag('top_k is accepted.'),
    penalties: flag('Frequency and presence penalties are accepted.'),
    seed: flag('seed is accepted.'),
    stop: flag('Stop strings are accepted.'),
    n: flag('Several answers can be asked for.'),
    logprobs: flag('Log probabilities can be asked for.'),
    efforts: Type.Optional(Type.Array(Type.String(), { description: 'Reasoning efforts that are known, weakest first; [] = none.' })),
    adaptive_thinking: flag('Anthropic: adaptive thinking is known.'),
    thinking_budget: flag('Thinking by a budget of tokens is known.'),
    thinking_off: flag('Anthropic: thinking can be turned off.'),
    images: flag('Pictures are accepted.'),
    image_urls: flag('The provider fetches pictures by URL.'),
    documents: flag('Files such as PDF are accepted.'),
    audio: flag('Audio input is accepted.'),
    cache_marks: flag('cache_control marks are understood.'),
    cache_key: flag('prompt_cache_key is understood.'),
    user: flag('An end user can be named.'),
    metadata: flag('metadata is accepted.'),
    store: flag('store is accepted.'),
    verbosity: flag('verbosity is accepted.'),
    reasoning_echo: flag('The model wants its own reasoning back on turns with tool calls (DeepSeek, Kimi).'),
    call_ids: Type.Optional(Type.Enum(['any', 'word', 'alnum9'], { description: 'What a tool call id may look like.' })),
    tool_name: Type.Optional(Type.Integer({ minimum: 16, description: 'Longest tool name.' })),
    finish_missing: flag('A stream may end without a finish reason (B03).'),
    prefill: flag('The model goes on with an assistant message that stands last. Asked when a broken stream is to go on.'),
  },
  {
    additionalProperties: false,
    description: 'What its models understand, where the gateway would not know. Used when a request is translated.',
  },
)

export type CapabilitiesConfig = Static<typeof capabilities>
