/** Rules that look at more than the address, over HTTP/1.1 and HTTP/2, by a gateway as a whole: what is counted together,
 * who is spared, what a failure costs, what a refusal is like, and what a dry run leaves alone. */
import t from 'tap'
import { type Place, type Reply, requestTransports } from '../kit/clients.ts'
import { type Json, publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const held: (() => void)[] = []
const upstream = await startUpstream()
upstream.on('/', (request, response) => {
  if (request.url === '/held') held.push(() => response.end('late'))
  else response.writeHead(Number(request.headers['x-wish'] ?? '200')).end('ok')
})
t.teardown(() => upstream.close())

const limits: Json = {
  everywhere: { rate: '1000 per hour', penalties: { 400: 400, 404: 300, 405: 400 }, ban: { after: 2 } },
  tenant: { by: ['route', 'header X-Tenant'], rate: '2 per hour' },
  optional: { by: 'header X-Tenant', missing: 'skip', rate: '1 per hour' },
  session: { by: ['cookie sid', 'method'], rate: '1 per hour' },
  spared: { rate: '1 per hour', exempt: ['192.0.2.0/24'], deny: ['198.51.100.0/24'] },
  failures: { rate: '20 per hour', penalties: { 401: 9, 404: 4 } },
  few: { rate: '1 per hour' },
  dry: { rate: '1 per hour', dryRun: true },
  shown: { rate: '1 per hour', dryRun: true, dryRunShown: true },
  slow: { rate: '1 per hour', tarpit: { delay: '300 ms', max: 1 } },
  growing: { rate: '1 per hour', block: ['1 second', '1 hour'] },
  atOnce: { by: 'header X-Tenant', rate: '1000 per hour', concurrent: 2 },
}

function config(more: Json = {}): Json {
  const route = (path: string, names: string[], others: Json = {}): Json => ({
    ...{ path, service: 'chat', profiles: ['internet'], purpose: 'test', limits: names },
    ...others,
  })
  return testConfig(upstream.url, {
    listeners: {
      public: publicListener({ trustedProxies: ['127.0.0.1/32'] }),
      guarded: publicListener({ trustedProxies: ['127.0.0.1/32'], limits: ['everywhere'] }),
      admin: { address: '127.0.0.1:0' },
    },
    routes: [
      ...Object.keys(limits).map((name) => route(`/${name}`, [name])),
      route('/tenant2', ['tenant']),
      route('/both', ['dry', 'few']),
      route('/held', ['atOnce']),
      route('/inside', [], { allow: ['192.0.2.0/24'], deny: ['192.0.2.66'] }),
    ],
    limits: { ...limits, ...more },
  })
}

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const gateway = await startGatewayHere(config())
    const place: Place = { port: gateway.publicPort }
    const client = transport.open(place)
    t.teardown(async () => {
      await client.close()
      await gateway.close()
    })
    const ask = (path: string, headers: string[] = [], method = 'GET'): Promise<Reply> =>
      client.ask({ path, headers, method })
    const statuses = async (path: string, ...each: string[][]): Promise<number[]> => {
      const found: number[] = []
      for (const headers of each) found.push((await ask(path, headers)).status)
      return found
    }
    const from = (address: string) => ['x-forwarded-for', address]
    const tenant = (name: string) => ['x-tenant', name]

    t.same(
      await statuses('/tenant', tenant('a'), tenant('a'), tenant('a'), tenant('b'), [], [], []),
      [200, 200, 429, 200, 200, 200, 429],
      'each tenant for itself, and all without one together',
    )
    t.same(await statuses('/tenant2', tenant('a')), [200], 'each route for itself')
    t.same(await statuses('/optional', [], [], tenant('a'), tenant('a'), []), [200, 200, 200, 429, 200])
    t.same(
      await statuses('/session', ['cookie', 'sid=1'], ['cookie', 'x=2; sid=1'], ['cookie', 'sid=2']),
      [200, 429, 200],
    )
    t.equal((await ask('/session', ['cookie', 'sid=1'], 'POST')).status, 200, 'another method')

    t.same(await statuses('/spared', from('192.0.2.1'), from('192.0.2.1'), from('203.0.113.1'), from('203.0.113.1')), [
      ...[200, 200, 200, 429],
    ])
    const denied = await ask('/spared', from('198.51.100.9'))
    t.equal(denied.status, 403)
    t.equal(denied.header('ratelimit'), null, 'nobody counted')
    t.same(await statuses('/inside', from('192.0.2.1'), from('192.0.2.66'), from('203.0.113.1')), [200, 403, 403])

    t.same(await statuses('/failures', ['x-wish', '401'], ['x-wish', '401'], []), [401, 401, 429], '2 + 2 * 9 = 20')
    const other = from('192.0.2.7')
    t.same(await statuses('/failures', [...other, 'x-wish', '404'], other), [404, 200])

    const plain = await ask('/dry')
    t.equal(plain.header('ratelimit-policy'), null, 'a dry run is not told of')
    t.same(await statuses('/dry', [], []), [200, 200])
    const shown = [await ask('/shown'), await ask('/shown')]
    t.same(
      shown.map((reply) => [reply.status, reply.header('ratelimit')?.replace(/t=\d+/, 't')]),
      [
        [200, '"shown";r=0;t'],
        [200, '"shown";r=0;t'],
      ],
    )
    t.same(await statuses('/both', from('192.0.2.8'), from('192.0.2.8')), [200, 429], 'the other limit holds')

    await ask('/slow')
    const begun = performance.now()
    const [first, second] = await Promise.all([ask('/slow'), ask('/slow')])
    t.same([first?.status, second?.status], [429, 429])
    t.ok(performance.now() - begun >= 300, 'one of them had to wait')

    t.same(await statuses('/growing', from('192.0.2.9'), from('192.0.2.9')), [200, 429])
    await until(async () => (await ask('/growing', from('192.0.2.9'))).status === 200, 'the end of the first block')
    const again = await ask('/growing', from('192.0.2.9'))
    t.same([again.status, again.header('retry-after')], [429, '3600'], 'the second one is longer')

    const running = [ask('/held', tenant('x')), ask('/held', tenant('x'))]
    await until(() => held.length === 2, 'two running requests')
    const third = await ask('/held', tenant('x'))
    t.same([third.status, third.header('retry-after')], [429, '1'])
    const stranger = ask('/held', tenant('y'))
    await until(() => held.length === 3, 'the other tenant')
    for (const answer of held.splice(0)) answer()
    t.same(
      (await Promise.all([...running, stranger])).map((reply) => reply.status),
      [200, 200, 200],
    )
    const later = ask('/held', tenant('x'))
    await until(() => held.length === 1, 'a slot that was given back')
    held.pop()!()
    t.equal((await later).status, 200)

    const scan = Array.from({ length: 6 }, (_, i) => [`/none${i}`, from('192.0.2.10')] as const)
    const found: number[] = []
    const scanner = transport.open({ port: gateway.port('listeners.guarded.address') })
    for (const [path, headers] of scan) found.push((await scanner.ask({ path, headers })).status)
    const storm = async (address: string, path: string, method: string) => {
      const got: number[] = []
      for (const each of [path, path, path, '/optional', '/optional']) {
        got.push(
          (await scanner.ask({ path: each, method: each === path ? method : 'GET', headers: from(address) })).status,
        )
      }
      return got
    }
    t.same(await storm('192.0.2.11', '/%00', 'GET'), [400, 400, 400, 429, 403], 'what nobody can read has its price')
    t.same(await storm('192.0.2.12', '/few', 'DELETE'), [405, 405, 405, 429, 403], 'and a method that is not there')
    await scanner.close()
    t.same(found, [404, 404, 404, 404, 429, 403], 'who looks for what is not there is stopped, and banned')

    const metrics = await (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text()
    t.match(metrics, /portcullis_limit_refusals_total\{kind="limited",limit="tenant"\} 2\n/)
    t.match(metrics, /portcullis_limit_refusals_total\{kind="dry-run",limit="dry"\} \d+\n/)
    t.match(metrics, /portcullis_limit_refusals_total\{kind="denied",limit="spared"\} 1\n/)
    t.match(metrics, /portcullis_limit_refusals_total\{kind="running",limit="atOnce"\} 1\n/)
    t.notMatch(metrics, /x-tenant|sid=/)
    const audit = gateway.auditLines().filter((line) => line.event === 'excess_rate_limit_exceeded')
    t.ok(audit.some((line) => /^limit tenant: limited for \d+ s$/.test(String(line.reason))))
    t.ok(audit.some((line) => /dry run/.test(String(line.reason)) && line.outcome === 'success'))
  })
}

t.test('the older fields, or none', async (t) => {
  for (const fields of ['legacy', 'none']) {
    const gateway = await startGatewayHere(config({ fields }))
    const client = requestTransports[0]!.open({ port: gateway.publicPort })
    const replies = [
      await client.ask({ path: '/tenant' }),
      await client.ask({ path: '/few' }),
      await client.ask({ path: '/few' }),
    ]
    await client.close()
    await gateway.close()
    const told = (reply: Reply) => ['limit', 'remaining', 'reset'].map((name) => reply.header(`x-ratelimit-${name}`))
    t.same(
      replies.map(told),
      fields === 'none'
        ? NOTHING
        : [
            ['2', '1', '3600'],
            ['1', '0', '3600'],
            ['1', '0', told(replies[2]!)[2]],
          ],
    )
    t.ok(replies.every((reply) => reply.header('ratelimit') === null))
    t.match(replies[2]!.header('retry-after'), /^\d+$/, 'when to come back is always told')
  }
})

const NOTHING = [1, 2, 3].map(() => [null, null, null])
