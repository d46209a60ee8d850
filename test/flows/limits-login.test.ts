/** A sign-in under attack, through the whole gateway over both protocols: one account from many addresses, many accounts
 * from one address; and whoever signs in from where they always do gets in all the while. */
import t from 'tap'
import { type RequestClient, requestTransports } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startRedis } from '../kit/redis.ts'
import { startUpstream } from '../kit/upstream.ts'

const redis = await startRedis()
const upstream = await startUpstream()
upstream.on('/login', async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  const { password } = body.startsWith('{') ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body))
  response.writeHead(password === 'right' ? 204 : 401).end()
})
t.teardown(async () => {
  await redis.kill()
  await upstream.close()
})

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    await redis.flush()
    const gateway = await startGatewayHere(
      testConfig(upstream.url, {
        listeners: {
          public: publicListener({ trustedProxies: ['127.0.0.1/32'] }),
          admin: { address: '127.0.0.1:0' },
        },
        routes: [
          {
            ...{ path: '/login', methods: ['POST'], service: 'chat', profiles: ['internet'], purpose: 'sign-in' },
            ...{
              limits: ['login-address', 'login-account'],
              accepts: ['application/json', 'application/x-www-form-urlencoded'],
            },
          },
        ],
        limits: {
          'login-address': { rate: '10 per hour' },
          'login-account': { by: 'field user', rate: '5 per hour', known: { statuses: [204] } },
          store: { redis: { url: redis.url, timeout: '10 seconds' } },
        },
      }),
    )
    const client: RequestClient = transport.open({ port: gateway.publicPort })
    t.teardown(async () => {
      await client.close()
      await gateway.close()
    })
    const send = async (address: string, body: string, type: string) => {
      const headers = ['x-forwarded-for', address, 'content-type', type]
      return (await client.ask({ method: 'POST', path: '/login', headers, body })).status
    }
    const login = (address: string, user: string, password = 'wrong') =>
      send(address, JSON.stringify({ user, password }), 'application/json')

    t.equal(await login('192.0.2.1', 'anna', 'right'), 204)
    const guesses: number[] = []
    for (let i = 0; i < 300; i += 10) {
      const some = Array.from({ length: 10 }, (_, k) => login(`10.1.${i >> 5}.${k}`, k % 2 === 0 ? 'anna' : ' Anna '))
      guesses.push(...(await Promise.all(some)))
    }
    t.equal(guesses.filter((status) => status === 401).length, 4)
    t.equal(guesses.filter((status) => status === 429).length, 296)
    t.equal(
      await send('10.2.0.1', 'user=ANNA&password=right', 'application/x-www-form-urlencoded'),
      429,
      'a form is the same account',
    )
    t.equal(await login('192.0.2.1', 'anna', 'right'), 204, 'from where she signed in before')
    t.equal(await login('10.2.0.2', 'berta', 'right'), 204, 'others are not touched')

    const spray: number[] = []
    for (let i = 0; i < 50; i++) spray.push(await login('198.51.100.1', `user${i}`))
    t.equal(spray.filter((status) => status === 401).length, 10)
    t.equal(await login('192.0.2.3', 'user3', 'right'), 204)

    t.equal(await send('10.3.0.1', '{"user":"x","user":"anna","password":"right"}', 'application/json'), 400)
    t.equal(await send('10.3.0.2', `{"user":"x","pad":"${'x'.repeat(70_000)}"}`, 'application/json'), 413)
    t.equal(await send('10.3.0.3', '{"user":"x"}', 'text/plain'), 415)
    t.notMatch(await redis.command('KEYS *'), /anna|berta|user3/i, 'no name is in the store')
  })
}
