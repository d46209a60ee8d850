/**
 * Heads that are equal byte for byte to the one before on their connection: they are recognised, and nothing may be had by
 * that which a head that is read anew would not get.
 */
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { openRaw, rawExchange } from '../kit/clients.ts'
import { type Json, publicListener, startGateway, testConfig } from '../kit/gateway.ts'
import { type RecordedConnection, startRawUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const GET = 'GET /a?b=1 HTTP/1.1\r\nHost: localhost\r\nX-Own: 1\r\n\r\n'
const answer = (body: string, more = ''): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`

/** An upstream that answers each request by `reply`, from the text of the request and its number. */
async function startScripted(t: Test, reply: (text: string, count: number) => string) {
  const requests: string[] = []
  const upstream = await startRawUpstream(({ socket }: RecordedConnection) => {
    let seen = ''
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1')
      for (;;) {
        const length = lengthOf(seen)
        if (length === -1 || seen.length < length) return
        requests.push(seen.slice(0, length))
        seen = seen.slice(length)
        socket.write(reply(requests.at(-1)!, requests.length), 'latin1')
      }
    })
  })
  t.teardown(() => upstream.close())
  return { url: upstream.url, requests }
}

/** Of the first request in the text; -1 while that is not known. */
function lengthOf(text: string): number {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return -1
  const head = text.slice(0, end)
  if (!head.includes('transfer-encoding: chunked')) {
    return end + 4 + Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0)
  }
  const last = text.indexOf('\r\n0\r\n\r\n', end)
  return last === -1 ? -1 : last + 7
}

const ROUTE: Json = { path: '/*', service: 'chat', profiles: ['internet'], purpose: 'test', methods: ['GET', 'POST'] }

async function start(t: Test, reply: (text: string, count: number) => string, more: Json = {}) {
  const upstream = await startScripted(t, reply)
  const configured = (changes: Json): Json => testConfig(upstream.url, { routes: [ROUTE], ...more, ...changes })
  const gateway = await startGateway(configured({}))
  t.teardown(() => gateway.close())
  const { folder } = gateway
  const log = { access: `${folder}/access.log`, audit: `${folder}/audit.log` }
  let reloads = 0
  const reload = async (changes: Json): Promise<void> => {
    gateway.writeConfig(configured({ log, drain: { timeout: '5 seconds', webSocketWindow: '200 ms' }, ...changes }))
    gateway.child.kill('SIGHUP')
    reloads++
    await until(() => gateway.log().split('"cause":"SIGHUP"').length > reloads, 'the reload')
    t.notMatch(gateway.log(), /Not reloaded/)
  }
  return { gateway, requests: upstream.requests, reload, client: new Client(openRaw({ port: gateway.publicPort }), t) }
}

interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
  field(name: string): string | null
}

/** One connection of a client that waits for each answer. */
class Client {
  isClosed = false
  readonly #socket: Socket
  #text = ''
  #isHead = false

  constructor(socket: Socket, t: Test) {
    this.#socket = socket
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
    })
    socket.on('data', (chunk) => {
      this.#text += chunk.toString('latin1')
    })
    t.teardown(() => socket.destroy())
  }

  async ask(text: string): Promise<Answer> {
    this.#isHead = text.startsWith('HEAD')
    this.#socket.write(text, 'latin1')
    return await this.next()
  }

  async next(): Promise<Answer> {
    let found: Answer | null = null
    await until(() => {
      found ??= this.#take()
      return found !== null
    }, 'an answer')
    return found!
  }

  #take(): Answer | null {
    const end = this.#text.indexOf('\r\n\r\n') + 4
    if (end === 3) return null
    const head = this.#text.slice(0, end)
    const field = (name: string): string | null => new RegExp(`^${name}: (.*)\r$`, 'im').exec(head)?.[1] ?? null
    let body = ''
    let used = end
    if (this.#isHead) body = ''
    else if (field('transfer-encoding') === 'chunked') {
      const last = this.#text.indexOf('0\r\n\r\n', end)
      if (last === -1) return null
      used = last + 5
      body = this.#text.slice(end, last).replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n|\r\n$/g, '')
    } else {
      used = end + Number(field('content-length') ?? 0)
      if (this.#text.length < used) return null
      body = this.#text.slice(end, used)
    }
    this.#text = this.#text.slice(used)
    return { status: Number(head.slice(9, 12)), head, body, field }
  }
}

t.test('each has its own ids, its own answer and its own line in the log', async (t) => {
  const { requests, client } = await start(t, (_text, count) => answer(`answer ${count}`))
  const answers = []
  for (let i = 0; i < 5; i++) answers.push(await client.ask(GET))
  t.same(
    answers.map(({ body }) => body),
    ['answer 1', 'answer 2', 'answer 3', 'answer 4', 'answer 5'],
  )
  const ids = new Set(answers.map(({ field }) => field('x-request-id')))
  t.equal(ids.size, 5)
  const told = requests.map((text) => /x-request-id: (\S+)/.exec(text)?.[1])
  t.same(told, [...ids])
  t.equal(new Set(requests.map((text) => /traceparent: (\S+)/.exec(text)?.[1])).size, 5)
  const same = (text: string): string => text.replace(/(x-request-id|traceparent): \S+/g, '$1')
  t.equal(new Set(requests.map(same)).size, 1, 'and all else is the same')
  t.match(requests[4], /^GET \/a\?b=1 HTTP\/1\.1\r\nhost: localhost\r\nx-own: 1\r\n/)
})

t.test('the log names each of them', async (t) => {
  const { gateway, client } = await start(t, () => answer('x'))
  for (let i = 0; i < 4; i++) await client.ask(GET)
  await client.ask(GET.replace('/a?b=1', '/c'))
  gateway.child.kill('SIGTERM')
  await gateway.exited
  const lines = gateway.accessLines()
  t.same(
    lines.map(({ path, method, status }) => [path, method, status]),
    [...Array.from({ length: 4 }, () => ['/a', 'GET', 200]), ['/c', 'GET', 200]],
  )
  t.equal(new Set(lines.map(({ id }) => id)).size, 5)
})

t.test('a limit counts every one of them', async (t) => {
  const limits = { clients: { rate: '3 per minute', burst: 0 } }
  const { client } = await start(t, () => answer('x'), { limits, routes: [{ ...ROUTE, limits: ['clients'] }] })
  const answers = []
  for (let i = 0; i < 5; i++) answers.push(await client.ask(GET))
  t.same(
    answers.map(({ status }) => status),
    [200, 200, 200, 429, 429],
  )
  const left = answers.slice(0, 3).map(({ field }) => /r=(\d+)/.exec(field('ratelimit') ?? '')?.[1])
  t.same(left, ['2', '1', '0'], 'and what is left is told anew')
})

t.test('what the service says under a name of the gateway does not stand beside it', async (t) => {
  const limits = { clients: { rate: '1000 per minute' } }
  const { client } = await start(t, () => answer('x', 'RateLimit: "mine";r=9;t=9\r\n'), {
    ...{ limits, routes: [{ ...ROUTE, limits: ['clients'] }] },
  })
  for (let i = 0; i < 4; i++) {
    const { head } = await client.ask(GET)
    t.equal(head.split(/^ratelimit: /im).length, 2)
    t.notMatch(head, /mine/)
  }
})

t.test('a reload holds from the next of them on', async (t) => {
  const { client, reload } = await start(t, () => answer('x', 'X-Kept: 1\r\n'))
  for (let i = 0; i < 3; i++) t.equal((await client.ask(GET)).field('x-new'), null)
  await reload({ routes: [{ ...ROUTE, headers: { profile: 'page', set: { 'x-new': 'yes' }, remove: ['x-kept'] } }] })
  for (let i = 0; i < 3; i++) {
    const { field } = await client.ask(GET)
    t.same([field('x-new'), field('x-kept')], ['yes', null])
  }
  await reload({ routes: [{ ...ROUTE, methods: ['POST'] }] })
  t.equal((await client.ask(GET)).status, 405)
  await reload({ routes: [{ ...ROUTE, path: '/elsewhere' }] })
  t.equal((await client.ask(GET)).status, 404)
})

t.test('limits of a reload judge a head that was read under others', async (t) => {
  const { client, reload } = await start(t, () => answer('x'))
  for (let i = 0; i < 2; i++) t.equal((await client.ask(GET)).status, 200)
  await reload({
    listeners: { public: publicListener({ http: { maxHeaders: 1 } }), admin: { address: '127.0.0.1:0' } },
  })
  t.equal((await client.ask(GET)).status, 431)
  await until(() => client.isClosed, 'the end of the connection')
})

t.test('addresses that a reload denies are refused', async (t) => {
  const { client, reload } = await start(t, () => answer('x'))
  t.equal((await client.ask(GET)).status, 200)
  await reload({
    listeners: { public: publicListener({ deny: ['127.0.0.0/8'] }), admin: { address: '127.0.0.1:0' } },
  })
  t.equal((await client.ask(GET)).status, 403)
})

t.test('a body that looks like the head is a body', async (t) => {
  const { requests, client } = await start(t, (_text, count) => answer(String(count)))
  const post = `POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: `
  const inner = 'GET /inner HTTP/1.1\r\nHost: localhost\r\n\r\n'
  const whole = `${post}${inner.length}\r\n\r\n`
  await client.ask(inner)
  for (let i = 0; i < 3; i++) t.equal((await client.ask(whole + inner)).status, 200)
  // Its own head as a body, and in pieces whose first is the head alone.
  const length = whole.length
  const self = `${post}${length}\r\n\r\n`
  t.equal(self.length, length)
  for (let i = 0; i < 3; i++) t.equal((await client.ask(self + self)).status, 200)
  t.equal(requests.length, 7)
  t.same(
    requests.slice(4).map((text) => text.slice(-length)),
    [self, self, self],
  )
})

t.test('pipelined, each is answered, in order', async (t) => {
  const { gateway } = await start(t, (_text, count) => answer(`<${count}>`))
  const place = { port: gateway.publicPort }
  const chunked = 'POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n'
  const body = '3\r\nabc\r\n0\r\n\r\n'
  const whole = GET + GET + GET + chunked + body + chunked + body + GET
  // Cut everywhere: a head that is recognised, and one that comes in two halves, follow one another.
  for (const cut of [1, GET.length - 1, GET.length, GET.length + 1, 2 * GET.length + 5, whole.length - 3]) {
    const { text } = await rawExchange(place, [whole.slice(0, cut), whole.slice(cut)], {
      enough: (all) => all.split('HTTP/1.1 200').length === 7 && all.endsWith('>'),
    })
    const numbers = [...text.matchAll(/<(\d+)>/g)].map((found) => Number(found[1]))
    t.equal(numbers.length, 6)
    t.same(
      numbers,
      numbers.toSorted((a, b) => a - b),
    )
  }
})

t.test('a chunked body that ends in malformed bytes ends the connection, however often its head came', async (t) => {
  const { client, requests } = await start(t, () => answer('x'))
  const head = 'POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n'
  for (let i = 0; i < 2; i++) t.equal((await client.ask(`${head}1\r\na\r\n0\r\n\r\n`)).status, 200)
  const before = requests.length
  client.ask(`${head}1\r\nab\r\n0\r\n\r\n${GET}`).catch(() => {})
  await until(() => client.isClosed, 'the end of the connection')
  t.ok(requests.length <= before + 1)
})

t.test('HEAD behind GET, and GET behind HEAD: nobody takes a body for a head', async (t) => {
  const { client } = await start(t, (text) =>
    text.startsWith('HEAD') ? answer('12345').slice(0, -5) : answer('12345'),
  )
  for (const method of ['GET', 'HEAD', 'GET', 'HEAD', 'HEAD', 'GET', 'GET']) {
    const { body, field } = await client.ask(GET.replace('GET', method))
    t.equal(body, method === 'GET' ? '12345' : '')
    t.equal(field('content-length'), '5')
  }
})

t.test('an answer without Date gets one, and a service that says another body length is heard', async (t) => {
  const bodies = ['aa', 'aa', 'aa', 'bbbb', 'aa', '', '', 'aa']
  const { client } = await start(t, (_text, count) => answer(bodies[count - 1]!))
  for (const body of bodies) {
    const got = await client.ask(GET)
    t.equal(got.body, body)
    t.ok(got.field('date'))
    t.equal(got.head.split(/^date: /im).length, 2)
  }
})

t.test('chunked answers whose heads repeat', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n'
  const { client } = await start(t, (_text, count) => `${head}3\r\nab${count}\r\n0\r\n\r\n`)
  for (let i = 1; i <= 5; i++) t.equal((await client.ask(GET)).body, `ab${i}`)
})

t.test('the head of a repeated chunked answer does not wait for its first chunk', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n'
  const { gateway } = await start(t, (_text, count) => (count < 3 ? `${head}1\r\na\r\n0\r\n\r\n` : `${head}5\r\n`))
  const { text } = await rawExchange({ port: gateway.publicPort }, [GET, GET, GET], {
    enough: (all) => all.split('HTTP/1.1 200').length === 4,
  })
  t.equal(text.split('HTTP/1.1 200').length, 4)
})

t.test('an old client and one that closes get what they would get', async (t) => {
  const { client, gateway } = await start(t, () => answer('x'))
  for (let i = 0; i < 3; i++) await client.ask(GET)
  const closing = GET.replace('X-Own: 1', 'Connection: close')
  const last = await client.ask(closing)
  t.equal(last.field('connection'), 'close')
  await until(() => client.isClosed, 'the end of the connection')
  const old = new Client(openRaw({ port: gateway.publicPort }), t)
  const kept = GET.replace('HTTP/1.1', 'HTTP/1.0').replace('X-Own: 1', 'Connection: keep-alive')
  for (let i = 0; i < 3; i++) t.equal((await old.ask(kept)).field('connection'), 'keep-alive')
})

t.test('a service that begins to repeat a singleton field is refused at once', async (t) => {
  const { client } = await start(t, (_text, count) => answer('x', count < 4 ? '' : 'Content-Type: text/html\r\n'))
  for (let i = 0; i < 3; i++) t.equal((await client.ask(GET)).status, 200)
  t.equal((await client.ask(GET)).status, 502)
})
