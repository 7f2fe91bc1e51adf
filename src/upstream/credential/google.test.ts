/** Google's and Entra's tokens, from real endpoints of the test's own that check what they are sent. */

import { afterEach, describe, expect, test } from 'bun:test'
import { entraTokens } from './entra.ts'
import { googleTokens } from './google.ts'
import { CredentialError } from './source.ts'
import { type Asked, bareSurroundings, startTokenServer, type TokenServer } from './token-server.fixture.ts'

const servers: TokenServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop()
})
function serve(answer: (asked: Asked) => Response | object): TokenServer {
  const server = startTokenServer(answer)
  servers.push(server)
  return server
}

const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
const pair = await crypto.subtle.generateKey({ ...algorithm, modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) }, true, [
  'sign',
  'verify',
])
const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', pair.privateKey)).toString('base64')
const pem = `-----BEGIN PRIVATE KEY-----\n${pkcs8.replaceAll(/(.{64})/g, '$1\n')}\n-----END PRIVATE KEY-----\n`
const account = (token_uri: string) =>
  JSON.stringify({ type: 'service_account', client_email: 'gw@p.iam.test', private_key: pem, private_key_id: 'kid-1', token_uri })

describe('service accounts', () => {
  test('sign a JWT that holds, and trade it for a token that is kept', async () => {
    const server = serve(() => ({ access_token: 'ya29.token', expires_in: 3600, token_type: 'Bearer' }))
    let at = 1_700_000_000_500
    const around = bareSurroundings({}, {}, () => at)
    const tokens = googleTokens(account(`${server.url}/token`), around)
    expect(await Promise.all([tokens.get(), tokens.get()])).toMatchObject([{ token: 'ya29.token' }, { token: 'ya29.token' }])
    at += 3600_000 - 5 * 60_000 - 1
    expect(tokens.get()).toMatchObject({ token: 'ya29.token' })
    expect(server.asked).toHaveLength(1)

    const { form } = server.asked[0]!
    expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer')
    const [head, claims, signature] = form.get('assertion')!.split('.') as [string, string, string]
    expect(JSON.parse(Buffer.from(head, 'base64url').toString())).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'kid-1' })
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toEqual({
      iss: 'gw@p.iam.test',
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      aud: `${server.url}/token`,
      iat: 1_700_000_000,
      exp: 1_700_003_600,
    })
    const valid = await crypto.subtle.verify(
      algorithm,
      pair.publicKey,
      Buffer.from(signature, 'base64url'),
      Buffer.from(`${head}.${claims}`),
    )
    expect(valid).toBe(true)
  })

  test('are found by GOOGLE_APPLICATION_CREDENTIALS, or by a path in the config', async () => {
    const server = serve(() => ({ access_token: 't', expires_in: 60 }))
    const files = { '/run/sa.json': account(server.url) }
    expect(await googleTokens(undefined, bareSurroundings({ GOOGLE_APPLICATION_CREDENTIALS: '/run/sa.json' }, files)).get()).toMatchObject({
      token: 't',
    })
    expect(await googleTokens('/run/sa.json', bareSurroundings({}, files)).get()).toMatchObject({ token: 't' })
  })

  test('a refusal is told in its own words, a bad key without the key', async () => {
    const server = serve(() => Response.json({ error: 'invalid_grant', error_description: 'Account deleted' }, { status: 400 }))
    const refused = Promise.resolve(googleTokens(account(server.url), bareSurroundings({})).get())
    await expect(refused).rejects.toThrow('gw@p.iam.test got no access token: invalid_grant: Account deleted (status 400).')
    const file = JSON.stringify({ type: 'service_account', client_email: 'gw@p', private_key: 'NOT-A-KEY' })
    const broken = await Promise.resolve(googleTokens(file, bareSurroundings({})).get()).catch((error: Error) => error)
    expect(broken).toBeInstanceOf(CredentialError)
    expect(String(broken)).not.toContain('NOT-A-KEY')
  })
})

