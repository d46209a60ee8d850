/** The pool of connections to one endpoint: what it keeps, what it throws away, who waits, who is told. */

import type { AddressInfo } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import type { HeaderList } from '../../src/http/headers.ts'
import type { UpstreamCall, UpstreamControl } from '../../src/upstream/dispatch.ts'
import { Http1Pool, type Http1PoolOptions } from '../../src/upstream/http1-pool.ts'
import { makeCertificate } from '../kit/certificates.ts'
import { freePort, type RawUpstream, startRawUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

class Call implements UpstreamCall {
  readonly method: string
  readonly path: string
  readonly headers: HeaderList = ['host', 'x']
  readonly headText: string
  readonly body: Buffer | null = null
  readonly streamLength = 0
  readonly isWebSocket = false
  readonly firstByteMs = 5000
  readonly betweenBytesMs = 5000
  control: UpstreamControl | null = null
  status = 0
  text = ''
  ended = false
  failure = ''

  constructor(path = '/', method = 'GET') {
    this.path = path
    this.method = method
    this.headText = `${method} ${path} HTTP/1.1\r\nhost: x\r\n`
  }

  onStart(control: UpstreamControl): void {
    this.control = control
  }
  onBodyWanted(): void {}
  onBodyPause(): void {}
  onBodyResume(): void {}
  onInformational(): void {}
  onHead(status: number): void {
    this.status = status
  }
  onData(chunk: Buffer): void {
    this.text += chunk.toString()
  }
  onEnd(): void {
    this.ended = true
  }
  onUpgrade(): void {}
  onFailure(error: Error): void {
    this.failure = (error as NodeJS.ErrnoException).code ?? error.message
  }
}

function openPool(t: Test, port: number, more: Partial<Http1PoolOptions> = {}): Http1Pool {
  const pool = new Http1Pool({
    host: '127.0.0.1',
    port,
    socketPath: null,
    tls: null,
    proxy: null,
    maxConnections: 2,
    maxWaiting: 2,
    connectMs: 2000,
    keepAliveMs: 5000,
    ...more,
  })
  t.teardown(() => pool.destroy())
  return pool
}

/** Answers every request with its path, when `release` says so or at once. */
async function openService(t: Test, held: (() => void)[] | null = null): Promise<RawUpstream> {
  const service = await startRawUpstream(({ socket }) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      for (const found of chunk.toString().matchAll(/^\w+ (\S+) HTTP/gm)) {
        const path = found[1]!
        const answer = (): void => {
          const tail = path === '/poison' ? 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil' : ''
          const close = path === '/close' ? 'connection: close\r\n' : ''
          socket.write(`HTTP/1.1 200 OK\r\n${close}content-length: ${path.length}\r\n\r\n${path}${tail}`)
        }
        if (held === null) answer()
        else held.push(answer)
      }
    })
  })
  t.teardown(() => service.close())
  return service
}

async function run(pool: Http1Pool, call: Call): Promise<Call> {
  pool.dispatch(call)
  await until(() => call.ended || call.failure !== '', `the end of ${call.path}`)
  return call
}

t.test('a connection is used again, the last one first', async (t) => {
  const service = await openService(t)
  const pool = openPool(t, service.port)
  for (let i = 0; i < 5; i++) t.equal((await run(pool, new Call(`/${i}`))).text, `/${i}`)
  t.equal(service.connections.length, 1)
})

t.test('a connection with something left over is thrown away, and nobody gets the rest', async (t) => {
  const service = await openService(t)
  const pool = openPool(t, service.port)
  t.equal((await run(pool, new Call('/poison'))).text, '/poison')
  t.equal((await run(pool, new Call('/next'))).text, '/next')
  t.equal(service.connections.length, 2)
  t.equal((await run(pool, new Call('/close'))).text, '/close')
  t.equal((await run(pool, new Call('/after'))).text, '/after')
  t.equal(service.connections.length, 3, 'and one that its service closes')
})

t.test('bytes that come while nobody asks end the connection', async (t) => {
  const service = await openService(t)
  const pool = openPool(t, service.port)
  await run(pool, new Call('/a'))
  service.connections[0]!.socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil')
  await until(() => !service.connections[0]!.isOpen, 'the connection to end')
  t.equal((await run(pool, new Call('/b'))).text, '/b')
})

