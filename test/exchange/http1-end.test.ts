/** The end of an HTTP/1.1 connection, on a socket whose other side reads when the test says so. */
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { TICK_MS } from '../../src/exchange/clock.ts'
import type { ConnectionOwner } from '../../src/exchange/connection.ts'
import { Http1Connection } from '../../src/exchange/http1.ts'
import { fakeExchange } from '../kit/fake-client.ts'
import { until } from '../kit/wait.ts'

/** What was written waits until the test takes it. */
class SlowSocket extends Duplex {
  readonly localPort = 9443
  bytesWritten = 0
  taken = ''
  readonly #waiting: (() => void)[] = []

  setNoDelay(): void {}

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.bytesWritten += chunk.length
    this.#waiting.push(() => {
      this.taken += chunk.toString('latin1')
      done()
    })
  }

  takeOne(): boolean {
    const next = this.#waiting.shift()
    next?.()
    return next !== undefined
  }
}

const BODY = Buffer.alloc(50_000, 'b')

/** A connection whose request is answered at once, the socket as slow as the test. */
function open(
  t: Test,
  sendMs: number,
): { socket: SlowSocket; tick: (seconds: number) => void; stall: (seconds: number) => void } {
  const { x } = fakeExchange()
  const limits = { ...x.listener.limits, sendMs }
  const owner: ConnectionOwner = {
    plan: { ...x.listener, limits, run: (each) => each.respond(200, ['content-type', 'text/plain'], BODY) },
    onConnectionEnd() {},
  }
  const socket = new SlowSocket()
  const connection = new Http1Connection(
    socket as unknown as Socket,
    { address: '192.0.2.10', localPort: 9443, certificate: null },
    'localhost',
    true,
    owner,
  )
  t.teardown(() => connection.destroy())
  let now = performance.now()
  return {
    socket,
    stall: (seconds) => {
      now += seconds * 1000
    },
    tick: (seconds) => {
      for (let i = 0; i < seconds * 1000; i += TICK_MS) {
        now += TICK_MS
        connection.onTick(now)
      }
    },
  }
}

t.test('the rest of the last answer is not cut off while its client still reads', async (t) => {
  const { socket, tick } = open(t, 30_000)
  socket.push('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
  await until(() => socket.bytesWritten > 0, 'the answer')
  tick(10)
  t.equal(socket.destroyed, false)
  await until(() => !socket.takeOne() && socket.writableFinished, 'all of it to be taken')
  t.ok(socket.taken.endsWith(`\r\n\r\n${BODY.toString()}`))
  tick(10)
  t.equal(socket.destroyed, true, 'after it the connection does not linger for long')
})

t.test('a request that came while nobody could read it is not too late', async (t) => {
  const { socket, tick, stall } = open(t, 30_000)
  const ask = async (before: number): Promise<void> => {
    socket.push('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await until(() => socket.destroyed || socket.bytesWritten > before, 'the answer')
    while (socket.takeOne()) await new Promise((resolve) => setImmediate(resolve))
  }
  await ask(0)
  const once = socket.bytesWritten
  // The loop stands still until the connection is idle for too long, and the clock is looked at first.
  stall(200)
  tick(0.2)
  t.equal(socket.destroyed, false)
  await ask(once)
  t.ok(socket.bytesWritten > once, 'it is answered')
})

t.test('nor does one more request buy a client that takes nothing more time', async (t) => {
  const { socket, tick } = open(t, 5000)
  for (let i = 0; i < 4; i++) {
    const before = socket.bytesWritten
    socket.push('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await until(() => socket.destroyed || socket.writableLength > 0 || socket.bytesWritten > before, 'the answer')
    await new Promise((resolve) => setImmediate(resolve))
    tick(2)
  }
  t.equal(socket.destroyed, true)
})

t.test('but a client that takes nothing of it is cut after the time for that', async (t) => {
  const { socket, tick } = open(t, 5000)
  socket.push('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
  await until(() => socket.bytesWritten > 0, 'the answer')
  tick(4)
  t.equal(socket.destroyed, false)
  tick(4)
  t.equal(socket.destroyed, true)
})
