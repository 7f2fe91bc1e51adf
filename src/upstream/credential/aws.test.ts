/** AWS's credential chain: the order of its places, each against a real endpoint of the test's own. */

import { afterEach, describe, expect, test } from 'bun:test'
import { signatureFault } from '../../../test/support/verify-sigv4.ts'
import { type AwsGiven, awsCredentials } from './aws.ts'
import { sections } from './aws-profile.ts'
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

const region = 'eu-west-1'
const none = { AWS_EC2_METADATA_DISABLED: 'true' }
const get = async (given: Partial<AwsGiven>, env: Record<string, string>, files: Record<string, string> = {}) =>
  await awsCredentials({ region, ...given }, bareSurroundings({ ...none, ...env }, files)).get()

const envKeys = { AWS_ACCESS_KEY_ID: 'AKENV', AWS_SECRET_ACCESS_KEY: 'env-secret', AWS_SESSION_TOKEN: 'env-token' }
const shared = {
  '/nowhere/.aws/credentials':
    '[default]\naws_access_key_id = AKDEF\naws_secret_access_key=def # mine\n[ other ]\naws_access_key_id=AKOTH\naws_secret_access_key=oth\n',
  '/nowhere/.aws/config':
    '[default]\nregion=us-east-1\n[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = other\nexternal_id=ext\n[profile sso]\nsso_session = corp\n',
}

describe('the order of the places', () => {
  test('keys of the config, its profile, the environment, the default profile', async () => {
    const own = { access_key_id: 'AKOWN', secret_access_key: 'own' }
    expect(await get(own, envKeys, shared)).toMatchObject({ accessKeyId: 'AKOWN', sessionToken: undefined })
    expect(await get({ profile: 'other' }, envKeys, shared)).toMatchObject({ accessKeyId: 'AKOTH', secretAccessKey: 'oth' })
    expect(await get({}, envKeys, shared)).toMatchObject({ accessKeyId: 'AKENV', sessionToken: 'env-token' })
    expect(await get({}, { AWS_PROFILE: 'other' }, shared)).toMatchObject({ accessKeyId: 'AKOTH' })
    expect(await get({}, {}, shared)).toMatchObject({ accessKeyId: 'AKDEF', secretAccessKey: 'def' })
  })

  test('what is missing or not supported is named', async () => {
    await expect(get({}, {})).rejects.toThrow('No AWS credentials')
    await expect(get({ profile: 'nope' }, {}, shared)).rejects.toThrow('no AWS profile "nope"')
    await expect(get({ profile: 'sso' }, {}, shared)).rejects.toThrow('profile sso has no keys, and sso_session is not supported')
  })
})

const expiration = '2031-01-01T00:00:00Z'
const roleXml = (action: string) =>
  `<${action}Response><${action}Result><Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>role/secret</SecretAccessKey><SessionToken>role&amp;token</SessionToken><Expiration>${expiration}</Expiration></Credentials></${action}Result></${action}Response>`
const role = { accessKeyId: 'ASIA1', secretAccessKey: 'role/secret', sessionToken: 'role&token', expiresAt: Date.parse(expiration) }

describe('roles', () => {
  test('by web identity (EKS): the token of the file, no signature', async () => {
    const server = serve(() => new Response(roleXml('AssumeRoleWithWebIdentity')))
    const env = {
      AWS_ENDPOINT_URL_STS: server.url,
      AWS_WEB_IDENTITY_TOKEN_FILE: '/var/token',
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/web',
      AWS_ROLE_SESSION_NAME: 'me',
    }
    expect(await get({}, env, { '/var/token': 'jwt-token\n', ...shared })).toEqual(role)
    const { form, headers } = server.asked[0]!
    expect(Object.fromEntries(form)).toEqual({
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: 'arn:aws:iam::1:role/web',
      RoleSessionName: 'me',
      WebIdentityToken: 'jwt-token',
    })
    expect(headers.has('authorization')).toBe(false)
  })

  test('by another profile: signed with its keys', async () => {
    const server = serve(() => new Response(roleXml('AssumeRole')))
    expect(await get({ profile: 'role' }, { AWS_ENDPOINT_URL_STS: server.url }, shared)).toEqual(role)
    const { form, headers, method, text } = server.asked[0]!
    expect(Object.fromEntries(form)).toMatchObject({ Action: 'AssumeRole', RoleArn: 'arn:aws:iam::1:role/r', ExternalId: 'ext' })
    const request = { method, path: '/', query: '', headers, body: Buffer.from(text) }
    expect(signatureFault(request, { accessKeyId: 'AKOTH', secret: 'oth', region, service: 'sts' })).toBeUndefined()
  })

  test('a refusal is told in AWS’s words', async () => {
    const xml = '<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not &lt;you&gt;</Message></Error></ErrorResponse>'
    const server = serve(() => new Response(xml, { status: 403 }))
    const asked = get({ profile: 'role' }, { AWS_ENDPOINT_URL_STS: server.url }, shared)
    await expect(asked).rejects.toThrow('did not let the role arn:aws:iam::1:role/r be assumed: AccessDenied: Not <you> (status 403)')
  })
})

