/** Ten thousand exchanges that fail in every way there is: neither heap nor handles nor slots are left of them. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { type Reply, type RequestClient, requestTransports } from '../kit/clients.ts'
import { type Json, startGatewayHere, type TestGateway, testConfig } from '../kit/gateway.ts'
import { type SocketClient, socketTransports } from '../kit/socket-clients.ts'
import { startUpstream, type Upstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const route = (path: string, more: Json = {}): Json => ({
  ...{
    path,
    service: 'chat',
    profiles: ['internet'],
    purpose: 'test',
    methods: ['GET', 'POST'],
    maxBody: '1 GB',
    webSocket: true,
  },
  ...more,
})

const EXCHANGES = 10_000
const AT_ONCE = 50
const gc: () => void = (() => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc')
})()

interface Field {
  readonly gateway: TestGateway
  readonly upstream: Upstream
  readonly clients: RequestClient[]
}

/** One failing exchange of each kind; what the client sees of it does not matter here. */
const KINDS: readonly ((field: Field, client: RequestClient) => Promise<unknown>)[] = [
  ...[
    '/die/before-head',
    '/die/in-head',
    '/die/after-head',
    '/die/in-body',
    '/die/in-chunk',
    '/lie/short',
    '/lie/long',
    '/lie/two-lengths',
    '/lie/bad-chunk',
    '/lie/garbage',
    '/dead',
    '/no-such/../%zz',
  ].map((path) => (_field: Field, client: RequestClient) => client.ask({ path })),
  (_field, client) => client.ask({ method: 'POST', path: '/die/before-head', body: 'hello' }),
  (_field, client) => client.ask({ method: 'POST', path: '/small', body: 'more than is allowed' }),
  (_field, client) => client.ask({ method: 'POST', path: '/small', body: ['more', ' than is allowed'] }),
  (_field, client) => client.ask({ method: 'POST', path: '/early-answer', body: ['one', 'two'] }),
  (_field, client) => client.ask({ method: 'POST', path: '/die/while-reading', body: ['one', 'two'] }),
  // Cut, or left, in the middle of a compressor.
  ...['gzip', 'br', 'zstd'].map(
    (coding) => (_field: Field, client: RequestClient) =>
      client.ask({ path: '/packed/die/in-chunk', headers: ['accept-encoding', coding] }),
  ),
  (_field, client) => leaveAt(client, '/packed/trickle?count=20', 'data', ['accept-encoding', 'gzip']),
  // A client that leaves, at three moments.
  (_field, client) => leaveAt(client, '/huge?bytes=3000000', 'data'),
  (_field, client) => leaveAt(client, '/never', 'soon'),
  (_field, client) => leaveAt(client, '/upload', 'upload'),
]

async function leaveAt(
  client: RequestClient,
  path: string,
  when: 'data' | 'soon' | 'upload',
  headers: string[] = [],
): Promise<Reply> {
  const stop = new AbortController()
  const leave = (): void => stop.abort()
  if (when === 'data') return await client.ask({ path, headers, signal: stop.signal, onData: leave })
  setTimeout(leave, 5)
  if (when === 'soon') return await client.ask({ path, signal: stop.signal })
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let i = 0; i < 100 && !stop.signal.aborted; i++) {
      yield Buffer.from('piece')
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return await client.ask({ method: 'POST', path, body: pieces(), signal: stop.signal })
}

async function runExchanges(field: Field, count: number): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) {
      const number = next++
      const client = field.clients[number % field.clients.length]!
      await KINDS[Math.floor(number / field.clients.length) % KINDS.length]!(field, client)
      // What the service in this process has recorded is not the gateway's.
      if (number % 500 === 0) forget(field.upstream)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

async function runSockets(field: Field, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const port = field.gateway.publicPort
    const transport = socketTransports[i % 2]!
    const path = ['/ws/echo', '/ws/die', '/ws/refuse', '/ws/bad-accept', '/ws/before-head'][i % 5]!
    const socket: SocketClient | null = await transport.open({ port }, { path }).catch(() => null)
    if (path === '/ws/echo') socket?.send('hello')
    socket?.terminate()
  }
}

function forget(service: Upstream): void {
  service.received.length = 0
  service.sockets.length = 0
  const open = service.connections.filter((each) => each.isOpen)
  for (const each of open) each.chunks.length = 0
  service.connections.splice(0, service.connections.length, ...open)
}

const counts = (list: readonly string[]): Record<string, number> => {
  const found: Record<string, number> = {}
  for (const each of list) found[each] = (found[each] ?? 0) + 1
  return found
}

