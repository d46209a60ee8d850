/** The status page and its data: what an operator sees is what is there, bounded, escaped, and for this machine only. */
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { StatusView } from '../../src/exchange/status-view.ts'
import { makeCertificate, writePair } from '../kit/certificates.ts'
import { rawExchange, requestTransports } from '../kit/clients.ts'
import { publicListener, startGateway, testConfig } from '../kit/gateway.ts'
import { startRedis } from '../kit/redis.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const upstream = await startUpstream()
const redis = await startRedis()
const folder = t.testdir()
const authority = await makeCertificate({ names: [], subject: 'CN=<b>authority</b>', authority: true })
const near = writePair(folder, 'near', await makeCertificate({ names: ['near.example.com'], issuer: authority, to: 5 }))
const own = writePair(folder, 'own', await makeCertificate({ names: ['localhost'] }))
const route = { service: 'chat', profiles: ['internet'], purpose: 'test' }
const gateway = await startGateway(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener({
        hosts: ['localhost', '127.0.0.1', 'near.example.com'],
        tls: { certificates: [own, near] },
      }),
      admin: { address: '127.0.0.1:0' },
    },
    services: {
      chat: { endpoints: [upstream.url] },
      gone: { endpoints: ['http://127.0.0.1:9'], health: { kind: 'tcp', interval: '100 ms' } },
    },
    routes: [
      { ...route, path: '/*', limits: ['few'] },
      { ...route, path: '/gone/*', service: 'gone' },
    ],
    limits: { few: { rate: '2 per hour' }, store: { redis: { url: redis.url } } },
  }),
)
t.teardown(async () => {
  await gateway.close()
  await redis.kill()
  await upstream.close()
})
const base = `http://127.0.0.1:${gateway.adminPort}`
const status = async (): Promise<StatusView> => (await (await fetch(`${base}/status`)).json()) as StatusView
const page = async (): Promise<string> => (await fetch(base)).text()

t.test('what is there, as data', async (t) => {
  const client = requestTransports[0]!.open({ port: gateway.publicPort })
  for (let i = 0; i < 5; i++) await client.ask({ path: '/echo' })
  const view = await status()
  t.match(view.version, /^\d+\.\d+\.\d+/)
  t.equal(view.ready, true)
  t.ok(view.uptimeSeconds >= 0 && Date.parse(view.startedAt) < Date.parse(view.at))
  t.same(
    view.listeners.map(({ setting, isTls }) => [setting, isTls]),
    [
      ['listeners.public.address', true],
      ['listeners.admin.address', false],
    ],
  )
  t.equal(view.listeners[0]!.connections, 1)
  t.match(view.lastMinute, { requests: 5, byStatus: { '2xx': 2, '4xx': 3 } }, 'those of this page do not count')
  t.ok(view.lastMinute.p50! > 0 && view.lastMinute.p50! <= view.lastMinute.p99!)
  t.ok(view.lastMinute.perSecond > 0)
  const [chat] = view.services.shown.filter(({ name }) => name === 'chat')
  t.match(chat, { circuit: 'closed', waiting: 0, endpoints: [{ state: 'in', weight: 1 }] })
  t.match(view.limits, { store: 'redis', isStoreUp: true, total: 1 })
  t.match(view.limits.shown, [{ name: 'few', rule: /^2 per 3600 s/, refusals: { limited: 3 } }])
  t.equal(view.limits.decisions.limited, 3)
  t.equal(view.certificates.total, 2)
  t.match(view.certificates.shown, [
    { names: ['near.example.com'], issuer: '<b>authority</b>', source: 'file', state: 'ends soon', daysLeft: 4 },
    { names: ['localhost'], source: 'self-signed', state: 'valid' },
  ])
  await client.close()
})