t.test('over the bound calls wait in order, over the next one they are refused', async (t) => {
  const held: (() => void)[] = []
  const service = await openService(t, held)
  const pool = openPool(t, service.port)
  const calls = Array.from({ length: 5 }, (_, i) => new Call(`/${i}`))
  for (const call of calls.slice(0, 2)) pool.dispatch(call)
  await until(() => held.length === 2, 'two requests')
  for (const call of calls.slice(2)) pool.dispatch(call)
  t.equal(calls[4]!.failure, 'TOO_MANY_WAITING')
  t.equal(pool.waiting, 2)
  for (let done = 0; done < 4; done++) {
    await until(() => held.length > done, 'the next request')
    held[done]!()
  }
  await until(() => calls.slice(0, 4).every((call) => call.ended), 'all of them')
  t.same(
    calls.map((call) => call.text),
    ['/0', '/1', '/2', '/3', ''],
  )
  t.equal(service.connections.length, 2)
})

t.test('a call that is taken back never starts', async (t) => {
  const held: (() => void)[] = []
  const service = await openService(t, held)
  const pool = openPool(t, service.port, { maxConnections: 1 })
  const first = new Call('/first')
  const back = new Call('/back')
  const last = new Call('/last')
  pool.dispatch(first)
  await until(() => held.length === 1, 'the first request')
  pool.dispatch(back)
  pool.dispatch(last)
  pool.cancel(back)
  held[0]!()
  await until(() => held.length === 2, 'the last request')
  held[1]!()
  await until(() => last.ended, 'its answer')
  t.equal(back.control, null)
  t.equal(back.failure, '', 'and is not told')
})

t.test('an abort cuts the connection and gives its place to who waits', async (t) => {
  const held: (() => void)[] = []
  const service = await openService(t, held)
  const pool = openPool(t, service.port, { maxConnections: 1 })
  const first = new Call('/first')
  const next = new Call('/next')
  pool.dispatch(first)
  await until(() => held.length === 1, 'the first request')
  pool.dispatch(next)
  first.control!.abort()
  await until(() => held.length === 2, 'the next request')
  held[1]!()
  await until(() => next.ended, 'its answer')
  t.equal(first.ended, false)
  t.equal(first.failure, '')
})

t.test('where nobody listens every call is told, those that wait too', async (t) => {
  const pool = openPool(t, await freePort(), { maxConnections: 2, maxWaiting: 10 })
  const calls = Array.from({ length: 6 }, (_, i) => new Call(`/${i}`))
  for (const call of calls) pool.dispatch(call)
  await until(() => calls.every((call) => call.failure !== ''), 'all of them')
  t.same(new Set(calls.map((call) => call.failure)), new Set(['ECONNREFUSED']))
  t.equal(pool.waiting, 0)
})

t.test('close lets the running answer end; after it calls are refused', async (t) => {
  const held: (() => void)[] = []
  const service = await openService(t, held)
  const pool = openPool(t, service.port)
  const running = new Call('/running')
  pool.dispatch(running)
  await until(() => held.length === 1, 'the request')
  let closed = false
  const closing = pool.close().then(() => {
    closed = true
  })
  const late = new Call('/late')
  pool.dispatch(late)
  t.equal(late.failure, 'ENDPOINT_CLOSED')
  t.equal(closed, false)
  held[0]!()
  await closing
  t.equal(running.text, '/running')
  await until(() => !service.connections[0]!.isOpen, 'the connection to end')
})

t.test('TLS sessions are resumed, also between connections that were closed', async (t) => {
  const certificate = await makeCertificate({ names: ['127.0.0.1'] })
  const resumed: boolean[] = []
  const server = createTlsServer(certificate, (socket: TLSSocket) => {
    resumed.push(socket.isSessionReused())
    socket.on('error', () => {})
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const pool = openPool(t, (server.address() as AddressInfo).port, { tls: { ca: certificate.cert } })
  for (let i = 0; i < 3; i++) t.equal((await run(pool, new Call('/'))).text, 'ok')
  t.same(resumed, [false, true, true])
})
