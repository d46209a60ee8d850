/** What a listener does before a request: binds or says why not, bounds connections, times handshakes, hands over, ends. */
import { once } from 'node:events'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { text as toText } from 'node:stream/consumers'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import t from 'tap'
import { ConfigurationError } from '../../src/errors.ts'
import { AddressCaps } from '../../src/exchange/address-caps.ts'
import type { ListenerPlan } from '../../src/exchange/contracts.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import { UnsentBytes } from '../../src/exchange/unsent-bytes.ts'
import { Listener, type ListenerOptions } from '../../src/listen/listener.ts'
import { ListenerSet } from '../../src/listen/listener-set.ts'
import { NO_EDITS } from '../kit/fake-client.ts'
import { loadMade, tlsOf } from '../kit/tls-front.ts'
import { freePort } from '../kit/upstream.ts'
import { until, within } from '../kit/wait.ts'

const LIMITS: ListenerPlan['limits'] = {
  maxHeaderBytes: 4096,
  maxHeaders: 20,
  maxTargetBytes: 1024,
  headersMs: 60_000,
  idleMs: 60_000,
  bodyGraceMs: 60_000,
  bodyMinRate: 1,
  sendMs: 60_000,
  sendMinRate: 240,
  maxRequestsPerConnection: 100,
  maxConnectionAgeMs: 600_000,
  maxStreams: 10,
  tunnelIdleMs: 60_000,
}

