/** Times as people write them. `Date.parse` takes a day that does not exist for one that does: 31 February is 3 March to it. */

/** Milliseconds since the epoch of an ISO 8601 date or time; one without a zone is UTC. Undefined when it is none, or of a day that does not exist. */
export function parseMoment(text: string): number | undefined {
  const [, day, time, zone] = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/.exec(text) ?? []
  if (day === undefined) return undefined
  const midnight = Date.parse(day)
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== day) return undefined
  const at = Date.parse(time !== undefined && zone === undefined ? `${text}Z` : text)
  return Number.isNaN(at) ? undefined : at
}
