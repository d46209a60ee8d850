/** Where secrets and foreign text may meet, by what request and answer bring. */
import t from 'tap'
import { type CompressionMode, mayCompress } from '../../src/coding/secrecy.ts'
import type { HeaderList } from '../../src/http/headers.ts'
import { type FakeOptions, fakeExchange } from '../kit/fake-client.ts'

const may = (mode: CompressionMode, request: FakeOptions, answer: HeaderList = []): boolean =>
  mayCompress(fakeExchange(request).x, answer, mode)

const SECRET: readonly FakeOptions[] = [
  ...[
    'cookie',
    'authorization',
    'x-api-key',
    'api-key',
    'x-auth-token',
    'x-csrf-token',
    'x-session-id',
    'x-xsrf',
    'x-amz-signature',
  ].map((name) => ({ headers: [name, 'x'] })),
  ...[
    '?token=x',
    '?a=b&access_token=x',
    '?sid=x',
    '?EIO=4&sid=x',
    '?SID=x',
    '?sig=x',
    '?api_key=x',
    '?sessionId=x',
    '?password=x',
    '?code=x',
  ].map((query) => ({ query })),
  { user: 'anna' },
]

t.test('public', (t) => {
  t.ok(
    may('public', { headers: ['accept', '*/*', 'user-agent', 'x', 'origin', 'https://a'], query: '?page=2&design=x' }),
  )
  t.ok(may('public', { method: 'HEAD' }))
  for (const method of ['POST', 'PUT', 'DELETE']) t.notOk(may('public', { method }), method)
  t.notOk(may('public', { method: 'POST' }, ['cache-control', 'public']))
  for (const request of SECRET) {
    t.notOk(may('public', request), JSON.stringify(request))
    if (request.user === undefined)
      t.ok(may('public', request, ['cache-control', 'public, max-age=9']), 'by the word of the service')
    t.notOk(may('public', request, ['cache-control', 'public', 'set-cookie', 'a=b']))
  }
  t.notOk(may('public', {}, ['set-cookie', 'a=b']), 'a session begins')
  const { x } = fakeExchange()
  x.principal = { name: 'anna', roles: [] } as never
  t.notOk(
    mayCompress(x, ['cache-control', 'public'], 'public'),
    'who signed in here is no stranger, whatever a service says',
  )
  const shown = fakeExchange().x
  Object.assign(shown.peer, { certificate: { fields: [] } })
  t.notOk(mayCompress(shown, [], 'public'), 'a client certificate')
  t.end()
})

t.test('same-origin', (t) => {
  const asked = (site: string): FakeOptions => ({ headers: ['cookie', 'a=b', 'sec-fetch-site', site] })
  t.ok(may('same-origin', asked('same-origin')))
  t.ok(may('same-origin', asked('none')), 'a link that a person typed')
  for (const site of ['cross-site', 'same-site', '', 'Same-Origin, cross-site'])
    t.notOk(may('same-origin', asked(site)), site)
  t.notOk(may('same-origin', { headers: ['cookie', 'a=b'] }), 'who does not say is not ours')
  t.ok(may('same-origin', { method: 'POST', headers: ['sec-fetch-site', 'same-origin'] }))
  t.ok(may('same-origin', {}), 'what is public is public')
  t.end()
})

t.test('all', (t) => {
  for (const request of SECRET) t.ok(may('all', request, ['set-cookie', 'a=b']))
  t.end()
})
