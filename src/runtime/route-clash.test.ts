import { expect, test } from 'bun:test'
import { gatewayIn, tempFolder } from '../../test/support/gateway-in.ts'
import { plug } from '../../test/support/plug.ts'
import { ownClashes, routeClashes, routeKey } from './route-clash.ts'

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

test('paths of the gateway itself: who answers is said of who is hidden', () => {
  const mounts = [
    { path: '/v1', api: 'openai' },
    { path: '/', api: 'gemini' },
    { path: '/own', api: 'of-a-plugin' },
  ]
  const clashes = (server: { live_paths?: string[]; ready_paths?: string[] }, ...paths: string[]) =>
    ownClashes(
      { server: { live_paths: ['/health'], ready_paths: ['/ready'], ...server }, mounts } as never,
      paths.map((path) => ({ owner: 'router', route: { method: 'GET', path } })),
    ).map(({ at, message }) => [Object.values(at)[0], message])
  expect(clashes({}, '/providers', '/v1/models')).toEqual([])
  expect(clashes({}, '/health', '/docs')).toEqual([
    ['router', 'it serves GET /health, and so does `server.live_paths`, which answers'],
    ['router', 'it serves GET /docs, and so does the page of documentation, which answers'],
  ])
  expect(clashes({ live_paths: ['/x', '/ready', '/docs', '/x'] })).toEqual([
    [['server', 'live_paths', 1], '/ready is that of `server.ready_paths`, which answers there'],
    [['server', 'live_paths', 2], '/docs is that of the page of documentation, which answers there'],
  ])
  expect(clashes({ ready_paths: ['/v1/models', '/v1beta/models', '/own/models'] })).toEqual([
    [['server', 'ready_paths', 0], '/v1/models is that of a list of models, which nobody gets any more'],
    [['server', 'ready_paths', 1], '/v1beta/models is that of a list of models, which nobody gets any more'],
  ])
})

test('a plugin at a path of the gateway itself: a warning in its line', async () => {
  const folder = tempFolder()
  const page = {
    ...plug('page', {}),
    setup(host: Parameters<ReturnType<typeof plug>['setup']>[0]) {
      host.route({ method: 'GET', path: '/health', summary: 'A page', handler: () => new Response('page') })
      return {}
    },
  }
  const running = await gatewayIn(folder.path, [{ use: 'page' }], { page })
  const { ok, diagnostics } = await running.gateway.reload()
  expect(ok).toBe(true)
  expect(diagnostics.filter(({ message }) => message.includes('/health'))).toMatchObject([{ severity: 'warning', path: 'plugins[0]' }])
  await running.gateway.close(1000)
  folder.remove()
})
