/**
 * Whether trimming pays: sessions that were trimmed against those that were left alone to compare with. Ratios with an interval of 95 %, by a bootstrap over
 * whole sessions: turns of one session are alike, and counting each for itself would make the interval far too narrow. Pure, and the same each time.
 */

/** What one session came to, or several that are taken as one. */
export interface SessionSums {
  readonly sessions: number
  /** Picodollars that providers charged. */
  readonly cost: number
  /** Input tokens that the client sent: billed, and trimmed. */
  readonly sent: number
  readonly turns: number
}

export interface Ratio {
  readonly ratio: number
  /** The interval of 95 %. */
  readonly low: number
  readonly high: number
}

export interface Compared {
  /** Cost per token that clients sent, trimmed over control; and turns per session. */
  readonly cost: Ratio
  readonly turns: Ratio
}

/** Sessions of each arm below which nothing is said: an interval from fewer is too narrow. */
export const fewestSessions = 30
/** Drawn as they are up to so many; more are taken together, by turns. */
const mostDrawn = 1000
const draws = 2000

/** @returns a sentence when it can't be measured */
export function compareArms(trimmed: readonly SessionSums[], control: readonly SessionSums[]): Compared | string {
  for (const [name, arm] of [
    ['control', control],
    ['trimmed', trimmed],
  ] as const) {
    const sessions = arm.reduce((sum, one) => sum + one.sessions, 0)
    if (sessions < fewestSessions)
      return `${sessions} ${name} session${sessions === 1 ? '' : 's'} of known cost; at least ${fewestSessions} of each arm are needed`
  }
  const arms = [trimmed, control].map(together) as [SessionSums[], SessionSums[]]
  const found = ratios(total(arms[0]), total(arms[1]))
  if (!found) return 'no cost or no tokens in one of the arms'
  const random = generator(0x5eed)
  const costs = new Float64Array(draws)
  const turns = new Float64Array(draws)
  for (let i = 0; i < draws; i++) {
    const drawn = ratios(drawFrom(arms[0], random), drawFrom(arms[1], random))
    if (!drawn) return 'too few sessions that cost something'
    costs[i] = drawn.cost
    turns[i] = drawn.turns
  }
  return { cost: { ratio: found.cost, ...interval(costs) }, turns: { ratio: found.turns, ...interval(turns) } }
}

function ratios(trimmed: SessionSums, control: SessionSums): { cost: number; turns: number } | undefined {
  if (trimmed.sent === 0 || control.sent === 0 || control.cost === 0 || control.turns === 0) return undefined
  return {
    cost: trimmed.cost / trimmed.sent / (control.cost / control.sent),
    turns: trimmed.turns / trimmed.sessions / (control.turns / control.sessions),
  }
}

const none: SessionSums = { sessions: 0, cost: 0, sent: 0, turns: 0 }
const plus = (a: SessionSums, b: SessionSums): SessionSums => ({
  sessions: a.sessions + b.sessions,
  cost: a.cost + b.cost,
  sent: a.sent + b.sent,
  turns: a.turns + b.turns,
})

export const total = (sessions: readonly SessionSums[]): SessionSums => sessions.reduce(plus, none)

function together(sessions: readonly SessionSums[]): SessionSums[] {
  if (sessions.length <= mostDrawn) return [...sessions]
  const made = new Array<SessionSums>(mostDrawn).fill(none)
  for (const [i, one] of sessions.entries()) made[i % mostDrawn] = plus(made[i % mostDrawn]!, one)
  return made
}

/** As many as there are, each any of them. */
function drawFrom(sessions: readonly SessionSums[], random: () => number): SessionSums {
  const { length } = sessions
  let [count, cost, sent, turns] = [0, 0, 0, 0]
  for (let i = 0; i < length; i++) {
    const one = sessions[Math.floor(random() * length)]!
    count += one.sessions
    cost += one.cost
    sent += one.sent
    turns += one.turns
  }
  return { sessions: count, cost, sent, turns }
}

function interval(values: Float64Array): { low: number; high: number } {
  values.sort()
  const at = (share: number) => values[Math.min(values.length - 1, Math.max(0, Math.round(share * (values.length - 1))))]!
  return { low: at(0.025), high: at(0.975) }
}

/** Mulberry32: numbers in [0, 1), the same for a seed. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
