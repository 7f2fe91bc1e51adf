/**
 * Every recording of the four dialects through the real gateway to a client of each dialect, judged by what a strict client would find (PROTOCOL §4).
 *
 * The client must be told the same text, reasoning, calls, stop and usage as was recorded, in its own dialect without a breach; a stream
 * that was cut must never look complete, wherever the cut lies (B01, B14, A02). Prints the matrix dialect × dialect.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type Delivery, frameEnds } from '../support/delivery.ts'
import { forAll } from '../support/for-all.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { findRecordings, type Recording, type RecordingEntry, readRecording, replyBytes } from '../support/recordings.ts'
import { type ReplayUpstream, startReplay } from '../support/replay-upstream.ts'
import { leastRequest, matrixConfig, requestIn, type Spoken, speakerOf, spoken, stringsOf, textsOf } from './dialects.ts'
import { isObject, type Told, type ToldCall } from './told.ts'

setDefaultTimeout(240_000)

/** Cuts of one stream at event boundaries; the longest have thousands of frames. */
const maxCuts = 12

const found = findRecordings({ dialect: spoken.map((s) => s.dialect.name) })
const of = (stream: boolean, ok = true) => (found ?? []).filter((e) => e.stream === stream && (e.status === 200) === ok)

interface Cell {
  whole: number
  streamed: number
  recut: number
  cut: number
  errors: number
}
let prompts = 0
const cells = new Map<string, Cell>()
const cellOf = (client: Spoken, upstream: Spoken): Cell => {
  const key = `${client.name} ${upstream.name}`
  const cell = cells.get(key) ?? { whole: 0, streamed: 0, recut: 0, cut: 0, errors: 0 }
  cells.set(key, cell)
  return cell
}

/** Arguments that are no JSON come under one key where a dialect demands an object. */
function plainCall({ name, args }: ToldCall) {
  const only = isObject(args) && Object.keys(args).length === 1 ? Object.entries(args)[0] : undefined
  return { name, args: typeof only?.[1] === 'string' && (only[0] === '_raw' || only[0] === 'input') ? only[1] : args }
}

