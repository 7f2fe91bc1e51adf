/** Why replies stop, in OpenAI's words, whole and streamed. */

import { expect, test } from 'bun:test'
import { testPlugin } from 'headgate/testkit'
import normalize from './index.ts'

test.each([
  ['eos', 'stop'],
  ['end_turn', 'stop'],
  ['max_tokens', 'length'],
  ['function_call', 'tool_calls'],
  ['safety', 'content_filter'],
  ['whatever', 'stop'],
  ['length', 'length'],
])('finish_reason %p becomes %p', async (raw, word) => {
  const choice = { index: 0, finish_reason: raw }
  const head = { id: 'c', created: 1, model: 'm', odd: 1 }
  const whole = JSON.stringify({
    ...head,
    object: 'chat.completion',
    choices: [{ ...choice, message: { role: 'assistant', content: 'a' } }],
  })
  const chunks = [
    { ...choice, finish_reason: null, delta: { content: 'a' } },
    { ...choice, delta: {} },
  ].map((one) => `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [one] })}\n\n`)
  const kit = await testPlugin(normalize, {
    upstream: (sent) => ({ body: sent.stream ? [...chunks, 'data: [DONE]\n\n'] : [whole] }),
  })
  const answer = await kit.chat()
  expect((answer.json as { choices: { finish_reason: string }[] }).choices[0]?.finish_reason).toBe(word)
  const streamed = await kit.chat({ stream: true })
  expect(streamed.body).toContain(`"finish_reason":"${word}"`)
  if (raw === word) expect(answer.body).toBe(whole)
  await kit.close()
})

test('members of a request that are to be dropped are, all else stays', async () => {
  const kit = await testPlugin(normalize, { with: { drop: ['usage', 'transforms'] } })
  const answer = await kit.chat({ usage: { include: true }, transforms: [], user: 'usage' })
  expect(answer.sent[0]!.json).toEqual({ model: expect.any(String), messages: expect.any(Array), user: 'usage' })
  const plain = await kit.chat({ user: 'x' })
  expect(plain.sent[0]!.json).toMatchObject({ user: 'x' })
  await kit.close()
})