test('user credentials trade their refresh token, and say who pays', async () => {
  const server = serve(() => ({ access_token: 'user', expires_in: 3599 }))
  const file = JSON.stringify({
    type: 'authorized_user',
    client_id: 'id',
    client_secret: 'se',
    refresh_token: '1//r',
    quota_project_id: 'payer',
    token_uri: server.url,
  })
  const wellKnown = { '/nowhere/.config/gcloud/application_default_credentials.json': file }
  expect(await googleTokens(undefined, bareSurroundings({}, wellKnown)).get()).toMatchObject({ token: 'user', quotaProject: 'payer' })
  expect(Object.fromEntries(server.asked[0]!.form)).toEqual({
    grant_type: 'refresh_token',
    client_id: 'id',
    client_secret: 'se',
    refresh_token: '1//r',
  })
})

test("the machine's metadata server is asked last, in its way", async () => {
  const server = serve(({ headers, path }) =>
    headers.get('metadata-flavor') === 'Google' && path === '/computeMetadata/v1/instance/service-accounts/default/token'
      ? { access_token: 'gce', expires_in: 1000, token_type: 'Bearer' }
      : new Response('', { status: 403 }),
  )
  const around = bareSurroundings({ GCE_METADATA_HOST: server.host, HTTP_PROXY: 'http://127.0.0.1:1' })
  expect(await googleTokens(undefined, around).get()).toMatchObject({ token: 'gce' })
})

test('nothing anywhere, and kinds that are not supported, are told clearly', async () => {
  const server = serve(() => new Response('no', { status: 404 }))
  const nowhere = Promise.resolve(googleTokens(undefined, bareSurroundings({ GCE_METADATA_HOST: server.host })).get())
  await expect(nowhere).rejects.toThrow('No Google credentials: set vertex.credentials or GOOGLE_APPLICATION_CREDENTIALS.')
  const other = Promise.resolve(googleTokens('{"type":"external_account"}', bareSurroundings({})).get())
  await expect(other).rejects.toThrow('of the type "external_account" are not supported')
  const missing = Promise.resolve(googleTokens('/no/such/file', bareSurroundings({})).get())
  await expect(missing).rejects.toThrow("/no/such/file can't be read (ENOENT)")
})

test('Entra: client credentials for the scope of Azure OpenAI; a secret that is refused is not repeated', async () => {
  let good = true
  const server = serve(() =>
    good
      ? { access_token: 'entra', expires_in: 3599, token_type: 'Bearer' }
      : Response.json({ error: 'invalid_client', error_description: 'AADSTS7000215: Invalid client secret provided.' }, { status: 401 }),
  )
  const client = { tenant: 'te/nant', client_id: 'app', client_secret: 'very-secret' }
  const around = bareSurroundings({ AZURE_AUTHORITY_HOST: `${server.url}/` })
  expect(await entraTokens(client, around).get()).toMatchObject({ token: 'entra' })
  expect(server.asked[0]!.path).toBe('/te%2Fnant/oauth2/v2.0/token')
  expect(Object.fromEntries(server.asked[0]!.form)).toEqual({
    grant_type: 'client_credentials',
    client_id: 'app',
    client_secret: 'very-secret',
    scope: 'https://cognitiveservices.azure.com/.default',
  })
  good = false
  const refused = await Promise.resolve(entraTokens(client, around).get()).catch(String)
  expect(refused).toContain('AADSTS7000215')
  expect(refused).not.toContain('very-secret')
})

test('an endpoint that sends too much, or nothing, is given up', async () => {
  const server = serve(() => new Response('x'.repeat(300 * 1024)))
  await expect(bareSurroundings({}).ask({ url: server.url })).rejects.toThrow('it sent too much')
  const silent = startTokenServer(() => new Promise<Response>(() => {}))
  servers.push(silent)
  await expect(bareSurroundings({}).ask({ url: silent.url, timeout: 50 })).rejects.toThrow('no answer in 50 ms')
})