describe.skipIf(found === undefined)('every recording to a client of every dialect', () => {
  let replay: ReplayUpstream
  let gateway: LocalGateway

  beforeAll(async () => {
    replay = await startReplay()
    gateway = await startLocalGateway(matrixConfig(replay.url))
  })
  afterAll(async () => {
    await gateway.stop()
    await replay.stop()
    const rows = spoken.map((upstream) => {
      const row = spoken.map((client) => {
        const c = cellOf(client, upstream)
        return `${c.whole}/${c.streamed}/${c.recut}/${c.cut}/${c.errors}`.padEnd(24)
      })
      return `  ${upstream.name.padEnd(10)} ${row.join('')}`
    })
    console.log(
      `translation matrix, whole/streamed/re-cut/truncated/errors that were right; upstreams down, clients across:\n  ${' '.repeat(10)} ${spoken.map((s) => s.name.padEnd(24)).join('')}\n${rows.join('\n')}\n  ${prompts} requests whose every text arrived`,
    )
  })

  interface Answer {
    readonly status: number
    readonly body: string
    readonly headers: Headers
  }

  /** Asks as a client of `client` for what `recording` answered, delivered in a way. */
  async function ask(client: Spoken, recording: Recording, delivery: Delivery = {}): Promise<Answer> {
    const upstream = speakerOf(recording.dialect)
    const id = replay.add(recording, delivery)
    const model = `${upstream.upstream}-${id}`
    const body = requestIn(client, recording, model) ?? leastRequest(client, model, recording.stream)
    const answer = await send(client, model, recording.stream, body)
    heard(client, recording, body, id, answer)
    // what can't be translated in that direction has no reply to judge: the least request has
    const again = answer.status === 400 && replay.requestsFor(id).length === 0
    const last = again ? await send(client, model, recording.stream, leastRequest(client, model, recording.stream)) : answer
    // or a refusal of the gateway's own would pass for what became of the upstream's answer
    expect(replay.requestsFor(id).length).toBeGreaterThan(0)
    return last
  }

  /** What the client says reaches the model, or is named as left out. */
  function heard(client: Spoken, recording: Recording, body: string, id: string, answer: Answer): void {
    const [request] = replay.requestsFor(id)
    if (!request || answer.headers.has('x-gateway-dropped')) return
    const arrived = stringsOf(JSON.parse(Buffer.from(request.body).toString())).replaceAll('\\', '')
    for (const text of textsOf(JSON.parse(body))) {
      // arguments are JSON inside a string here, an object there
      const missing = text.startsWith('{') || text.startsWith('[') ? false : !arrived.includes(text.replaceAll('\\', ''))
      expect({ client: client.name, dialect: recording.dialect, missing: missing && text.slice(0, 200) }).toEqual({
        client: client.name,
        dialect: recording.dialect,
        missing: false,
      })
    }
    prompts++
  }

  async function send(client: Spoken, model: string, stream: boolean, body: string): Promise<Answer> {
    const response = await fetch(gateway.url + client.path(model, stream), { method: 'POST', headers: client.headers, body })
    const text = await response.text().catch((error: unknown) => `broken: ${String(error)}`)
    return { status: response.status, body: text, headers: response.headers }
  }

  const tellRecorded = (recording: Recording): Told => {
    const upstream = speakerOf(recording.dialect)
    const text = Buffer.from(replyBytes(recording)).toString()
    return recording.stream ? upstream.streamed(text) : upstream.whole(text)
  }

  const pairs = (entries: readonly RecordingEntry[]) => entries.flatMap((entry) => spoken.map((client) => ({ entry, client })))
  const nameOf = ({ entry, client }: { entry: RecordingEntry; client: Spoken }) =>
    `${entry.id} (${entry.dialect}) to a ${client.name} client`

  function expectSame(client: Spoken, recording: Recording, answer: Answer): void {
    const expected = tellRecorded(recording)
    const native = speakerOf(recording.dialect) === client
    // two replies in one stream (B22): its own test says what becomes of it
    if (expected.wrong.some((breach) => breach === 'a second message_start' || breach.endsWith(' after the end'))) return
    if (expected.error !== undefined || (recording.stream && !expected.complete)) {
      const got = recording.stream && answer.status === 200 ? client.streamed(answer.body) : client.whole(answer.body)
      // an error behind a finish reason: a dialect that can say "incomplete" has said all there is to say
      const toldApart = expected.stop === 'length' && got.stop === 'length'
      expect({ complete: got.complete && got.error === undefined && !toldApart }).toEqual({ complete: false })
      return
    }
    expect(`${answer.status} ${answer.status === 200 ? '' : answer.body.slice(0, 300)}`).toBe('200 ')
    const got = recording.stream ? client.streamed(answer.body) : client.whole(answer.body)
    if (native) return // byte equality is proven elsewhere
    expect(got.wrong).toEqual([])
    expect(got.error).toBeUndefined()
    expect(got.complete).toBe(true)
    // a fixture whose deltas and end contradict each other says two things
    if (expected.wrong.some((breach) => breach.startsWith('the end '))) return
    expect(got.text).toBe(expected.text)
    if (expected.pieces) expect(got.calls.every(({ name, args }) => name !== '' && isObject(args))).toBe(true)
    else expect(got.calls.map(plainCall)).toEqual(expected.calls.map(plainCall))
    expect(new Set(got.calls.map((call) => call.id)).size).toBe(got.calls.length)
    if (expected.stop !== 'none') expect(got.stop).toBe(expected.stop)
    // where a dialect keeps thoughts apart, one that does not puts a blank line between them
    expect(got.reasoning.replace(/\s+/g, '')).toBe(expected.reasoning.replace(/\s+/g, ''))
    if (expected.usage && expected.usage.input + expected.usage.output > 0) expect(got.usage).toEqual(expected.usage)
  }

  test('whole', async () => {
    await forAll(pairs(of(false)), nameOf, async ({ entry, client }) => {
      const recording = readRecording(entry)
      expectSame(client, recording, await ask(client, recording))
      cellOf(client, speakerOf(entry.dialect)).whole++
    })
  })

  test('streamed', async () => {
    await forAll(pairs(of(true)), nameOf, async ({ entry, client }) => {
      const recording = readRecording(entry)
      expectSame(client, recording, await ask(client, recording))
      cellOf(client, speakerOf(entry.dialect)).streamed++
    })
  })

  test('streamed in other pieces, with other line ends (A01, A02)', async () => {
    const ways: Delivery[] = [
      { cuts: { seed: 7, pieces: 40 } },
      { newline: 'crlf', cuts: { seed: 11 } },
      { newline: 'crlf', cuts: 'frames' },
    ]
    await forAll(pairs(of(true)), nameOf, async ({ entry, client }) => {
      const recording = readRecording(entry)
      for (const way of ways) expectSame(client, recording, await ask(client, recording, way))
      cellOf(client, speakerOf(entry.dialect)).recut += ways.length
    })
  })

  test('a stream that ends too soon is never complete (B01)', async () => {
    await forAll(pairs(of(true)), nameOf, async ({ entry, client }) => {
      const recording = readRecording(entry)
      const upstream = speakerOf(entry.dialect)
      const bytes = replyBytes(recording)
      const ends = frameEnds(bytes)
      const step = Math.max(1, Math.floor(ends.length / maxCuts))
      for (let frames = 1; frames < ends.length; frames += step) {
        const told = upstream.streamed(Buffer.from(bytes.subarray(0, ends[frames - 1])).toString())
        if (told.complete || told.stop !== 'none') continue // all that matters was sent
        const answer = await ask(client, recording, { stopAfter: { frames } })
        const got = answer.status === 200 ? client.streamed(answer.body) : client.whole(answer.body)
        expect({ frames, complete: got.complete }).toEqual({ frames, complete: false })
        expect(got.error).toBeString()
        if (upstream !== client) expect(got.wrong).toEqual([])
        cellOf(client, upstream).cut++
      }
    })
  })

  test('errors: the status, and the sentence of the upstream (G05)', async () => {
    await forAll(pairs(of(false, false)), nameOf, async ({ entry, client }) => {
      const recording = readRecording(entry)
      const answer = await ask(client, recording)
      expect(answer.status).toBeGreaterThanOrEqual(400)
      const got = client.whole(answer.body)
      expect(got.error).toBeString()
      const said = tellRecorded(recording).error
      if (said) expect(got.error).toContain(said)
      cellOf(client, speakerOf(entry.dialect)).errors++
    })
  })
})