/** Answers 200 with a word, and keeps the exchange open where the target says so. */
function planOf(word: string, held: Exchange[] = []): ListenerPlan {
  return {
    ipv6Prefix: 64,
    limits: LIMITS,
    unsent: new UnsentBytes(2 ** 26),
    edits: { add: [], remove: new Set(), keep: new Set() },
    onFinish: () => {},
    canned: () => Buffer.from('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
    onRefusedBytes: () => {},
    run: (x: Exchange) => {
      if (x.head.target === '/hold') held.push(x)
      else x.client.sendHead(200, ['content-length', String(word.length)], NO_EDITS, Buffer.from(word))
    },
  } as unknown as ListenerPlan
}

function optionsFor(more: Partial<ListenerOptions> = {}): ListenerOptions {
  return {
    setting: 'listeners.public.address',
    host: '127.0.0.1',
    port: 0,
    tls: null,
    proxyProtocol: null,
    maxConnections: 100,
    connectionCaps: new AddressCaps(100),
    isBanned: () => false,
    handshakeMs: 10_000,
    handshakes: { max: 100, perAddress: 100, perSecond: 1000, perAddressPerMinute: 10_000 },
    onHandshakeFailure: () => {},
    plan: () => planOf('one'),
    ...more,
  }
}

async function open(t: { teardown(fn: () => unknown): void }, more: Partial<ListenerOptions> = {}): Promise<Listener> {
  const listener = new Listener(optionsFor(more), () => {})
  await listener.open()
  t.teardown(() => listener.destroy())
  return listener
}

const dial = (port: number): Socket => {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  return socket
}
const ended = (socket: Socket): Promise<unknown> => {
  socket.resume()
  const close: Promise<unknown> = socket.destroyed ? Promise.resolve() : once(socket, 'close')
  return within(close, 'the end of the connection')
}
async function ask(socket: Socket, target = '/'): Promise<string> {
  socket.write(`GET ${target} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
  return String((await within(once(socket, 'data'), 'an answer'))[0])
}

t.test('an address that cannot be had is told with its setting and what to do', async (t) => {
  const holder = await open(t)
  for (const [host, port, sentence] of [
    ['127.0.0.1', holder.port, /^listeners\.public\.address: 127\.0\.0\.1:\d+ is taken by another program; stop it/],
    ['192.0.2.1', 8443, /^listeners\.public\.address: 192\.0\.2\.1:8443 is not an address of this machine$/],
    ['2001:db8::1', 8443, /^listeners\.public\.address: \[2001:db8::1\]:8443 (?:is not an address|cannot be bound)/],
  ] as const) {
    const error = await new Listener(optionsFor({ host, port }), () => {}).open().catch((reason: unknown) => reason)
    t.ok(error instanceof ConfigurationError)
    t.match((error as ConfigurationError).problems[0], sentence)
  }
})

t.test('connections of one address are bounded; a slot is free again when one ends', async (t) => {
  const caps = new AddressCaps(2)
  const listener = await open(t, { connectionCaps: caps })
  const [one, two] = [dial(listener.port), dial(listener.port)]
  t.match(await ask(one), /one$/)
  t.match(await ask(two), /one$/)
  await ended(dial(listener.port))
  t.equal(listener.connectionCount, 2)
  one.destroy()
  await until(() => caps.held('127.0.0.1') === 1, 'the free slot')
  const three = dial(listener.port)
  t.match(await ask(three), /one$/)
  t.equal(listener.holds({}), false)
  for (const each of [two, three]) each.destroy()
  await until(() => caps.size === 0, 'the end of all')
  t.equal(listener.connectionCount, 0)
})

t.test('connections of all addresses together are bounded', async (t) => {
  const listener = await open(t, { maxConnections: 1 })
  const one = dial(listener.port)
  t.match(await ask(one), /one$/)
  await ended(dial(listener.port))
  t.match(await ask(one), /one$/)
  one.destroy()
})

async function withTls(folder: string, handshakeMs: number): Promise<Partial<ListenerOptions>> {
  return { handshakeMs, tls: tlsOf(await loadMade(folder, [{}])) }
}

t.test('a handshake that does not come, or is none, ends and frees its slot', async (t) => {
  const caps = new AddressCaps(10)
  const listener = await open(t, { ...(await withTls(t.testdir({}), 100)), connectionCaps: caps })
  const silent = dial(listener.port)
  const plain = dial(listener.port)
  plain.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await Promise.all([ended(silent), ended(plain)])
  await until(() => caps.size === 0, 'the free slots')
  t.equal(listener.connectionCount, 0)
})

t.test(
  'a crowd that asks in its first breath has its answers, by both protocols; the end cuts who waits',
  async (t) => {
    const listener = await open(t, await withTls(t.testdir({}), 10_000))
    const session = (): ClientHttp2Session => {
      const made = connectHttp2(`https://127.0.0.1:${listener.port}`, { rejectUnauthorized: false })
      made.on('error', () => {})
      t.teardown(() => made.destroy())
      return made
    }
    const askAnew = async (): Promise<string> => {
      const stream = session().request({ ':path': '/', ':authority': 'localhost' })
      return within(toText(stream), 'an answer over HTTP/2')
    }
    const first = async (): Promise<string> => {
      const socket = connectTls({ port: listener.port, host: '127.0.0.1', rejectUnauthorized: false })
      t.teardown(() => socket.destroy())
      return ask(socket)
    }
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? first() : askAnew())))
    t.ok(answers.every((answer) => answer.endsWith('one')))

    const late = Array.from({ length: 40 }, session)
    const closed = Promise.all(
      late.map((each) => within(new Promise((end) => each.once('close', end)), 'the end of a session')),
    )
    await once(late[0]!, 'connect')
    listener.destroy()
    for (const each of late.slice(1)) if (!each.connecting) each.request({ ':path': '/' }).on('error', () => {})
    await closed
    t.equal(listener.connectionCount, 0)
  },
)

t.test('ALPN chooses the engine; a client that offers nothing known is refused', async (t) => {
  const listener = await open(t, await withTls(t.testdir({}), 10_000))
  const shake = async (ALPNProtocols?: string[]): Promise<TLSSocket | string> => {
    const options = { port: listener.port, host: '127.0.0.1', rejectUnauthorized: false }
    const socket = connectTls({ ...options, ...(ALPNProtocols === undefined ? {} : { ALPNProtocols }) })
    return once(socket, 'secureConnect').then(
      () => socket,
      (error: NodeJS.ErrnoException) => error.code ?? '',
    )
  }
  const one = (await shake(['http/1.1'])) as TLSSocket
  t.match(await ask(one), /one$/)
  const none = (await shake()) as TLSSocket
  t.match(await ask(none), /one$/)
  const two = (await shake(['h2', 'http/1.1'])) as TLSSocket
  t.equal(two.alpnProtocol, 'h2')
  t.match(await shake(['spdy/3']), /ALPN|APPLICATION_PROTOCOL/)
  for (const each of [one, none, two]) each.destroy()
})