const temporary = { AccessKeyId: 'ASIA2', SecretAccessKey: 'tmp', Token: 'tok', Expiration: expiration }

describe("a machine's own", () => {
  test('the container’s endpoint, with its token', async () => {
    const server = serve(({ headers }) => (headers.get('authorization') === 'pod-token' ? temporary : new Response('', { status: 401 })))
    const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${server.url}/v1/credentials`, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '/pod' }
    expect(await get({}, env, { '/pod': 'pod-token\n' })).toMatchObject({ accessKeyId: 'ASIA2', sessionToken: 'tok' })
    expect(server.asked[0]!.path).toBe('/v1/credentials')
    const elsewhere = get({}, { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://evil.example/x' })
    await expect(elsewhere).rejects.toThrow('evil.example is neither on this machine nor reached by https')
  })

  test('the instance’s metadata, version 2: a session token first', async () => {
    const server = serve(({ method, path, headers }) => {
      if (method === 'PUT' && path === '/latest/api/token') {
        return new Response(headers.has('x-aws-ec2-metadata-token-ttl-seconds') ? 'session' : '', { status: 200 })
      }
      if (headers.get('x-aws-ec2-metadata-token') !== 'session') return new Response('', { status: 401 })
      return path.endsWith('/security-credentials/') ? new Response('my-role') : { Code: 'Success', ...temporary }
    })
    const env = { AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: `${server.url}/` }
    expect(await get({}, env)).toMatchObject({ accessKeyId: 'ASIA2', expiresAt: Date.parse(expiration) })
    expect(server.asked.map(({ path }) => path).at(-1)).toBe('/latest/meta-data/iam/security-credentials/my-role')
  })

  test('a machine without a role is told so', async () => {
    const server = serve(({ method }) => (method === 'PUT' ? new Response('session') : new Response('', { status: 404 })))
    const env = { AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: server.url }
    await expect(get({}, env)).rejects.toThrow('the instance has no role')
  })
})

test('temporary credentials are fetched again before they end', async () => {
  let at = Date.parse('2026-01-01T00:00:00Z')
  const server = serve(() => ({ ...temporary, Expiration: new Date(at + 3600_000).toISOString() }))
  const around = bareSurroundings({ AWS_CONTAINER_CREDENTIALS_FULL_URI: server.url }, {}, () => at)
  const source = awsCredentials({ region }, around)
  await source.get()
  at += 54 * 60_000
  source.get()
  expect(server.asked).toHaveLength(1)
  at += 2 * 60_000
  expect(source.get()).toMatchObject({ accessKeyId: 'ASIA2' }) // still good, and the next one is on its way
  for (const until = Date.now() + 2000; server.asked.length < 2 && Date.now() < until; ) await Bun.sleep(1)
  expect(server.asked).toHaveLength(2)
})

test('INI files as AWS writes them', () => {
  const text = '# c\n[default]\na = 1\n  nested = 2\n[profile "x y"]\r\nA=b=c ; note\n; [off]\n[sso-session s]\nk=\n'
  expect(Object.fromEntries(sections(text))).toEqual({ default: { a: '1' }, 'profile x y': { a: 'b=c' }, 'sso-session s': { k: '' } })
})
