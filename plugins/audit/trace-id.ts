/** The client's own name for a call, from its headers. Pure. */

const longest = 128

/** The first of these headers that is there; of `traceparent` the id of its trace. Undefined when none is, or it is no plain text. */
export function traceIdOf(headers: Headers, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = headers.get(name)?.trim()
    if (!value) continue
    if (name.toLowerCase() === 'traceparent') {
      const trace = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(value)?.[1]
      if (trace !== undefined && !/^0+$/.test(trace)) return trace
    } else if (/^[\x21-\x7e]+$/.test(value)) return value.slice(0, longest)
  }
  return undefined
}