t.test('serve swaps what the next request meets, on connections that are open', async (t) => {
  const listener = await open(t)
  const socket = dial(listener.port)
  t.match(await ask(socket), /one$/)
  listener.serve(optionsFor({ plan: () => planOf('two') }))
  t.match(await ask(socket), /two$/)
  socket.destroy()
})

t.test('drain accepts nobody, ends the idle, and waits for what runs', async (t) => {
  const held: Exchange[] = []
  const listener = await open(t, { plan: () => planOf('one', held) })
  const idle = dial(listener.port)
  t.match(await ask(idle), /one$/)
  const busy = dial(listener.port)
  const answer = ask(busy, '/hold')
  await until(() => held.length === 1)
  listener.drain()
  listener.drain()
  const late = dial(listener.port)
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException]
  t.equal(error.code, 'ECONNREFUSED')
  await ended(idle)
  t.equal(listener.connectionCount, 1)
  held[0]!.client.sendHead(200, ['content-length', '4'], NO_EDITS, Buffer.from('late'))
  t.match(await answer, /\r\nconnection: close\r\n[\s\S]*late$/)
  await ended(busy)
  await until(() => listener.connectionCount === 0)
})

t.test('a set of listeners is exchanged as a whole or not at all', async (t) => {
  const set = new ListenerSet(() => {})
  t.teardown(() => set.destroy())
  const end = { timeout: 5000, webSocketWindow: 100 }
  const first = optionsFor()
  const other = optionsFor({ setting: 'listeners.other.address' })
  const begin = await set.exchange([first, other], end)
  t.equal(begin.opened.length, 2)
  t.same(begin.closed, [])
  const [one, two] = set.addresses
  t.not(one!.port, two!.port, 'two free ports')

  const free = await freePort()
  const bad = [
    optionsFor({ plan: () => planOf('new') }),
    optionsFor({ setting: 'a', port: free }),
    optionsFor({ port: one!.port }),
  ]
  await t.rejects(set.exchange(bad, end), { message: /is taken/ })
  t.same(set.addresses, [one, two], 'nothing has changed')
  const socket = dial(one!.port)
  t.match(await ask(socket), /one$/)
  const gone = dial(free)
  t.match((await once(gone, 'error'))[0], { code: 'ECONNREFUSED' })

  const later = await set.exchange([optionsFor({ plan: () => planOf('new') })], end)
  t.same(later, { opened: [], closed: [two] })
  t.equal(set.addresses[0]!.port, one!.port, 'a free port that was found is kept')
  t.match(await ask(socket), /new$/)
  t.equal(set.connectionCount, 1)
  t.equal(set.connectionCountOf('listeners.public.address'), 1)
  t.equal(set.connectionCountOf('listeners.other.address'), 0)
  socket.destroy()
})

t.test('a listener that is taken away is cut at the end of its time', async (t) => {
  const held: Exchange[] = []
  const set = new ListenerSet(() => {})
  t.teardown(() => set.destroy())
  const end = { timeout: 50, webSocketWindow: 0 }
  await set.exchange([optionsFor({ plan: () => planOf('one', held) })], end)
  const socket = dial(set.addresses[0]!.port)
  socket.write('GET /hold HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await until(() => held.length === 1)
  await set.exchange([], end)
  t.equal(set.connectionCount, 1, 'it still counts')
  // The timer keeps no process alive; this one is kept by the socket.
  await ended(socket)
  await until(() => set.connectionCount === 0)
})

t.test('a banned address is let go before the handshake', async (t) => {
  const caps = new AddressCaps(100)
  let isBanned = true
  const listener = await open(t, { connectionCaps: caps, isBanned: (address) => isBanned && address === '127.0.0.1' })
  const socket = dial(listener.port)
  await once(socket, 'close')
  t.equal(socket.bytesRead, 0)
  t.equal(caps.size, 0, 'and holds no slot')
  isBanned = false
  const later = dial(listener.port)
  await once(later, 'connect')
  later.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  t.match(String((await once(later, 'data'))[0]), /^HTTP\/1.1 200/)
  later.destroy()
})
