/**
 * Random bodies made of a dialect's own member names with values of any type: the requests that no SDK sends and some client will.
 */

import fc from 'fast-check'

const words: Readonly<Record<string, string>> = {
  'openai-chat':
    'model messages role content type text image_url url detail input_audio data format file file_data filename file_id name tool_calls id function arguments tool_call_id refusal tools parameters strict tool_choice parallel_tool_calls response_format json_schema schema stop n logprobs top_logprobs logit_bias seed temperature max_tokens max_completion_tokens reasoning_effort reasoning reasoning_content reasoning_details extra_content cache_control ttl stream stream_options metadata user functions function_call custom input audio modalities prediction web_search_options allowed_tools mode',
  'openai-completions': 'model prompt suffix echo best_of n logprobs stop max_tokens temperature stream',
  'openai-responses':
    'model input instructions type role content text input_text output_text input_image image_url input_file file_data filename file_id reasoning summary encrypted_content summary_text function_call call_id id name arguments function_call_output output custom_tool_call custom_tool_call_output input tools parameters strict namespace tool_choice parallel_tool_calls include store previous_response_id conversation background format json_schema schema effort max_output_tokens truncation status item_reference local_shell_call action refusal annotations prompt metadata stream',
  'anthropic-messages':
    'model messages role content type text source media_type data url file_id image document title context citations thinking signature redacted_thinking tool_use id name input tool_result tool_use_id is_error system cache_control ttl tools input_schema tool_choice disable_parallel_tool_use max_tokens stop_sequences temperature top_k thinking budget_tokens output_config effort format schema metadata user_id thread context_management container mcp_servers service_tier stream betas search_result server_tool_use web_search_tool_result',
  'gemini-generate':
    'contents role parts text inlineData mimeType data fileData fileUri functionCall name args id functionResponse response parts thought thoughtSignature executableCode codeExecutionResult videoMetadata systemInstruction tools functionDeclarations parameters parametersJsonSchema description googleSearch toolConfig functionCallingConfig mode allowedFunctionNames generationConfig maxOutputTokens stopSequences temperature topK candidateCount responseMimeType responseSchema responseJsonSchema thinkingConfig thinkingBudget includeThoughts thinkingLevel safetySettings cachedContent labels responseModalities system_instruction generation_config inline_data',
}

const values: Readonly<Record<string, readonly string[]>> = {
  'openai-chat': [
    'user',
    'assistant',
    'system',
    'tool',
    'developer',
    'text',
    'function',
    'image_url',
    'custom',
    'json_schema',
    'auto',
    'required',
    'none',
    'input_audio',
    'file',
    'refusal',
  ],
  'openai-completions': ['x'],
  'openai-responses': [
    'user',
    'assistant',
    'message',
    'input_text',
    'output_text',
    'function',
    'function_call',
    'function_call_output',
    'reasoning',
    'custom',
    'namespace',
    'web_search',
    'item_reference',
    'local_shell_call',
    'input_image',
    'input_file',
    'auto',
    'json_schema',
  ],
  'anthropic-messages': [
    'user',
    'assistant',
    'system',
    'text',
    'image',
    'document',
    'tool_use',
    'tool_result',
    'thinking',
    'redacted_thinking',
    'base64',
    'url',
    'auto',
    'any',
    'tool',
    'enabled',
    'adaptive',
    'disabled',
    'ephemeral',
    '1h',
    'web_search_20250305',
    'json_schema',
  ],
  'gemini-generate': ['user', 'model', 'function', 'image/png', 'application/json', 'ANY', 'AUTO', 'NONE', 'HIGH', 'text/plain', 'STRING'],
}

/** Lists and objects under names of the dialect, or anything else. */
export function someGarbage(dialect: string): fc.Arbitrary<Record<string, unknown>> {
  const name = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...new Set(words[dialect]!.split(' '))) },
    { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', '', 'a/b', 'ä→b', 'x\ny', 'toString', 'length') },
  )
  const leaf = fc.oneof(
    fc.constantFrom<unknown>(...values[dialect]!),
    fc.constantFrom<unknown>(
      null,
      true,
      false,
      0,
      -1,
      1.5,
      1e300,
      '',
      'x',
      '{',
      '{}',
      '[]',
      '\ud800',
      'hg1.',
      'hg1.a.b.c',
      'hg1..',
      'data:image/png;base64,AAAA',
      'data:,',
      'https://x/y.png',
      'call_1',
    ),
    fc.string({ maxLength: 6 }),
  )
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      fc.dictionary(name, tie('tree'), { maxKeys: 6 }),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(name, fc.array(tie('tree'), { maxLength: 3 }), { maxKeys: 4 }),
    ),
  }))
  const turns = dialect === 'openai-responses' ? 'input' : dialect === 'gemini-generate' ? 'contents' : 'messages'
  const content = dialect === 'gemini-generate' ? 'parts' : 'content'
  const turn = fc.record(
    {
      role: fc.constantFrom(...values[dialect]!),
      type: fc.constantFrom(...values[dialect]!),
      [content]: fc.oneof(leaf, fc.array(fc.dictionary(name, tree, { maxKeys: 5 }), { maxLength: 4 })),
    },
    { requiredKeys: [] },
  )
  return fc
    .tuple(
      fc.dictionary(name, tree, { maxKeys: 8 }),
      fc.array(fc.oneof(turn, fc.dictionary(name, tree, { maxKeys: 6 })), { maxLength: 5 }),
      fc.boolean(),
    )
    .map(
      ([top, list, real]) =>
        // as it would arrive: parsed from text
        JSON.parse(JSON.stringify(real ? { ...top, [turns]: list } : top)) as Record<string, unknown>,
    )
}
