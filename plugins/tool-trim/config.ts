/**
 * What an operator may set for `tool-trim`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { Duration, Size, type Static, Type } from 'headgate/plugin'

const classOf = (on: boolean, description: string) => Type.Boolean({ default: on, description })
const globs = (description: string, value: string[] = []) => Type.Array(Type.String({ minLength: 1 }), { default: value, description })

export const config = Type.Object({
  classes: Type.Object(
    {
      byte: classOf(true, 'White space, line numbers and paths written shorter; each byte can be worked out'),
      void: classOf(true, 'What says nothing: colours, overwritten lines, repeated reminders, headers of harnesses'),
      ref: classOf(true, 'Lines that stand in the prompt already, as a reference to them'),
      value: classOf(true, 'JSON of API and MCP tools without its layout, lists of objects as tables; never of shells and files'),
      derivable: classOf(false, 'Line numbers on every tenth line only'),
      'lossy-entry': classOf(false, 'What hardly matters: passing tests, long logs'),
    },
    { additionalProperties: false, default: {}, description: 'Classes of trimming, each by itself' },
  ),
  ref_distance: Type.Integer({
    default: 20,
    minimum: 1,
    maximum: 1000,
    description: 'References reach so many tool results back',
  }),
  min_tokens: Type.Integer({ default: 64, minimum: 1, maximum: 100_000, description: 'Results of fewer tokens stay as they are' }),
  min_prompt: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      description:
        "Results with fewer tokens of prompt before them stay as they are; when absent the shortest prompt that the model's provider caches: a prompt that trimming brings below it would not be cached at all",
    }),
  ),
  max_result: Size({ default: '128kb', description: 'Results of more characters stay as they are: each costs time while others wait' }),
  models: globs('Models, as clients ask for them, for which anything is trimmed', ['*']),
  not_models: globs('Models for which nothing is: those that references would confuse'),
  tools: Type.Object(
    {
      shell: globs('Tools that run commands'),
      file: globs('Tools that read, write or search files'),
      api: globs('Tools whose results are data'),
      not: globs('Tools whose results stay as they are'),
    },
    { additionalProperties: false, default: {}, description: 'What kind a tool is where its name and arguments tell it wrongly; globs' },
  ),
  skip_marked: Type.Boolean({
    default: false,
    description:
      "Results that carry a cache mark of the client stay as they are. Clients mark their newest results, so this leaves little to trim; it is not needed for their cache's sake",
  }),
  cold_mask: Type.Object(
    {
      enabled: Type.Boolean({
        default: false,
        description: "Clears old results when the provider's cache is lost anyway. The model can't see them any more",
      }),
      turns: Type.Integer({ default: 6, minimum: 1, maximum: 1000, description: 'Results of the last so many turns stay' }),
      tools: globs('API tools that may be run again without harm, so that their results may be cleared; shells and files may'),
      margin: Duration({ default: '15s', description: 'A cache counts as lost only so long after its end' }),
    },
    { additionalProperties: false, default: {}, description: 'Clearing of old results, with loss; never of the latest read of a file' },
  ),
  control_share: Type.Number({
    default: 5,
    minimum: 0,
    maximum: 100,
    description: 'Percent of the sessions that stay untrimmed, so that harm can be measured',
  }),
  keep: Duration({
    default: '70m',
    description: 'What was sent is kept so long after its last use: the longest life of a provider cache, and ten minutes',
  }),
  memory: Size({ default: '64mb', description: 'Most memory for running sessions; the longest unused are read again when they go on' }),
})

export type Config = Static<typeof config>
