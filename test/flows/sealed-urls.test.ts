/** Identifiers in URLs: customers and logs see tokens, the service alone sees what they stand for. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { initKeyRing, rotateKeyRing } from '../../src/keys/ring-changes.ts'
import { loadKeyRing } from '../../src/keys/ring-file.ts'
import { UrlTokens } from '../../src/keys/url-token.ts'
import { openHttp1, requestTransports } from '../kit/clients.ts'
import { type Json, publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'

const PHONE = '+491701234567'
const folder = t.testdir({})
const ring = join(folder, 'keys.json')
initKeyRing(ring)
const seal = (kind: string, value: string, lifeMs = 60_000): string =>
  new UrlTokens(loadKeyRing(ring)).seal(kind, value, lifeMs)

const upstream = await startUpstream()
const json = (body: unknown) => (_request: unknown, response: import('node:http').ServerResponse) => {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(body))
}
upstream.on(
  '/links',
  json({
    links: [
      { href: `/c/${encodeURIComponent(PHONE)}/chat?x=1` },
      { href: `https://chat.example.com/c/${PHONE}/chat#top` },
      { href: '/other/1' },
    ],
    id: 491701234567,
  }),
)
upstream.on('/moved', (_request, response) => {
  response.writeHead(302, { location: `/c/${PHONE}/chat`, 'content-type': 'text/html' })
  response.end(`<a href="/c/${PHONE}/chat">there</a>`)
})
upstream.on('/plain', (_request, response) => response.end(PHONE))

const route = (path: string, more: Json): Json => ({
  path,
  service: 'chat',
  profiles: ['internet'],
  purpose: 'test',
  ...more,
})
const config = testConfig(upstream.url, {
  keys: { ring },
  sealed: { phone: { expires: '1 hour' }, mail: {} },
  listeners: {
    public: publicListener(),
    inside: publicListener({ profile: 'internal', tokens: { path: '/-/tokens' } }),
    admin: { address: '127.0.0.1:0' },
  },
  routes: [
    route('/c/*', { sealed: { kind: 'phone', in: { path: '/c/{token}/*' } } }),
    route('/h/*', { sealed: { kind: 'phone', in: { path: '/h/{token}' }, to: { header: 'x-customer' } } }),
    route('/q', { sealed: { kind: 'phone', in: { query: 'who' } } }),
    route('/qq', { sealed: { kind: 'phone', in: { query: 'who' }, to: { query: 'phone' } } }),
    ...['/links', '/moved', '/plain'].map((path) =>
      route(path, {
        sealLinks: [
          { kind: 'phone', fields: ['$.links[*].href'], link: '/c/{token}/*' },
          { kind: 'mail', fields: ['$.id'], link: 'value' },
        ],
      }),
    ),
  ],
})
const gateway = await startGatewayHere(config)
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})
const last = () => upstream.received.at(-1)!
const field = (name: string): string[] => {
  const { rawHeaders } = last()
  return rawHeaders.flatMap((each, i) => (i % 2 === 0 && each.toLowerCase() === name ? [rawHeaders[i + 1]!] : []))
}

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open({ port: gateway.publicPort })
    t.teardown(() => client.close())
    const ask = async (path: string, ...headers: string[]) => {
      const before = upstream.received.length
      const reply = await client.ask({ path, headers })
      return { reply, reached: upstream.received.length > before }
    }

    t.test('the service gets the value where the route says', async (t) => {
      const token = seal('phone', PHONE)
      t.equal((await ask(`/c/${token}/chat?page=2`)).reply.status, 200)
      t.equal(last().url, `/c/${encodeURIComponent(PHONE)}/chat?page=2`)
      await ask(`/h/${token}`, 'x-customer', 'forged')
      t.equal(last().url, '/h/-')
      t.same(field('x-customer'), [PHONE])
      if (transport.name === 'h1') {
        const { reply, reached } = await ask(`/h/${token}`, 'connection', 'X-Customer')
        t.equal(reply.status, 404, 'a client cannot have the field removed')
        t.notOk(reached)
      }
      await ask(`/q?a=1&who=${token}&b=2`)
      t.equal(last().url, `/q?a=1&who=${encodeURIComponent(PHONE)}&b=2`)
      await ask(`/qq?who=${token}`)
      t.equal(last().url, `/qq?phone=${encodeURIComponent(PHONE)}`)
    })

    t.test('plain, false, foreign and half tokens get one answer and reach nobody', async (t) => {
      const token = seal('phone', PHONE)
      const flipped = `${token.slice(0, 60)}${token[60] === 'A' ? 'B' : 'A'}${token.slice(61)}`
      const unknownKey = Buffer.from(token, 'base64url')
      unknownKey.fill(0xee, 1, 5)
      const bodies = new Set<string>()
      for (const bad of [
        PHONE,
        encodeURIComponent(PHONE),
        '491701234567',
        flipped,
        unknownKey.toString('base64url'),
        seal('mail', PHONE),
        token.slice(0, -4),
        `${token}AAAA`,
        '..%2f..%2fetc',
        'x',
      ]) {
        for (const path of [`/c/${bad}/chat`, `/h/${bad}`, `/q?who=${bad}`, `/qq?who=${bad}`]) {
          const { reply, reached } = await ask(path)
          // An encoded slash is refused before.
          if (reply.status === 400 && path.includes('%2f')) continue
          t.equal(reply.status, 404, path)
          t.notOk(reached, path)
          const { requestId, ...said } = reply.json() as Json
          bodies.add(JSON.stringify(said))
        }
      }
      t.equal(bodies.size, 1, 'one answer for all')
      for (const path of [
        '/c/',
        `/c/${token}`,
        `/h/${token}/more`,
        '/q',
        `/q?who=${token}&who=${token}`,
        `/q?who=${token}&wh%6f=1`,
        `/qq?who=${token}&phone=1`,
        `/qq?who=${token}&%70hone=1`,
        '/q?who',
      ]) {
        const { reply, reached } = await ask(path)
        t.equal(reply.status, 404, path)
        t.notOk(reached, path)
      }
    })

    t.test('dots are no segment, and what no field can hold is in none', async (t) => {
      for (const path of [
        `/c/${seal('phone', '..')}/chat`,
        `/c/${seal('phone', '.')}/chat`,
        `/h/${seal('phone', 'zoë')}`,
      ]) {
        const { reply, reached } = await ask(path)
        t.equal(reply.status, 404, path)
        t.notOk(reached)
      }
      await ask(`/c/${seal('phone', '../../admin?x#y')}/chat`)
      t.equal(last().url, '/c/..%2F..%2Fadmin%3Fx%23y/chat')
    })

    t.test('an expired token is told to be so', async (t) => {
      const { reply, reached } = await ask(`/h/${seal('phone', PHONE, -1000)}`)
      t.equal(reply.status, 410)
      t.match(reply.json(), { code: 'link-expired' })
      t.notOk(reached)
    })

    t.test('links in answers are sealed, what cannot be read is not passed', async (t) => {
      const { reply } = await ask('/links')
      t.notMatch(reply.text, '1701234567')
      const { links, id } = reply.json() as { links: { href: string }[]; id: string }
      const opened = (href: string) => new UrlTokens(loadKeyRing(ring)).open('phone', /[\w-]{104}/.exec(href)![0])
      t.match(links[0]!.href, /^\/c\/[\w-]{104}\/chat\?x=1$/)
      t.match(links[1]!.href, /^https:\/\/chat\.example\.com\/c\/[\w-]{104}\/chat#top$/)
      t.equal(links[2]!.href, '/other/1')
      t.match(opened(links[0]!.href), { kind: 'valid', value: PHONE })
      t.match(new UrlTokens(loadKeyRing(ring)).open('mail', id), { kind: 'valid', value: '491701234567' })
      t.equal((await ask(links[0]!.href)).reply.status, 200, 'and lead back')
      const moved = (await ask('/moved')).reply
      t.equal(moved.status, 302)
      t.match(moved.header('location'), /^\/c\/[\w-]{104}\/chat$/)
      t.equal(moved.text, '')
      t.equal((await ask('/plain')).reply.status, 502)
    })
  })
}

t.test('chat services have tokens made inside, and nobody does outside', async (t) => {
  const inside = openHttp1({ port: gateway.port('listeners.inside.address') })
  const outside = openHttp1({ port: gateway.publicPort })
  t.teardown(async () => {
    await inside.close()
    await outside.close()
  })
  const post = (client: typeof inside, body: unknown, type = 'application/json') =>
    client.ask({ method: 'POST', path: '/-/tokens', headers: ['content-type', type], body: JSON.stringify(body) })
  const reply = await post(inside, { kind: 'phone', values: [PHONE, '+1'] })
  t.equal(reply.status, 200)
  t.match(reply.header('cache-control'), /no-store/)
  const { tokens } = reply.json() as { tokens: { token: string; expires: string }[] }
  t.equal(tokens.length, 2)
  t.equal((await outside.ask({ path: `/h/${tokens[0]!.token}` })).status, 200)
  t.same(field('x-customer'), [PHONE])
  t.ok(Date.parse(tokens[0]!.expires) - Date.now() > 3_500_000)
  t.equal((await post(outside, { kind: 'phone', values: [PHONE] })).status, 404)
  t.equal((await inside.ask({ path: '/-/tokens' })).status, 405)
  t.equal((await post(inside, { kind: 'phone', values: [PHONE] }, 'text/plain')).status, 415)
  for (const bad of [
    {},
    [],
    null,
    { kind: 'phone' },
    { kind: 'x', values: ['1'] },
    { kind: 'phone', values: [] },
    { kind: 'phone', values: [1] },
    { kind: 'phone', values: ['\n'] },
    { kind: 'phone', values: Array(101).fill('1') },
    { kind: 'phone', values: ['1'], more: 1 },
    { kind: 'constructor', values: ['1'] },
  ]) {
    t.equal((await post(inside, bad)).status, 422, JSON.stringify(bad))
  }
})

t.test('a rotation while the gateway runs breaks no link', async (t) => {
  const client = openHttp1({ port: gateway.publicPort })
  t.teardown(() => client.close())
  const before = seal('phone', PHONE)
  rotateKeyRing(ring)
  t.equal(await gateway.gateway.reload('test'), true)
  const after = seal('phone', PHONE)
  t.not(before.slice(0, 7), after.slice(0, 7), 'another key')
  for (const token of [before, after]) t.equal((await client.ask({ path: `/h/${token}` })).status, 200)
})

t.test('no log has the number; the access log has the token', async (t) => {
  await gateway.gateway.log.flush()
  for (const name of ['access.log', 'audit.log']) {
    const text = readFileSync(join(gateway.folder, name), 'utf8')
    t.notMatch(text, /1701234567/, name)
  }
  const paths = gateway.accessLines().map((line) => String(line.path))
  t.ok(paths.some((path) => /^\/h\/[\w-]{104}$/.test(path)))
  t.ok(paths.includes('/h/[not-a-token]'))
  const made = gateway.auditLines().filter((line) => line.event === 'sensitive_create')
  t.match(made[0], { outcome: 'success', object: 'url tokens of kind phone', reason: '2', address: '127.0.0.1' })
  t.ok(made.some((line) => line.outcome === 'failure'))
})