async function settledHeap(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 8; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    gc()
    least = Math.min(least, process.memoryUsage().heapUsed)
  }
  return least
}

t.test(`nothing is left of ${EXCHANGES} exchanges that failed`, async (t) => {
  const service = await startUpstream()
  const dead = await startUpstream()
  await dead.close()
  const small = await startGatewayHere(
    testConfig(service.url, {
      services: {
        chat: { endpoints: [service.url], timeouts: { connect: '1 s', keepAlive: '500 ms' } },
        dead: { endpoints: [dead.url] },
      },
      routes: [
        route('/*'),
        route('/dead', { service: 'dead' }),
        route('/small', { maxBody: '10 B' }),
        route('/packed/*', { rewrite: '/*', compression: 'public' }),
      ],
    }),
  )
  t.teardown(async () => {
    await small.close()
    await service.close()
  })
  const open = (): RequestClient[] =>
    Array.from({ length: 8 }, (_, i) => requestTransports[i % 2]!.open({ port: small.publicPort }))
  const metrics = async (): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${small.adminPort}/metrics`, { headers: { connection: 'close' } })
    return await response.text()
  }
  const number = (text: string, name: string): number =>
    [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].reduce(
      (sum, each) => sum + Number(each[1]),
      0,
    )
  const quiet = async (): Promise<string> =>
    await until(async () => {
      const text = await metrics()
      // The connection that asks is the last one.
      return (
        number(text, 'portcullis_connections_open') <= 1 &&
        number(text, 'portcullis_websockets_open') === 0 &&
        number(text, 'portcullis_compressors_open') === 0 &&
        service.connections.every((each) => !each.isOpen || each.socket.readableEnded) &&
        text
      )
    }, 'the last connection to end')

  const round = async (exchanges: number, sockets: number): Promise<void> => {
    // Clients of their own, so that a reset too many ends a connection and not the test.
    for (let left = exchanges; left > 0; left -= 1000) {
      const clients = open()
      await runExchanges({ gateway: small, upstream: service, clients }, Math.min(1000, left))
      for (const client of clients) await client.close()
    }
    await runSockets({ gateway: small, upstream: service, clients: [] }, sockets)
    await quiet()
    // The service does not end by itself what it left half open.
    for (const each of service.connections) each.socket.destroy()
    await until(() => service.openConnections() === 0, 'the end of the service’s own connections')
    forget(service)
  }

  await round(1500, 20)
  const heapBefore = await settledHeap()
  const handlesBefore = counts(process.getActiveResourcesInfo())
  await small.gateway.log.flush()
  const linesBefore = small.accessLines().length

  await round(EXCHANGES / 2, 100)
  const heapBetween = await settledHeap()
  await round(EXCHANGES / 2, 100)
  const text = await quiet()
  const heapAfter = await settledHeap()
  // What the first half has filled for good (compiled code, pools, caches), the second must not fill again.
  for (const [part, before] of [
    ['all', heapBefore],
    ['the second half', heapBetween],
  ] as const) {
    const growth = (heapAfter - before) / 1_000_000
    t.ok(growth < 2, `the heap grew by ${growth.toFixed(2)} MB over ${part}`)
  }

  let now: Record<string, number> = {}
  const handles = await until(
    () => {
      now = counts(process.getActiveResourcesInfo())
      const more = Object.keys(now).filter((kind) => now[kind]! > (handlesBefore[kind] ?? 0))
      return more.length === 0 && now
    },
    `the handles to be as before (${JSON.stringify(handlesBefore)})`,
  ).catch((error) => {
    throw new Error(`${error.message}: ${JSON.stringify(now)}`)
  })
  t.comment(handles)

  await small.gateway.log.flush()
  const lines = small.accessLines()
  t.equal(new Set(lines.map((line) => line.id)).size, lines.length, 'no exchange ended twice')
  t.ok(lines.length - linesBefore > EXCHANGES * 0.9, `${lines.length - linesBefore} exchanges began and ended`)
  const finished = number(text, 'portcullis_requests_total')
  // The request that asked for the metrics had not ended when they were written.
  t.equal(finished, lines.length - 1, 'what the metrics counted is what the log holds')
  t.equal(number(text, 'portcullis_websockets_open'), 0)
  const client = requestTransports[1]!.open({ port: small.publicPort })
  const all = await Promise.all(Array.from({ length: 100 }, () => client.ask({ path: '/free' })))
  t.ok(
    all.every((each) => each.status === 200),
    'all slots of the address are free',
  )
  await client.close()
})
