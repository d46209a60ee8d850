/** Tokens that a real provider signs: accepted, rotated, expired, for somebody else, and forged with its own public keys. */
import { createHmac, createPublicKey, type JsonWebKeyInput } from 'node:crypto'
import t from 'tap'
import { requestTransports } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { makeProviderKey, startProvider } from '../kit/provider.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const one = makeProviderKey('one')
const two = makeProviderKey('two')
const provider = await startProvider('https://localhost/.account/callback', () => [])
provider.setKeys(one)
const folder = t.testdir({ 'ca.pem': provider.ca })
const upstream = await startUpstream({ onSocket: (socket) => socket.send('hello') })
const route = { service: 'echo', profiles: ['internet'], purpose: 'test', methods: ['GET'] }
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    services: { echo: { endpoints: [upstream.url] } },
    issuers: {
      it: {
        ...{ issuer: provider.issuer, ca: `${folder}/ca.pem`, audience: ['portcullis'], type: 'at+jwt' },
        ...{ clockSkew: '0 s', refetch: '1 ms', refresh: '1 s' },
      },
    },
    routes: [
      { ...route, path: '/*', signIn: 'it' },
      { ...route, path: '/ws', webSocket: true, signIn: 'it' },
    ],
    listeners: { public: publicListener(), admin: { address: '127.0.0.1:0' } },
  }),
)
const place = { port: gateway.publicPort }
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
  await provider.close()
})
const bearer = (token: string): string[] => ['authorization', `Bearer ${token}`]
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const decode = (part: string): object => JSON.parse(Buffer.from(part, 'base64url').toString()) as object

for (const transport of requestTransports) {
  t.test(`what the provider signs, ${transport.name}`, async (t) => {
    provider.setKeys(one)
    const client = transport.open(place)
    t.teardown(() => client.close())
    const ask = (token: string) => client.ask({ path: '/any', headers: bearer(token) })
    const good = await provider.token('urn:chat')
    t.equal((await ask(good)).status, 200)
    t.match(upstream.received.at(-1)!.rawHeaders.join(' '), /chat-bot/, 'the service learns who it is')

    const elsewhere = await ask(await provider.token('urn:elsewhere'))
    t.equal(elsewhere.status, 401, 'for another audience')
    const brief = await provider.token('urn:brief')
    t.equal((await ask(brief)).status, 200)
    await until(async () => (await ask(brief)).status === 401)
    t.match(
      (await ask(brief)).header('www-authenticate'),
      /invalid_token.*expired/,
      'it ended, though it was remembered',
    )

    const [header, claims, signature] = good.split('.') as [string, string, string]
    const { kid } = decode(header) as { kid: string }
    t.equal(kid, 'one')
    t.equal((await ask(`${encode({ alg: 'none', typ: 'at+jwt' })}.${claims}.`)).status, 401, 'alg none')
    const more = encode({ ...decode(claims), sub: 'admin' })
    t.equal((await ask(`${header}.${more}.${signature}`)).status, 401, 'other claims under its signature')
    // The public key as the secret of an HMAC, in each form in which a library may have it at hand.
    const key = createPublicKey({ key: one, format: 'jwk' } as unknown as JsonWebKeyInput)
    const jwk = JSON.stringify(key.export({ format: 'jwk' }))
    const secrets = [key.export({ format: 'pem', type: 'spki' }), key.export({ format: 'der', type: 'spki' }), jwk]
    for (const alg of ['HS256', 'HS384', 'HS512']) {
      for (const secret of secrets) {
        const signed = `${encode({ alg, kid, typ: 'at+jwt' })}.${more}`
        const mac = createHmac(`sha${alg.slice(2)}`, secret)
          .update(signed)
          .digest('base64url')
        t.equal((await ask(`${signed}.${mac}`)).status, 401, `${alg} with the public key`)
      }
    }
  })
}

t.test('the provider rotates its keys: no token that it still vouches for is refused', async (t) => {
  provider.setKeys(one)
  const client = requestTransports[0]!.open(place)
  t.teardown(() => client.close())
  const ask = async (token: string) => (await client.ask({ path: '/any', headers: bearer(token) })).status
  const old = await provider.token('urn:chat')
  t.equal(await ask(old), 200)
  provider.setKeys(two, one)
  const fresh = await provider.token('urn:chat')
  t.match(decode(fresh.split('.')[0]!), { kid: 'two' })
  t.equal(await ask(fresh), 200, 'a key that was never seen is fetched at once')
  t.equal(await ask(old), 200)
  provider.setKeys(two)
  await until(async () => (await ask(old)) === 401)
  t.equal(await ask(fresh), 200)
  t.equal(await ask(await provider.token('urn:chat')), 200)
})

for (const transport of socketTransports) {
  t.test(`a socket ends with its token, ${transport.name}`, async (t) => {
    provider.setKeys(two)
    await t.rejects(
      transport.open(place, { path: '/ws', headers: bearer(await provider.token('urn:elsewhere')) }),
      /401/,
    )
    const lasting = await transport.open(place, { path: '/ws', headers: bearer(await provider.token('urn:chat')) })
    const brief = await transport.open(place, { path: '/ws', headers: bearer(await provider.token('urn:brief')) })
    t.equal((await brief.next()).text, 'hello')
    t.match(await brief.closed, { code: 1008 })
    t.equal((await lasting.next()).text, 'hello')
    lasting.terminate()
  })
}
