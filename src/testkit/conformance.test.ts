import { describe, expect, test } from 'bun:test'
import { definePlugin, type Hooks, type Plugin } from '../plugin/index.ts'
import { conformanceCases } from './conformance.ts'

function plugin(hooks: () => Hooks, failure: 'open' | 'closed' = 'open'): Plugin {
  return definePlugin({ api: 1, name: 'sample', summary: 'For tests', failure, setup: () => hooks() })
}

/** Names of the scenarios that a plugin fails, and what was said. */
async function failures(made: Plugin): Promise<{ names: string[]; said: string }> {
  const names = new Set<string>()
  let said = ''
  for (const { name, run } of conformanceCases(made)) {
    try {
      await run()
    } catch (error) {
      names.add(name.split(': ')[1]!)
      said += `${String(error)}\n`
    }
  }
  return { names: [...names], said }
}

describe('the matrix', () => {
  test('has every cell once', () => {
    const names = conformanceCases(plugin(() => ({}))).map((c) => c.name)
    expect(names).toHaveLength(2 * 2 * 7)
    expect(new Set(names).size).toBe(names.length)
  })

  test('passes a plugin that refuses, one that answers, one that blocks in mid-stream, one that retries', async () => {
    const samples: Hooks[] = [
      { admit: (x) => x.refuse('permission_denied') },
      { request: (x) => x.reply([{ type: 'text', text: 'cached', choice: 0 }]) },
      {
        event: (_x, e) =>
          e.type === 'text' && e.text.includes('upstream') ? { type: 'error', kind: 'blocked', message: 'no' } : undefined,
      },
      { inspect: { hold: 8, kinds: ['text', 'reasoning'], window: () => undefined } },
      { inspect: { hold: 8, window: (x, text) => (text.includes('from') ? x.refuse('content_filter') : undefined) } },
      {
        async around(_x, next) {
          const first = await next()
          return first.ok ? first : await next()
        },
      },
    ]
    for (const hooks of samples) expect(await failures(plugin(() => hooks))).toEqual({ names: [], said: '' })
  })

  test('finds a stray rejection', async () => {
    const script = `
      import { conformanceCases } from ${JSON.stringify(`${import.meta.dir}/conformance.ts`)}
      const setup = () => ({ request() { void Promise.reject(new Error('nobody catches this')) } })
      const stray = { api: 1, name: 'stray', summary: '', failure: 'open', needs: [], wants: [], provides: [], setup }
      await conformanceCases(stray)[0].run().catch((error) => console.log(error.message))`
    const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe', stderr: 'inherit' }) // bun's runner fails a test by itself for it
    expect(await new Response(child.stdout).text()).toBe('unhandled rejection: Error: nobody catches this\n')
  })

  test('finds a plugin whose setup fails', async () => {
    const broken = plugin(() => {
      throw new Error('no luck')
    })
    expect((await failures(broken)).names).toHaveLength(7)
  })
})
