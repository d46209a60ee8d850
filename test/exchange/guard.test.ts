/** Whether a request fits its route: the cheap checks, without a socket. */
import t from 'tap'
import { DONE, GO, type ListenerPlan, type Route } from '../../src/exchange/contracts.ts'
import { guard, mediaType, route } from '../../src/exchange/guard.ts'
import { type FakeExchange, type FakeOptions, fakeExchange, NO_EDITS } from '../kit/fake-client.ts'

const makeRoute = (more: Partial<Route> = {}): Route => ({
  name: 'test',
  index: 0,
  path: '/*',
  methods: new Set(['GET', 'HEAD', 'POST']),
  allow: 'GET, HEAD, POST',
  stages: [],
  edits: NO_EDITS,
  maxBodyBytes: 10,
  accepts: null,
  allowEncodedSlashes: false,
  webSocket: true,
  origins: null,
  crossOrigin: null,
  timeouts: { firstByteMs: 1000, betweenBytesMs: 1000, totalMs: 0 },
  isApi: false,
  pages: null,
  serviceName: 'test',
  ...more,
})

function run(options: FakeOptions, more: Partial<Route> = {}, change?: (fake: FakeExchange) => void): string {
  const fake = fakeExchange(options)
  fake.x.route = makeRoute(more)
  change?.(fake)
  const step = guard(fake.x)
  if (step === GO) return 'goes on'
  t.equal(step, DONE)
  return `${fake.client.status} ${fake.x.failure?.code}`
}

const asSocket = ({ x }: FakeExchange): void => {
  x.isWebSocket = true
}

t.test('what fits goes on', async (t) => {
  t.equal(run({}), 'goes on')
  t.equal(run({ method: 'POST', bodyLength: 10 }), 'goes on')
  t.equal(run({ method: 'POST', bodyLength: -1 }), 'goes on', 'a length that is not known is bounded while it is read')
})

t.test('bodies', async (t) => {
  t.equal(run({ method: 'POST', bodyLength: 11 }), '413 body-too-large')
  const json = { accepts: new Set(['application/json']) }
  for (const [type, expected] of [
    ['application/json', 'goes on'],
    ['Application/JSON ; charset=x', 'goes on'],
    ['text/plain', '415 wrong-media-type'],
    ['application/json, text/plain', '415 wrong-media-type'],
    ['text/plain; application/json', '415 wrong-media-type'],
    ['application/jsonx', '415 wrong-media-type'],
    ['', '415 wrong-media-type'],
  ] as const) {
    t.equal(run({ method: 'POST', bodyLength: 5, headers: ['content-type', type] }, json), expected, type)
  }
  t.equal(run({ method: 'POST', bodyLength: -1 }, json), '415 wrong-media-type')
  t.equal(run({}, json), 'goes on', 'no body, no type')
})

t.test('encoded slashes are a matter of the route', async (t) => {
  for (const path of ['/a%2Fb', '/a%5Cb']) {
    t.equal(run({ path }), '400 bad-target')
    t.equal(run({ path }, { allowEncodedSlashes: true }), 'goes on')
  }
  t.equal(run({ path: '/a%252Fb' }), 'goes on')
})

t.test('origins', async (t) => {
  const listed = { origins: new Set(['https://www.example.com']) }
  for (const [origin, expected] of [
    ['https://www.example.com', 'goes on'],
    ['https://localhost', 'goes on'],
    ['http://localhost', '403 origin-denied'],
    ['https://localhost:444', '403 origin-denied'],
    ['https://localhost.evil.example', '403 origin-denied'],
    ['https://www.example.com.evil.example', '403 origin-denied'],
    ['https://WWW.example.com', '403 origin-denied'],
    ['https://www.example.com/', '403 origin-denied'],
    ['null', '403 origin-denied'],
    ['', '403 origin-denied'],
  ] as const) {
    const headers = ['origin', origin]
    t.equal(run({ method: 'POST', headers }, listed), expected, origin)
    t.equal(run({ headers }, listed, asSocket), expected, `WebSocket from ${origin}`)
    t.equal(run({ headers }, listed), 'goes on', 'a plain GET changes nothing')
  }
  const usual = ({ x }: FakeExchange): void => {
    x.authority = 'localhost:443'
  }
  t.equal(run({ method: 'POST', headers: ['origin', 'https://localhost'] }, {}, usual), 'goes on', 'the usual port')
  t.equal(run({ method: 'POST' }, listed), 'goes on', 'programs send none')
})

t.test('a WebSocket needs a route that offers it, and has no deadline', async (t) => {
  t.equal(run({}, { webSocket: false }, asSocket), '403 upgrade-denied')
  let deadline = -1
  run({}, {}, (fake) => {
    asSocket(fake)
    fake.x.deadline = 5
    deadline = 5
    t.equal(guard(fake.x), GO)
    deadline = fake.x.deadline
  })
  t.equal(deadline, 0)
})

t.test('the route is looked up by what vet settled', async (t) => {
  const own = makeRoute()
  const go = (match: ListenerPlan['match']): [number, string] => {
    const fake = fakeExchange({ plan: { match } })
    const step = route(fake.x)
    return [step, `${fake.client.status} ${fake.client.header('allow') ?? ''}`]
  }
  t.equal(go(() => ({ kind: 'found', route: own }))[0], GO)
  t.same(
    go(() => null),
    [DONE, '404 '],
  )
  t.same(
    go(() => ({ kind: 'wrong-method', route: own })),
    [DONE, '405 GET, HEAD, POST'],
  )
})

t.test('the media type has no parameters and no case', async (t) => {
  for (const [value, expected] of [
    ['Text/HTML; charset=utf-8', 'text/html'],
    [' a/b ', 'a/b'],
    [';', ''],
  ] as const) {
    t.equal(mediaType(fakeExchange({ headers: ['content-type', value] }).x), expected)
  }
  t.equal(mediaType(fakeExchange().x), '')
})