t.test('the page says the same, in words, and lets nothing in', async (t) => {
  await fetch(`${base}/bans`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ subject: '192.0.2.7', for: '1 hour', reason: '<script>alert(1)</script>' }),
  })
  const answer = await fetch(base)
  const html = await answer.text()
  t.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8')
  t.match(answer.headers.get('cache-control'), /no-store/)
  t.equal(answer.headers.get('x-frame-options'), 'deny')
  const policy = answer.headers.get('content-security-policy')!
  t.match(policy, /^default-src 'none'; style-src 'sha256-[^ ]+'; script-src 'sha256-[^ ]+'; connect-src 'self';/)
  for (const [, tag, source] of html.matchAll(/<(style|script)>([\s\S]*?)<\/\1>/g)) {
    t.match(policy, `'sha256-${createHash('sha256').update(source!).digest('base64')}'`, tag!)
  }
  t.equal(html.split('<script').length, 2, 'one script, its own')
  t.notMatch(html, /(?:src|href)="(?!\/|#)/, 'no resource of elsewhere')
  for (const words of [
    '&lt;script&gt;alert',
    '&lt;b&gt;authority',
    'near.example.com',
    'ends soon',
    '192.0.2.7',
    'few',
  ]) {
    t.match(html, words)
  }
  t.match(html, /<span class="state good"><span aria-hidden="true">✓<\/span> up<\/span>/)
})

t.test('trouble stands first: an endpoint that is down, a Redis that is gone', async (t) => {
  await until(async () => (await status()).services.shown[0]!.name === 'gone', 'the endpoint is down')
  t.equal((await status()).services.shown[0]!.endpoints[0]!.state, 'down')
  t.match(await page(), /<span class="state bad"><span aria-hidden="true">✕<\/span> down/)
  await redis.kill()
  await until(async () => !(await status()).limits.isStoreUp, 'the outage')
  t.match(await page(), /Shared through Redis, which is <span class="state bad">/)
})

t.test('only to read, only here, only by a name of this machine', async (t) => {
  for (const path of ['/', '/status']) {
    for (const method of ['POST', 'DELETE', 'PUT']) {
      t.equal(
        (await fetch(base + path, { method, body: method === 'DELETE' ? null : 'x' })).status,
        405,
        `${method} ${path}`,
      )
    }
    const head = await fetch(base + path, { method: 'HEAD' })
    t.equal(head.status, 200)
    t.equal(await head.text(), '')
    const place = { port: gateway.adminPort }
    const other = `GET ${path} HTTP/1.1\r\nhost: rebound.example.com\r\nconnection: close\r\n\r\n`
    const { text } = await rawExchange(place, Buffer.from(other), { secure: false })
    t.notMatch(text, /^HTTP\/1\.1 200/, 'DNS rebinding')
    t.notMatch(text, 'near.example.com')
  }
  const client = requestTransports[0]!.open({ port: gateway.publicPort, from: '127.0.0.5' })
  t.notMatch((await client.ask({ path: '/status' })).body.toString(), 'uptimeSeconds')
  await client.close()
})

t.test('thousands of certificates and bans: the worst hundred, and how many there are', async (t) => {
  const sites = join(folder, 'sites')
  mkdirSync(sites)
  for (let i = 0; i < 130; i++) {
    writePair(sites, `s${i}`, await makeCertificate({ names: [`s${i}.example.com`], issuer: authority, to: 30 + i }))
  }
  const many = await startGateway(
    testConfig(upstream.url, {
      listeners: {
        public: publicListener({ hosts: [], tls: { certificates: [{ folder: sites }] } }),
        admin: { address: '127.0.0.1:0' },
      },
    }),
  )
  t.teardown(() => many.close())
  const at = `http://127.0.0.1:${many.adminPort}`
  for (let i = 0; i < 120; i++) {
    await fetch(`${at}/bans`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ subject: `192.0.2.${i}` }),
    })
  }
  const view = (await (await fetch(`${at}/status`)).json()) as StatusView
  t.equal(view.certificates.total, 130)
  t.equal(view.certificates.shown.length, 100)
  t.same(view.certificates.shown[0]!.names, ['s0.example.com'])
  t.equal(view.bans.total, 120)
  t.equal(view.bans.shown.length, 100)
  t.match(view.limits, { store: 'memory', total: 0 })
  const html = await (await fetch(at)).text()
  t.match(html, '100 of 130 certificates: those that end first.')
  t.match(html, '100 of 120 bans: those that end first.')
})
