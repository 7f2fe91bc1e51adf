/**
 * The maker's own name of a model, whatever a host calls it, so that what is known of the model is found.
 *
 *   anthropic/claude-opus-4.7 · us.anthropic.claude-opus-4-7-20260416-v1:0 · claude-opus-4-7@20260416 · models/… · claude-4.7-opus   → claude-opus-4-7
 *
 * Names that an operator made up (deployments of Azure, inference profiles) say nothing: for those there is the config.
 */

/** Regions of Bedrock's inference profiles. */
const region = /^(us|us-gov|eu|apac|au|ca|jp|sa|global)\./
/** Who makes it, as Bedrock writes it. */
const maker = /^[a-z][a-z0-9]*\.(?=[a-z])/
const date = /-20\d{2}-?\d{2}-?\d{2}(?=$|-)/
/** Generations of Claude that are named family first; others put the number there (OpenRouter, Snowflake). */
const numberFirst = /^claude-([4-9])(?:-(\d{1,2}))?-(opus|sonnet|haiku|fable|mythos)/

/** Lower case, without vendor, region, date, version and tag. */
export function modelName(model: string): string {
  let name = model.toLowerCase().replaceAll('%3a', ':').replaceAll('%2f', '/')
  if (name.startsWith('ft:')) name = name.slice(3)
  name = name.slice(name.lastIndexOf('/') + 1)
  name = name.replace(region, '').replace(maker, '')
  const tag = name.search(/[:@]/)
  if (tag > 0) name = name.slice(0, tag)
  name = name.replace(date, '')
  const claude = name.indexOf('claude-')
  if (claude < 0) return name
  return name
    .slice(claude)
    .replaceAll('.', '-')
    .replace(/(?<=-.*)-v\d+$/, '')
    .replace(
      numberFirst,
      (_, major: string, minor: string | undefined, family: string) => `claude-${family}-${major}${minor ? `-${minor}` : ''}`,
    )
}
