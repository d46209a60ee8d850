/** A browser judges: which pages may read answers of another origin (CORS), what it decodes, and for whom nothing is compressed. */
import t from 'tap'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { freePort, startUpstream } from '../kit/upstream.ts'
import { launchBrowser } from './browser.ts'

const TEXT = 'hello from the service, again and again. '.repeat(3000)
const upstream = await startUpstream()
const cookies: (string | undefined)[] = []
upstream.on('/', (request, response) => {
  cookies.push(request.headers.cookie)
  const type = request.url!.startsWith('/page') ? 'text/html' : 'text/plain'
  response.writeHead(200, { 'content-type': type, 'x-total': '7', 'x-hidden': '8', 'access-control-allow-origin': '*' })
  response.end(type === 'text/html' ? '<!doctype html><title>page</title>' : TEXT)
})
const port = await freePort()
/** The same gateway by two names is two sites. */
const own = `https://localhost:${port}`
const friend = `https://127.0.0.1:${port}`
/** Another origin to which the browser sends the same cookies: those of a third site it keeps back by itself. */
const otherPort = await freePort()
const neighbour = `https://localhost:${otherPort}`
const route = (path: string, more: object = {}) => ({
  ...{ path, service: 'chat', profiles: ['internet'], purpose: 'test', methods: ['GET', 'POST'] },
  ...more,
})
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener({ address: `127.0.0.1:${port}` }),
      other: publicListener({ address: `127.0.0.1:${otherPort}` }),
      admin: { address: '127.0.0.1:0' },
    },
    routes: [
      route('/page'),
      route('/friends/*', { cors: { origins: [friend], expose: ['x-total'] }, compression: 'public' }),
      route('/trusted/*', { cors: { origins: [friend, neighbour], credentials: true }, compression: 'same-origin' }),
      route('/others/*', { cors: { origins: ['https://other.example'] } }),
    ],
  }),
)
const browser = await launchBrowser()
t.teardown(async () => {
  await browser.close()
  await gateway.close()
  await upstream.close()
})

/** Opens the page of an origin; `ask` gives what its script may read of an answer, `null` where nothing. */
async function openPage(origin: string) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, bypassCSP: true })
  await context.addCookies([
    { name: 'session', value: 'secret', domain: 'localhost', path: '/', secure: true, sameSite: 'None' },
  ])
  const page = await context.newPage()
  const codings: Record<string, string | undefined> = {}
  page.on('response', (response) => {
    codings[new URL(response.url()).pathname] = response.headers()['content-encoding']
  })
  await page.goto(`${origin}/page`)
  const ask = (path: string, options: object = {}) =>
    page.evaluate(
      `fetch(${JSON.stringify(own + path)}, ${JSON.stringify(options)}).then(
        async (answer) => ({ text: await answer.text(), total: answer.headers.get('x-total'), hidden: answer.headers.get('x-hidden') }),
        () => null,
      )`,
    )
  return { page, ask, codings, close: () => context.close() }
}

t.test('a page on the list reads, and no other', async (t) => {
  const { page, ask, codings, close } = await openPage(friend)
  t.teardown(close)
  t.same(await ask('/friends/a'), { text: TEXT, total: '7', hidden: null })
  t.ok(codings['/friends/a'], 'it came compressed, and was decoded')
  t.equal(await ask('/others/a'), null, 'whatever the service says')
  const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
  t.match(await ask('/friends/b', json), { total: '7' }, 'a preflight that was answered')
  t.equal(await ask('/friends/c', { headers: { 'x-other': '1' } }), null, 'a field that nobody named')
  t.equal(await ask('/friends/d', { credentials: 'include' }), null, 'cookies are not welcome here')
  t.match(await ask('/trusted/d', { credentials: 'include' }), { text: TEXT })
  const sandboxed = await page.evaluate(`new Promise((resolve) => {
    addEventListener('message', ({ data }) => resolve(data))
    const frame = document.createElement('iframe')
    frame.sandbox = 'allow-scripts'
    frame.srcdoc = '<script>fetch("${own}/friends/e").then(() => "read", () => "not read").then((word) => parent.postMessage(word, "*"))</script>'
    document.body.append(frame)
  })`)
  t.equal(sandboxed, 'not read', 'a sandboxed page has the origin null')
})

t.test('what is compressed for the own page is decoded', async (t) => {
  const { ask, codings, close } = await openPage(own)
  t.teardown(close)
  cookies.length = 0
  t.match(await ask('/trusted/own'), { text: TEXT })
  t.equal(cookies[0], 'session=secret')
  t.equal(codings['/trusted/own'], 'zstd', 'the own page, cookie and all')
})

t.test('a foreign page cannot measure what comes with cookies', async (t) => {
  const { ask, codings, close } = await openPage(neighbour)
  t.teardown(close)
  cookies.length = 0
  t.match(await ask('/trusted/foreign', { credentials: 'include' }), { text: TEXT })
  t.equal(cookies[0], 'session=secret', 'the browser sends it along')
  t.equal(codings['/trusted/foreign'], undefined)
})
