/**
 * The attack that compression invites (CRIME 2012, BREACH 2013): a page of the attacker has the browser of a victim send requests
 * with guesses in them, and measures how long the encrypted answers are. Where one answer holds a secret and repeats a guess, a
 * right guess makes it shorter. Here the attacker reads lengths alone.
 */
import t from 'tap'
import { requestTransports } from '../kit/clients.ts'
import { type Json, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'

const SECRET = 'k7Qz9mWx2LpV'
/** All of the same letters, so that nothing but the repetition tells them apart: the secret, and it turned. */
const GUESSES = [...SECRET]
  .map((_, i) => [...SECRET].reverse().join('').slice(i) + [...SECRET].reverse().join('').slice(0, i))
  .concat(SECRET)

const upstream = await startUpstream()
/** A search page: what was looked for is repeated, beside the token of the customer's own forms. */
upstream.on('/', (request, response) => {
  const looked = new URL(request.url!, 'http://x').searchParams.get('q') ?? ''
  const isCustomer = request.headers.cookie !== undefined || request.headers.authorization !== undefined
  const token = isCustomer ? SECRET : ''
  const filling = Array.from(
    { length: 200 },
    (_, i) => `<p class="message">line ${(i * 2654435761) % 1000003}</p>`,
  ).join('')
  const headers: Record<string, string> = { 'content-type': 'text/html' }
  if (request.url!.startsWith('/login')) headers['set-cookie'] = 'session=new'
  response.writeHead(200, headers)
  response.end(`<p>you looked for ${looked}</p>${filling}<input name="csrf" value="csrf=${token}">`)
})
const route = (path: string, compression: string): Json => ({
  ...{ path, rewrite: '/*', service: 'chat', profiles: ['internet'], purpose: 'test', methods: ['GET'], compression },
})
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    routes: [route('/public/*', 'public'), route('/own/*', 'same-origin'), route('/all/*', 'all')],
  }),
)
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})

for (const transport of requestTransports) {
  for (const coding of ['gzip', 'br', 'zstd']) {
    t.test(`${transport.name}, ${coding}`, async (t) => {
      const client = transport.open({ port: gateway.publicPort })
      t.teardown(() => client.close())

      /** How long the answer is for each guess. */
      const lengths = async (path: string, headers: readonly string[]): Promise<Map<string, number>> => {
        const found = new Map<string, number>()
        for (const guess of GUESSES) {
          const wish = { path: `${path}?q=csrf=${guess}`, headers: ['accept-encoding', coding, ...headers] }
          found.set(guess, (await client.ask(wish)).body.length)
        }
        return found
      }
      const victim = ['cookie', 'session=victim']
      const foreign = ['sec-fetch-site', 'cross-site', ...victim]

      t.test('where everything is compressed, the lengths tell the secret', async (t) => {
        const found = await lengths('/all/search', foreign)
        const shortest = Math.min(...found.values())
        t.same(
          [...found].filter(([, length]) => length === shortest).map(([guess]) => guess),
          [SECRET],
          'the right guess, and no other: this test measures something',
        )
      })

      for (const [path, headers] of [
        ['/public/search', foreign],
        ['/public/search', ['authorization', 'Bearer x']],
        ['/public/login', []],
        ['/own/search', foreign],
        ['/own/search', ['sec-fetch-site', 'same-site', ...victim]],
        ['/own/search', victim],
      ] as const) {
        t.test(`${path} with ${headers.join(' ')}: the length does not depend on the guess`, async (t) => {
          const found = await lengths(path, headers)
          t.equal(new Set(found.values()).size, 1)
        })
      }

      t.test('who is nobody, and the own pages, get compressed answers', async (t) => {
        for (const [path, headers] of [
          ['/public/search', []],
          ['/own/search', ['sec-fetch-site', 'same-origin', ...victim]],
        ] as const) {
          const reply = await client.ask({ path, headers: ['accept-encoding', coding, ...headers] })
          t.equal(reply.header('content-encoding'), coding)
        }
      })
    })
  }
}
