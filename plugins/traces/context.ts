/** W3C trace context: which trace an exchange belongs to, and what upstreams are told of it. Pure but for random numbers. */

export interface Context {
  /** 32 hex digits. */
  readonly trace: string
  /** The span of the exchange, 16 hex digits. */
  readonly span: string
  /** The client's span; absent where the trace begins here. */
  readonly parent?: string | undefined
  readonly sampled: boolean
}

/** The context of an exchange. A broken header counts as none. */
export function contextOf(header: string | null, sample: number): Context {
  const m = header === null ? null : /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(header.trim())
  const known = m && m[1] !== 'ff' && !(m[1] === '00' && m[5] !== undefined) && !/^0+$/.test(m[2]!) && !/^0+$/.test(m[3]!)
  if (known) return { trace: m[2]!, span: randomHex(8), parent: m[3]!, sampled: (Number.parseInt(m[4]!, 16) & 1) === 1 }
  return { trace: randomHex(16), span: randomHex(8), sampled: sample >= 1 || Math.random() < sample }
}

/** `traceparent` for a call below a span. */
export function traceparent({ trace, sampled }: Context, span: string): string {
  return `00-${trace}-${span}-${sampled ? '01' : '00'}`
}

/** So many random bytes as hex digits, never all zero. */
export function randomHex(bytes: number): string {
  const made = crypto.getRandomValues(Buffer.alloc(bytes))
  made[0]! |= 1
  return made.toString('hex')
}
