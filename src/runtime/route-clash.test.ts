import { expect, test } from 'bun:test'
import { gatewayIn, tempFolder } from '../../test/support/gateway-in.ts'
import { plug } from '../../test/support/plug.ts'
import { routeClashes, routeKey } from './route-clash.ts'

test('routes clash when they answer the same requests, whatever their parameters are called', () => {
  const route = (owner: string, method: 'GET' | 'POST', path: string) => ({ owner, route: { method, path } })
  const all = [
    route('a', 'GET', '/x/:id'),
    route('b', 'POST', '/x/:id'),
    route('b', 'GET', '/x/:name'),
    route('c', 'GET', '/x/*'),
    route('c', 'GET', '/x/*'),
  ]
  expect(routeClashes(all).map(({ owner, before, route: { path } }) => [owner, before, path])).toEqual([
    ['b', 'a', '/x/:name'],
    ['c', 'c', '/x/*'],
  ])
  expect(routeKey({ method: 'GET', path: '/a/:b/c/:d' })).toBe('GET /a/:/c/:')
})

test('the operator is told, with the line, and the gateway starts', async () => {
  const folder = tempFolder()
  const page = (name: string) => ({
    ...plug(name, {}),
    setup(host: Parameters<ReturnType<typeof plug>['setup']>[0]) {
      host.route({ method: 'GET', path: '/page', summary: 'A page', handler: () => new Response(name) })
      return {}
    },
  })
  const running = await gatewayIn(folder.path, [{ use: 'one' }, { use: 'two' }], { one: page('one'), two: page('two') })
  const { ok, diagnostics } = await running.gateway.reload()
  expect(ok).toBe(true)
  const told = diagnostics.filter(({ message }) => message.includes('/page'))
  expect(told).toMatchObject([
    {
      severity: 'warning',
      path: 'plugins[1]',
      message: 'it serves GET /page, and so does one, which stands above and answers',
      fix: 'give one of them another path, or none',
    },
  ])
  await running.gateway.close(1000)
  folder.remove()
})
