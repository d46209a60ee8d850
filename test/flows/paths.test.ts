/**
 * The path that is routed is the path that is sent: no spelling reaches a route that its canonical form does not. A table of
 * known tricks, and a property over generated spellings, through the whole gateway.
 */
import fc from 'fast-check'
import t from 'tap'
import { openHttp1, requestTransports } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'

const secret = await startUpstream()
const open = await startUpstream()
const gateway = await startGatewayHere(
  testConfig(open.url, {
    listeners: { public: publicListener(), admin: { address: '127.0.0.1:0' } },
    services: { open: { endpoints: [open.url] }, secret: { endpoints: [secret.url] } },
    routes: [
      { path: '/*', service: 'open', profiles: ['internet'], purpose: 'everybody' },
      { path: '/admin/*', service: 'secret', profiles: ['internet'], purpose: 'what must not be reached otherwise' },
      { path: '/admin', service: 'secret', profiles: ['internet'], purpose: 'the same without its slash' },
      { path: '/files/*', service: 'open', profiles: ['internet'], purpose: 'keys', allowEncodedSlashes: true },
      { path: '/inside/*', service: 'secret', purpose: 'not on this listener' },
    ],
  }),
)
const place = { port: gateway.publicPort }

t.teardown(async () => {
  await gateway.close()
  await open.close()
  await secret.close()
})

const isSecret = (path: string): boolean => path === '/admin' || path.startsWith('/admin/')

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open(place)
    t.teardown(() => client.close())

    /** Where a spelling went and as what: `open /x`, `secret /x`, or the status. */
    const where = async (path: string): Promise<string> => {
      const before = [open.received.length, secret.received.length]
      const reply = await client.ask({ path })
      const inOpen = open.received.slice(before[0])
      const inSecret = secret.received.slice(before[1])
      if (inOpen.length + inSecret.length > 1) return 'twice'
      if (inOpen.length === 1) return `open ${inOpen[0]!.url}`
      if (inSecret.length === 1) return `secret ${inSecret[0]!.url}`
      return String(reply.status)
    }

    t.test('spellings of a path go where the path goes', async (t) => {
      for (const path of [
        '/admin/x',
        '//admin/x',
        '/./admin/x',
        '/a/../admin/x',
        '/%61dmin/x',
        '/adm%69n/x',
        '/%61%64%6d%69%6e/x',
        '/admin//x',
        '/admin/./x',
        '/admin/a/../x',
        '///admin///x',
        '/%2e/admin/x',
        '/a/%2e%2e/admin/x',
        '/admin/%78',
        '/a/b/../../admin/x',
      ]) {
        t.equal(await where(path), 'secret /admin/x', path)
      }
    })

    t.test('what is not the path does not go there', async (t) => {
      for (const [path, expected] of [
        ['/ADMIN/x', 'open /ADMIN/x'],
        ['/admin;/x', 'open /admin;/x'],
        ['/admin%20/x', 'open /admin%20/x'],
        ['/admin.', 'open /admin.'],
        ['/administrator', 'open /administrator'],
        ['/admin/../x', 'open /x'],
        ['/admin/..', 'open /'],
        ['/%2561dmin/x', 'open /%2561dmin/x'],
        ['/x?/../admin/x', 'open /x?/../admin/x'],
        ['/x%3f/admin', 'open /x%3F/admin'],
        ['/x%23/admin', 'open /x%23/admin'],
        ['/inside/x', 'open /inside/x'],
        ['/%ef%bc%8fadmin/x', 'open /%EF%BC%8Fadmin/x'],
      ] as const) {
        t.equal(await where(path), expected, path)
      }
    })

    t.test('what could be read in two ways is refused', async (t) => {
      for (const path of [
        ...[
          '/x/..%2fadmin/x',
          '/x%2f..%2fadmin',
          '/%2fadmin/x',
          '/admin%2fx',
          '/x/..%5cadmin',
          '/admin%5cx',
          '/admin\\x',
          '/x/..;/admin/x',
          '/x/..;a=b/admin',
          '/;/..;/admin',
          '/x/.;/../admin',
        ],
        ...[
          '/admin%00',
          '/admin%00/x',
          '/%00/../admin',
          '/x/%c0%ae%c0%ae/admin',
          '/%c0%afadmin',
          '/%e0%80%afadmin',
          '/x/%ff/../admin',
          '/%u002e/admin',
          '/%',
          '/%a',
          '/%zz',
          '/../admin/x',
          '/%2e%2e/admin/x',
          '/x/../../admin/x',
          '/.%2e/admin',
        ],
        ...[
          '/%252f/../..',
          '/admin%0a',
          '/admin%0d%0a',
          '/admin%09',
          '/admin%7f',
          '/admin%c2%80',
          '/files/..%2fadmin',
          '/files/x%2f..%2f..%2fadmin',
          '/files/%2e%2e%2fadmin',
          '/files/..%5cadmin',
          '/files/x%2f.%2fy',
          '/files/..;/admin',
        ],
      ]) {
        t.equal(await where(path), '400', path)
      }
    })

    t.test('encoded slashes stay encoded where a route allows them', async (t) => {
      t.equal(await where('/files/a%2fb'), 'open /files/a%2Fb')
      t.equal(await where('/files/a%5cb'), 'open /files/a%5Cb')
      t.equal(await where('/files%2fa'), '400', 'the route is not found by decoding them')
      t.equal(await where('/x/../files/a%2Fb'), 'open /files/a%2Fb')
    })
  })
}

