/** Keys managed by LiteLLM's names: what is translated, and what is refused because it means nothing here. */

import { afterAll, expect, test } from 'bun:test'
import { type PluginKit, testPlugin } from 'headgate/testkit'
import auth from './index.ts'

const kits: PluginKit[] = []
afterAll(async () => {
  for (const kit of kits) await kit.close()
})
async function started(config: Record<string, unknown> = {}) {
  const kit = await testPlugin(auth, { with: { store: 'records', admin_style: 'litellm', ...config } })
  kits.push(kit)
  return async (path: string, body?: unknown) => {
    const response = await kit.admin(
      path,
      body === undefined ? {} : { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) },
    )
    return {
      status: response.status,
      json: (await response.json()) as Record<string, unknown> & { key: string; error: { message: string; code: string } },
    }
  }
}
const call = await started()

test('fields become those of a key, and back', async () => {
  const { json } = await call('/key/generate', {
    key_alias: 'a',
    models: ['x'],
    max_budget: 0.1,
    budget_duration: '1d',
    tpm_limit: 9,
    team_id: 't',
    duration: '1h',
    tags: ['g'],
  })
  expect(structuredClone(json)).toMatchObject({
    key_alias: 'a',
    models: ['x'],
    max_budget: 0.1,
    budget_duration: '1d',
    rpm_limit: null,
    tpm_limit: 9,
    user_id: 't',
    tags: ['g'],
    blocked: null,
  })
  const changed = await call('/key/update', { key: json.key, max_budget: null, tpm_limit: null, duration: null, models: [] })
  expect(changed.json).toMatchObject({ key_alias: 'a', models: [], max_budget: null, tpm_limit: null, expires: null })
})

test.each([
  [{ max_parallel_requests: 3 }, 'max_parallel_requests'],
  [{ duration: 'soon' }, 'duration'],
  [{ max_budget: 1, budget_duration: '7h' }, 'budget_duration'],
  [{ max_budget: -1 }, 'max_budget'],
  [{ rpm_limit: 1.5 }, 'limits'],
  ['{', 'JSON'],
  ['[]', 'object'],
])('%p is refused by name', async (body, word) => {
  const { status, json } = await call('/key/generate', body)
  expect([status, json.error.code]).toEqual([400, '400'])
  expect(json.error.message).toContain(word)
})

test('what is not there is said to be so; deleting is all or nothing', async () => {
  const { json } = await call('/key/generate', {})
  for (const [path, body] of [
    ['/key/update', { key: 'sk-hg-nobody' }],
    ['/key/block', {}],
    ['/key/delete', { keys: [json.key, 'sk-hg-nobody'] }],
    ['/key/info?key=x', undefined],
  ] as const)
    expect((await call(path, body)).status).toBe(404)
  expect((await call(`/key/info?key=${json.key}`)).status).toBe(200)
  expect((await call('/key/delete', { keys: [json.key] })).status).toBe(200)
  expect((await call('/key/list')).json.keys).toBeArray()
})

test('the routes are there only where they are wanted', async () => {
  const plain = await started({ admin_style: 'keys' })
  expect((await plain('/keys', {})).status).toBe(201)
  await expect(plain('/key/generate', {})).rejects.toThrow()
})
