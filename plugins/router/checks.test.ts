/** Active checks as pure rounds: when an upstream counts as down, when as up again, and what that does to its circuits. */

import { describe, expect, test } from 'bun:test'
import { startChecks } from './checks.ts'
import { createTracks } from './track.ts'

const breaker = { consecutive: 1, error_rate: 1, minimum: 100, window: 1000, cooldown: 60_000, max_cooldown: 60_000 }
const check = { path: '/v1/models', interval: 10, timeout: 30, status: [], fails: 2, passes: 2 }

function standOf(names: readonly string[], more: object = {}) {
  let now = 1000
  const rounds: ((signal: AbortSignal) => Promise<void>)[] = []
  const answers = new Map<string, number | Error | 'hangs'>()
  const asked: string[] = []
  const look = (name: string) => async (_path: string, signal: AbortSignal) => {
    asked.push(name)
    const answer = answers.get(name) ?? 200
    if (answer === 'hangs')
      return await new Promise<number>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    if (typeof answer !== 'number') throw answer
    return answer
  }
  const tracks = createTracks(breaker, () => undefined)
  const host = {
    counter: () => ({ add: () => {} }),
    log: { debug() {}, info() {}, warn() {}, error() {} },
    now: () => now,
    task: (_: string, _every: number, run: (signal: AbortSignal) => Promise<void>) => void rounds.push(run),
    upstream: (name: string) => ({ look: look(name) }),
    upstreams: names,
  }
  startChecks(host as never, { up: { ...check, ...more } }, tracks, () => 0)
  return {
    tracks,
    answers,
    asked,
    round: (signal = new AbortController().signal) => rounds[0]!(signal),
    pass: (ms: number) => {
      now += ms
    },
    now: () => now,
  }
}

describe('an upstream', () => {
  test('is down after so many bad answers in a row, and up after so many good ones', async () => {
    const { tracks, answers, round } = standOf(['up'])
    const up = tracks.upstream('up')
    const words: string[] = []
    for (const answer of [500, 200, 500, new Error('reset'), 200, 500, 200, 200] as const) {
      answers.set('up', answer)
      await round()
      words.push(`${up.down ? 'down' : 'up'} ${up.checked!.said}`)
    }
    expect(words).toEqual(['up 500', 'up 200', 'up 500', 'down reset', 'down 200', 'down 500', 'down 200', 'up 200'])
  })

  test('that is up again has its open circuits probed, and no others', async () => {
    const { tracks, answers, round, now } = standOf(['up'], { fails: 1, passes: 1 })
    const [mine, others] = ['up', 'other'].map((upstream) => tracks.of({ upstream, model: 'm' })) as [
      ReturnType<typeof tracks.of>,
      ReturnType<typeof tracks.of>,
    ]
    for (const track of [mine, others]) track.health.failed(now(), '500')
    answers.set('up', 503)
    await round()
    answers.set('up', 200)
    expect([mine.health.state(now()), mine.usable(now())]).toEqual(['open', false])
    await round()
    expect([mine.health.state(now()), mine.usable(now())]).toEqual(['half-open', true])
    expect(others.health.state(now())).toBe('open')
  })

  test('is asked key by key; one that is too slow has answered badly; the end of the gateway is no answer', async () => {
    const { tracks, answers, asked, round } = standOf(['up#1', 'up#2', 'else'], { fails: 1, status: [204] })
    answers.set('up#1', 204)
    answers.set('up#2', 'hangs')
    await round()
    expect(asked).toEqual(['up#1', 'up#2'])
    expect(tracks.upstream('up#1').checked).toMatchObject({ ok: true, said: '204' })
    expect(tracks.upstream('up#2')).toMatchObject({ down: true, checked: { ok: false, said: 'timeout' } })
    const ended = new AbortController()
    const last = standOf(['up'], { fails: 1, timeout: 10_000 })
    last.answers.set('up', 'hangs')
    const going = last.round(ended.signal)
    while (last.asked.length === 0) await Bun.sleep(1)
    ended.abort(new Error('over'))
    await going
    expect(last.tracks.upstream('up')).toMatchObject({ down: false, checked: undefined })
  })
})
