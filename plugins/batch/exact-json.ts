/** Reads JSON so that it can be written again with the numbers spelled as they were: ids and amounts may be longer than a float holds. Pure. */

interface Source {
  readonly source?: string
}

/** Numbers that a float may not give back as they were written. */
const peculiar = /[0-9]{16}|[0-9][eE]|\.[0-9]*0(?![0-9])|-0/

/** @throws SyntaxError when it is no JSON */
export function exactJson(text: string): unknown {
  if (!peculiar.test(text)) return JSON.parse(text)
  const reviver = (_key: string, value: unknown, context?: Source): unknown => {
    const source = context?.source
    return typeof value === 'number' && source !== undefined && String(value) !== source ? raw(source) : value
  }
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown)
}

function raw(source: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(source)
}
