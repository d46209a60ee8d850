/** Other paths for the service, redirects, fixed answers, maintenance and error pages, from outside. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { requestTransports } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'

const BIN = resolve(import.meta.dirname, '../../bin/portcullis.js')
const folder = t.testdir({
  '404.html': '<h1>Nothing here</h1><p>{{requestId}}</p>',
  '5xx.html': '<h1>Sorry ({{status}})</h1>',
  'work.html': '<h1>We are working</h1>',
  'own.html': '<h1>Our own 405</h1>',
  'robots.txt': 'User-agent: *\nDisallow: /\n',
})
const file = (name: string): string => join(folder, name)
const upstream = await startUpstream()
const route = (path: string, more: object) => ({ path, profiles: ['internet'], purpose: 'test', ...more })
const config = testConfig(upstream.url, {
  listeners: {
    public: publicListener(),
    behind: publicListener({ trustedProxies: ['127.0.0.1/32'] }),
    admin: { address: '127.0.0.1:0' },
  },
  errorPages: { '404': file('404.html'), '5xx': file('5xx.html') },
  maintenance: { retryAfter: '2 minutes', page: file('work.html'), exempt: ['203.0.113.0/24'] },
  routes: [
    route('/chat/*', { name: 'chat', service: 'chat', rewrite: '/*', webSocket: true }),
    route('/rooms/{id}/log', { service: 'chat', rewrite: '/v2/{id}/messages' }),
    route('/old/*', { redirect: '/new/*' }),
    route('/docs/{page}', { redirect: { to: 'https://docs.example.com/{page}', status: 302, query: 'drop' } }),
    route('/robots.txt', { respond: { file: file('robots.txt'), headers: { 'x-own': 'yes' } }, methods: ['GET'] }),
    route('/gone', { respond: { status: 410, type: 'text/html', text: '<p>gone' }, methods: ['GET'] }),
    route('/empty', { respond: { status: 204 }, methods: ['GET'], errorPages: { '405': file('own.html') } }),
    route('/closed', { name: 'closed', service: 'chat', maintenance: true }),
  ],
})
const gateway = await startGatewayHere(config)
const place = { port: gateway.publicPort }
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})
const html = ['accept', 'text/html']

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open(place)
    t.teardown(() => client.close())
    const sent = async (path: string): Promise<string> => {
      upstream.received.length = 0
      await client.ask({ path })
      return upstream.received.map(({ url }) => url).join()
    }

    t.test('the service sees another path, and the log the one that was asked for', async (t) => {
      t.equal(await sent('/chat/a/b?c=d'), '/a/b?c=d')
      t.equal(await sent('/chat/'), '/')
      t.equal(await sent('/rooms/42/log'), '/v2/42/messages')
      t.equal(await sent('/chat/..%2f/x'), '', 'nothing climbs')
      t.equal(await sent('/chat//evil.example.com'), '/evil.example.com')
    })

    t.test('a redirect leads where the configuration says and nowhere else', async (t) => {
      const reply = await client.ask({ path: '/old/a?b=c' })
      t.equal(reply.status, 308)
      t.equal(reply.header('location'), '/new/a?b=c')
      t.ok(reply.header('content-security-policy'), 'with the headers of the route')
      const other = await client.ask({ path: '/docs/intro?x=1' })
      t.equal(other.status, 302)
      t.equal(other.header('location'), 'https://docs.example.com/intro')
      for (const path of [
        '/old//evil.com',
        '/old/%5cevil.com',
        '/old/%2fevil.com',
        '/old/.//evil.com',
        '/old/\\evil',
      ]) {
        const { status, ...reply } = await client.ask({ path })
        if (status === 308) t.equal(reply.header('location'), '/new/evil.com', path)
        else t.equal(status, 400, path)
      }
      t.equal((await client.ask({ path: '/docs/@evil.com' })).header('location'), 'https://docs.example.com/@evil.com')
      t.equal((await client.ask({ path: '/old/a%0d%0aset-cookie:x=1' })).status, 400)
    })

    t.test('fixed answers', async (t) => {
      const robots = await client.ask({ path: '/robots.txt' })
      t.match(robots, { status: 200, text: 'User-agent: *\nDisallow: /\n' })
      t.equal(robots.header('x-own'), 'yes')
      t.equal(robots.header('content-type'), 'text/plain; charset=utf-8')
      const head = await client.ask({ path: '/robots.txt', method: 'HEAD' })
      t.equal(head.header('content-length'), '26')
      t.equal(head.body.length, 0)
      t.match(await client.ask({ path: '/gone' }), { status: 410, text: '<p>gone' })
      t.match(await client.ask({ path: '/empty' }), { status: 204, text: '' })
      t.equal((await client.ask({ path: '/gone', method: 'POST', body: 'x' })).status, 405)
    })

    t.test('error pages for people, JSON for programs', async (t) => {
      const page = await client.ask({ path: '/nowhere', headers: html })
      t.equal(page.status, 404)
      t.equal(page.header('content-type'), 'text/html; charset=utf-8')
      t.equal(page.text, `<h1>Nothing here</h1><p>${page.header('x-request-id')}</p>`)
      t.ok(page.header('content-security-policy'))
      t.equal((await client.ask({ path: '/nowhere' })).header('content-type'), 'application/problem+json')
      t.equal((await client.ask({ path: '/empty', method: 'POST', headers: html })).text, '<h1>Our own 405</h1>')
      upstream.on('/die-now', (request) => request.socket.destroy())
      t.equal((await client.ask({ path: '/chat/die-now', headers: html })).text, '<h1>Sorry (502)</h1>')
    })

    t.test('a route under maintenance', async (t) => {
      const reply = await client.ask({ path: '/closed', headers: html })
      t.match(reply, { status: 503, text: '<h1>We are working</h1>' })
      t.equal(reply.header('retry-after'), '120')
      t.match((await client.ask({ path: '/closed' })).json(), { code: 'maintenance', status: 503 })
    })
  })
}

async function run(...words: string[]): Promise<{ code: number; text: string }> {
  const child = spawn(process.execPath, [
    BIN,
    'maintenance',
    ...words,
    '--admin',
    `http://127.0.0.1:${gateway.adminPort}`,
  ])
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (piece) => {
      text += piece
    })
  }
  const code = await new Promise<number>((done) => child.on('close', done))
  return { code, text }
}

t.test('maintenance is switched at run time, for one route and for all, and stays over a reload', async (t) => {
  const client = requestTransports[0]!.open(place)
  const behind = requestTransports[0]!.open({ port: gateway.port('listeners.behind.address') })
  t.teardown(() => client.close())
  t.teardown(() => behind.close())
  const status = async (path: string): Promise<number> => (await client.ask({ path })).status

  t.match(await run('on', 'chat'), { code: 0, text: /^chat {2}on, switched at run time$/m })
  t.equal(await status('/chat/x'), 503)
  t.equal(await status('/gone'), 410)
  for (const { open } of socketTransports) {
    await t.rejects(open(place, { path: '/chat/echo' }), { message: /503/ })
  }
  t.match(await run('off', 'chat'), { code: 0 })
  t.equal(await status('/chat/x'), 200)

  t.match(await run('on'), { code: 0, text: /^\(all routes\) {2}on, switched at run time$/m })
  writeFileSync(gateway.configPath, JSON.stringify({ ...config, reviewed: '2026-11-01' }))
  await gateway.gateway.reload('test')
  t.equal(await status('/gone'), 503)
  t.equal(await status('/nowhere'), 404, 'what is not there is not maintained')
  const exempt = ['x-forwarded-for', '203.0.113.7']
  t.equal((await behind.ask({ path: '/gone', headers: exempt })).status, 410)
  t.equal((await client.ask({ path: '/gone', headers: exempt })).status, 503, 'nobody exempts himself')
  t.match(await run('off'), { code: 0 })
  t.equal(await status('/gone'), 410)
  t.equal(await status('/closed'), 503)
  t.match(await run('off', 'closed'), { code: 0 })
  t.equal(await status('/closed'), 200)
  t.match(await run('on', 'no-such-route'), { code: 1, text: /no such route/ })
  t.match(await run('status'), { code: 0, text: /^closed {2}off, switched at run time$/m })
  t.ok(gateway.auditLines().some(({ event, object }) => event === 'sys_change' && object === 'maintenance on chat'))
})
