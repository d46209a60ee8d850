/** Services that die, lie, stay silent or speak out of turn: the client gets the right status or a cut answer, never a false one. */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { makeCertificate } from '../kit/certificates.ts'
import { type Reply, type RequestClient, requestTransports } from '../kit/clients.ts'
import { type Json, publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { freePort, type RecordedConnection, startRawUpstream, startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const SHORT = { connect: '600 ms', firstByte: '600 ms', betweenBytes: '600 ms' }
const OK = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n'
const EVIL = `${OK}content-length: 4\r\n\r\nevil`

/** What the scripted service does with a request for a path: bytes to send, and whether it hangs up then. */
interface Script {
  readonly bytes: readonly string[]
  readonly end?: boolean
}

const SCRIPTS: Record<string, Script> = {
  '/hints-flood': {
    bytes: ['HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'.repeat(100), `${OK}content-length: 2\r\n\r\nok`],
  },
  '/processing-flood': { bytes: ['HTTP/1.1 102 Processing\r\n\r\n'.repeat(100)] },
  '/endless-head': { bytes: [OK, Array.from({ length: 40 }, (_, i) => `x-${i}: ${'a'.repeat(1000)}\r\n`).join('')] },
  '/status-999': { bytes: ['HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\nok'] },
  '/status-600': { bytes: ['HTTP/1.1 600 Odd\r\ncontent-length: 2\r\n\r\nok'] },
  '/status-42': { bytes: ['HTTP/1.1 42 Odd\r\ncontent-length: 2\r\n\r\nok'] },
  '/unasked-switch': { bytes: ['HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nbytes'] },
  '/negative-length': { bytes: [`${OK}content-length: -1\r\n\r\nok`] },
  '/plus-length': { bytes: [`${OK}content-length: +2\r\n\r\nok`] },
  '/unknown-coding': { bytes: [`${OK}transfer-encoding: gzip\r\n\r\nok`], end: true },
  '/bare-cr': { bytes: [`${OK}x-a: 1\rx-forged: 2\r\ncontent-length: 2\r\n\r\nok`] },
  '/bare-lf': { bytes: [`${OK}x-a: 1\nx-forged: 2\r\ncontent-length: 2\r\n\r\nok`] },
  '/huge-chunk-size': { bytes: [`${OK}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nok`] },
  '/half-a-tail': { bytes: [`${OK}transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n`], end: true },
  '/poison/together': { bytes: [`${OK}content-length: 4\r\n\r\ngood${EVIL}`] },
  '/poison/after': { bytes: [`${OK}content-length: 4\r\n\r\ngood`, EVIL] },
  '/poison/no-content': { bytes: [`HTTP/1.1 204 No Content\r\ncontent-length: ${EVIL.length}\r\n\r\n${EVIL}`] },
  '/poison/not-modified': { bytes: [`HTTP/1.1 304 Not Modified\r\n\r\n${EVIL}`] },
  '/poison/head': { bytes: [`${OK}content-length: ${EVIL.length}\r\n\r\n${EVIL}`] },
}

const upstream = await startUpstream()
const scripted = await startRawUpstream((connection) => {
  let seen = ''
  connection.socket.on('data', (chunk: Buffer) => {
    seen += chunk.toString('latin1')
    const head = /^\S+ (\S+) HTTP\/1\.1\r\n[\s\S]*?\r\n\r\n/.exec(seen)
    if (head === null) return
    seen = ''
    const script = SCRIPTS[head[1]!]
    if (script === undefined) connection.socket.write(`${OK}content-length: 6\r\n\r\nhonest`)
    else void play(connection, script)
  })
})

async function play(connection: RecordedConnection, script: Script): Promise<void> {
  for (const bytes of script.bytes) {
    connection.socket.write(bytes, 'latin1')
    await sleep(20)
  }
  if (script.end) connection.socket.end()
}

const route = (path: string, service: string, more: Json = {}): Json => ({
  ...{ path, service, profiles: ['internet'], purpose: 'test', methods: ['GET', 'POST', 'PUT'], maxBody: '100 MB' },
  ...more,
})

const certificate = await makeCertificate({ names: ['localhost', '127.0.0.1'] })
const secure = await startUpstream({ tls: certificate })
// Accepts, and never says a word of TLS.
const mute = await startRawUpstream(() => {})
// Every connection serves one request, and is closed by the second one before an answer.
const flighty = await startRawUpstream((connection) => {
  let served = 0
  connection.socket.on('data', (chunk: Buffer) => {
    if (!chunk.includes('HTTP/1.1\r\n')) return
    if (served++ === 0) connection.socket.write(`${OK}content-length: 5\r\n\r\nfirst`)
    else connection.socket.destroy()
  })
})
const slow = await startUpstream()
const releases: (() => void)[] = []
slow.on('/hold', async (_request, response) => {
  await new Promise<void>((resolve) => releases.push(resolve))
  response.end('held')
})
const dead = await freePort()

const gateway = await startGatewayHere(
  testConfig('', {
    listeners: { public: publicListener(), admin: { address: '127.0.0.1:0' } },
    services: {
      chat: { endpoints: [upstream.url], timeouts: SHORT },
      scripted: { endpoints: [scripted.url], timeouts: SHORT },
      single: { endpoints: [scripted.url], timeouts: SHORT, maxConnections: 1 },
      dead: { endpoints: [`http://127.0.0.1:${dead}`], timeouts: SHORT },
      untrusted: { endpoints: [secure.url], timeouts: SHORT },
      plain: { endpoints: [`https://127.0.0.1:${upstream.port}`], timeouts: SHORT },
      mute: { endpoints: [`https://127.0.0.1:${mute.port}`], timeouts: SHORT },
      half: { endpoints: [`http://127.0.0.1:${dead}`, slow.url], timeouts: SHORT },
      'half-secure': { endpoints: [secure.url, slow.url], timeouts: SHORT },
      flighty: { endpoints: [flighty.url], timeouts: { ...SHORT, keepAlive: '1 minute' }, maxConnections: 1 },
      busy: { endpoints: [slow.url], maxConnections: 1, maxWaiting: 1 },
    },
    routes: [
      route('/*', 'chat', { webSocket: true }),
      route('/total', 'chat', { timeout: '60 s' }),
      route('/hold/total', 'busy', { timeout: '300 ms' }),
      ...Object.keys(SCRIPTS).map((path) => route(path, 'scripted')),
      route('/honest', 'scripted'),
      route('/dead', 'dead'),
      route('/untrusted', 'untrusted'),
      route('/plain', 'plain'),
      route('/mute', 'mute'),
      route('/half/*', 'half'),
      route('/half-secure/*', 'half-secure'),
      route('/flighty/*', 'flighty'),
      route('/hold/*', 'busy'),
      route('/single/*', 'single'),
    ],
  }),
)
upstream.on('/total', () => {})
slow.on('/hold/total', () => {})
const place = { port: gateway.publicPort }
let asked = 0

t.teardown(async () => {
  await gateway.close()
  for (const each of [upstream, scripted, secure, mute, flighty, slow]) await each.close()
})

/** Asks, and counts what the access log must hold in the end. */
function open(transport: (typeof requestTransports)[number]): RequestClient {
  const client = transport.open(place)
  return {
    close: () => client.close(),
    ask: (wish) => {
      asked++
      return client.ask(wish)
    },
  }
}

const problem = (t: Test, reply: Reply, status: number, code: string, what: string): void => {
  t.equal(reply.status, status, `${what}: status ${status}`)
  t.equal(reply.isComplete, true, `${what}: a whole answer`)
  t.equal(reply.header('content-type'), 'application/problem+json', what)
  if (reply.status !== status) return
  t.match(reply.json(), { status, code, requestId: reply.header('x-request-id') }, what)
  t.notMatch(reply.text, /127\.0\.0\.1|UND_ERR|HPE_|ECONN|undici/, `${what}: nothing of the inside`)
}

const linesFor = (id: string | null): Json[] => gateway.accessLines().filter((line) => line.id === id)

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = open(transport)
    t.teardown(() => client.close())
    const isWell = async (t: Test): Promise<void> => {
      const reply = await client.ask({ path: '/well' })
      t.equal(reply.status, 200, 'the next request works')
      t.equal(reply.isComplete, true)
    }

    t.test('a service that dies or talks nonsense before its head is 502', async (t) => {
      for (const [path, code] of [
        ['/die/before-head', 'upstream-closed'],
        ['/die/in-head', 'upstream-closed'],
        ['/lie/garbage', 'upstream-bad-answer'],
        ['/lie/bad-header', 'upstream-bad-answer'],
        ['/lie/two-lengths', 'upstream-bad-answer'],
        ['/lie/both-lengths', 'upstream-bad-answer'],
        ['/negative-length', 'upstream-bad-answer'],
        ['/plus-length', 'upstream-bad-answer'],
        ['/bare-cr', 'upstream-bad-answer'],
        ['/bare-lf', 'upstream-bad-answer'],
        ['/endless-head', 'upstream-bad-answer'],
        ['/status-999', 'upstream-bad-answer'],
        ['/status-600', 'upstream-bad-answer'],
        ['/status-42', 'upstream-bad-answer'],
        ['/hints-flood', 'upstream-bad-answer'],
        ['/processing-flood', 'upstream-bad-answer'],
        ['/unasked-switch', 'upstream-bad-answer'],
      ] as const) {
        problem(t, await client.ask({ path }), 502, code, `GET ${path}`)
        problem(t, await client.ask({ method: 'POST', path, body: 'hello' }), 502, code, `POST ${path}`)
      }
      await isWell(t)
    })

    t.test('hints are passed on up to a bound', async (t) => {
      const reply = await client.ask({ path: '/hints-flood' })
      t.ok(reply.informational.length <= 16, String(reply.informational.length))
    })

    t.test('an answer that breaks after its head is cut, never ended as if it were whole', async (t) => {
      for (const path of [
        '/die/after-head',
        '/die/in-body',
        '/die/in-chunk',
        '/lie/short',
        '/lie/bad-chunk',
        '/never/body',
        '/huge-chunk-size',
        '/half-a-tail',
      ]) {
        for (const method of ['GET', 'POST']) {
          const what = `${method} ${path}`
          const reply = await client.ask({ method, path, ...(method === 'POST' ? { body: 'a' } : {}) })
          t.equal(reply.isComplete, false, `${what} is not complete`)
          t.ok(reply.status === 200 || reply.status === 0, `${what}: ${reply.status}`)
          const id = reply.header('x-request-id')
          if (id === null) continue
          const lines = await until(async () => {
            await gateway.gateway.log.flush()
            const found = linesFor(id)
            return found.length > 0 && found
          }, `the line of ${what}`)
          t.match(lines[0], { status: 200, failure: /^upstream-/ }, `${what} is logged with its failure`)
        }
      }
      await isWell(t)
    })

    t.test('a body without a length ends with its connection, and a body with an unknown coding too', async (t) => {
      t.match(await client.ask({ path: '/until-close' }), { status: 200, text: 'hello', isComplete: true })
      const reply = await client.ask({ path: '/unknown-coding' })
      t.ok(reply.status === 502 || reply.text === 'ok', `${reply.status} ${reply.text}`)
    })

    t.test('a service that does not answer is 504', async (t) => {
      problem(t, await client.ask({ path: '/never' }), 504, 'upstream-timeout', 'no head')
      problem(t, await client.ask({ method: 'POST', path: '/never', body: 'a' }), 504, 'upstream-timeout', 'POST')
      const big = Buffer.alloc(4_000_000)
      const unread = await client.ask({ method: 'POST', path: '/never/read', body: big })
      // A client that still sends may see the end of the connection before the answer.
      if (unread.status !== 0) problem(t, unread, 504, 'upstream-timeout', 'a body that is not read')
      problem(t, await client.ask({ path: '/total' }), 504, 'upstream-timeout', 'first byte before total')
      problem(t, await client.ask({ path: '/hold/total' }), 504, 'exchange-timeout', 'total before first byte')
      problem(t, await client.ask({ path: '/mute' }), 504, 'upstream-connect-timeout', 'TLS that is not answered')
      await isWell(t)
    })

    t.test('a service that cannot be reached, or is not who it should be, is 502 and gets nothing', async (t) => {
      const before = secure.received.length
      for (const path of ['/dead', '/untrusted', '/plain']) {
        const code = path === '/untrusted' ? 'upstream-untrusted' : 'upstream-unreachable'
        problem(t, await client.ask({ path }), 502, code, `GET ${path}`)
        const reply = await client.ask({ method: 'POST', path, body: 'secret' })
        problem(t, reply, 502, code, `POST ${path}`)
      }
      t.equal(secure.received.length, before)
      t.notMatch(upstream.bytes(), /secret/)
      await isWell(t)
    })

    t.test('with one endpoint dead, what was not sent goes to another, once', async (t) => {
      for (const prefix of ['/half', '/half-secure']) {
        for (let i = 0; i < 4; i++) {
          const path = `${prefix}/${transport.name}-${i}`
          t.equal((await client.ask({ path })).status, 200, `GET ${path}`)
          const whole = await client.ask({ method: 'POST', path: `${path}-whole`, body: 'whole' })
          t.match(whole.json(), { body: 'whole' })
          const pieces = await client.ask({ method: 'POST', path: `${path}-pieces`, body: ['pie', 'ces'] })
          t.match(pieces.json(), { body: 'pieces' })
        }
      }
      const posts = slow.received.filter(
        ({ url, method }) => url.includes(`/${transport.name}-`) && method === 'POST' && url.startsWith('/half'),
      )
      t.equal(posts.length, 16)
      t.equal(new Set(posts.map(({ url }) => url)).size, 16, 'none of them twice')
    })

    t.test('a kept connection that ends under a request: GET is sent again, POST never', async (t) => {
      const sent = (word: string): number =>
        Buffer.concat(flighty.connections.flatMap((each) => each.chunks))
          .toString('latin1')
          .split(`/${word} HTTP`).length - 1
      const name = (word: string): string => `${word}-${transport.name}`
      t.equal((await client.ask({ path: `/flighty/${name('warm')}` })).text, 'first')
      const again = await client.ask({ path: `/flighty/${name('get')}` })
      t.match(again, { status: 200, text: 'first' })
      t.equal(sent(name('get')), 2, 'the GET was sent again')
      for (const [word, body] of [
        ['empty', ''],
        ['body', 'money'],
        ['pieces', ['mon', 'ey']],
      ] as const) {
        if (word !== 'empty') await client.ask({ path: `/flighty/${name(`warm-${word}`)}` })
        const reply = await client.ask({ method: 'POST', path: `/flighty/${name(word)}`, body })
        problem(t, reply, 502, 'upstream-closed', `POST ${word}`)
        t.equal(sent(name(word)), 1, `the POST (${word}) was sent once`)
      }
      const dies = await client.ask({ method: 'POST', path: '/die/before-head?once', body: 'a' })
      t.equal(dies.status, 502)
      t.equal(
        upstream.received.filter(({ url }) => url === '/die/before-head?once').length,
        transport.name === 'h1' ? 1 : 2,
      )
    })

    t.test('an answer that nobody asked for reaches nobody', async (t) => {
      for (const path of Object.keys(SCRIPTS).filter((each) => each.startsWith('/poison'))) {
        for (let i = 0; i < 3; i++) {
          const reply = await client.ask({ path, method: path.endsWith('/head') ? 'HEAD' : 'GET' })
          t.ok([200, 204, 304].includes(reply.status), `${path} ${reply.status}`)
          t.notMatch(reply.text, /evil/)
          const hit = scripted.connections.filter(({ chunks }) => chunks.at(-1)!.includes(`${path} HTTP`))
          if (path !== '/poison/after') t.equal((await client.ask({ path: '/honest' })).text, 'honest', `after ${path}`)
          await until(() => hit.every((each) => !each.isOpen), `the end of the poisoned connection (${path})`)
          t.equal((await client.ask({ path: '/honest' })).text, 'honest', `later after ${path}`)
        }
      }
      const replies = await Promise.all(
        Array.from({ length: 10 }, (_, i) => client.ask({ path: i === 3 ? '/single/poison' : '/single/honest' })),
      )
      for (const reply of replies) t.notMatch(reply.text, /evil/)
    })

    t.test('what a service says beyond its length is not passed on', async (t) => {
      t.match(await client.ask({ path: '/lie/long' }), { status: 200, text: 'hello', isComplete: true })
      t.notMatch((await client.ask({ path: '/lie/long' })).text, /forged/)
      await isWell(t)
    })

    t.test('an answer that comes before the body is read reaches the client', async (t) => {
      for (let i = 0; i < 3; i++) {
        const reply = await client.ask({ method: 'POST', path: '/early-answer', body: ['a', 'b'] })
        t.match(reply, { status: 409, text: 'early' })
      }
      let wakeUp: () => void = () => {}
      const head = new Promise<void>((resolve) => {
        wakeUp = resolve
      })
      async function* endless(): AsyncGenerator<Buffer> {
        yield Buffer.from('first')
        await head
        for (let i = 0; i < 10; i++) yield Buffer.alloc(1000)
      }
      const reply = await client.ask({ method: 'POST', path: '/early-answer', body: endless(), onHead: wakeUp })
      t.match(reply, { status: 409, text: 'early' })
      const dies = await client.ask({ method: 'POST', path: '/die/while-reading', body: Buffer.alloc(300_000) })
      t.ok(dies.status === 502 || dies.status === 0, String(dies.status))
      await isWell(t)
    })

    t.test('over its queue a service is busy: 503', async (t) => {
      const held = client.ask({ path: `/hold/${transport.name}` })
      await until(() => releases.length === 1, 'the first request')
      const waits = client.ask({ path: `/hold/${transport.name}` })
      let refused: Reply | null = null
      await until(async () => {
        const reply = await Promise.race([client.ask({ path: `/hold/over` }), sleep(1000, null)])
        refused = reply
        return reply !== null && reply.status === 503
      }, 'a refusal')
      problem(t, refused!, 503, 'upstream-busy', 'busy')
      t.equal(refused!.header('retry-after'), '1')
      while (releases.length > 0 || !(await Promise.race([waits.then(() => true), sleep(20, false)])))
        releases.shift()?.()
      t.match(await held, { status: 200, text: 'held' })
      t.match(await waits, { status: 200, text: 'held' })
    })
  })
}

t.test('every exchange ended once: one line each, no id twice', async (t) => {
  await until(async () => {
    await gateway.gateway.log.flush()
    return gateway.accessLines().length >= asked
  }, 'the last line')
  const lines = gateway.accessLines()
  t.equal(lines.length, asked)
  t.equal(new Set(lines.map((line) => line.id)).size, asked)
})

t.test('nothing is left open towards a service that refused', async (t) => {
  await until(() => mute.connections.every((each) => !each.isOpen), 'the end of the connections')
  const probe = connect(mute.port, '127.0.0.1')
  await new Promise((resolve) => probe.once('connect', resolve))
  probe.destroy()
  t.pass()
})