t.test('no generated spelling reaches the secret service but by its canonical path', async (t) => {
  const client = openHttp1(place)
  t.teardown(() => client.close())
  const piece = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.constantFrom('admin', 'files', 'inside', 'x', '%61dmin', 'adm%69n', 'ADMIN', 'admin;', 'admin%20'),
    },
    { weight: 4, arbitrary: fc.constantFrom('..', '.', '%2e%2e', '.%2e', '%2E', '..;', '...', '..%20', '') },
    {
      weight: 2,
      arbitrary: fc.constantFrom('%2f', '%5c', '%00', '%c0%af', '%252f', '%c3%a9', '%', '%zz', '\\', ';', '#', '?'),
    },
    { weight: 1, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 4 }).filter((each) => /^[!-~]*$/.test(each)) },
  )
  const path = fc
    .array(fc.tuple(fc.constantFrom('/', '/', '/', '//', ''), piece), { minLength: 1, maxLength: 6 })
    .map((parts) => `/${parts.map(([a, b]) => a + b).join('')}`)
  await fc.assert(
    fc.asyncProperty(path, async (spelling) => {
      const before = [open.received.length, secret.received.length] as const
      const reply = await client.ask({ path: spelling })
      const inSecret = secret.received.slice(before[1])
      const inOpen = open.received.slice(before[0])
      if (reply.status !== 200) return inSecret.length === 0 && inOpen.length === 0 && reply.status === 400
      const sent = [...inSecret, ...inOpen]
      if (sent.length !== 1) return false
      const url = sent[0]!.url
      const canonical = url.split('?')[0]!
      // What went to the secret service says so; what went elsewhere would not be the secret path for anybody who decodes it.
      if (isSecret(canonical) !== (inSecret.length === 1)) return false
      if (inOpen.length === 1 && isSecret(new URL(canonical, 'http://x').pathname)) return false
      if (
        inOpen.length === 1 &&
        !canonical.startsWith('/files/') &&
        isSecret(new URL(decodeURIComponent(canonical), 'http://x').pathname)
      )
        return false
      // Sending what was sent again changes nothing: it is its own canonical form.
      const again = await client.ask({ path: url })
      return again.status === 200 && [open, secret][inSecret.length]!.received.at(-1)!.url === url
    }),
    { seed: 20_26, numRuns: 400 },
  )
})
