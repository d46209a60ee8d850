/** What a connection to a service writes: never more or less of a body than its head promised. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import t, { type Test } from 'tap'
import type { BodyWriter, UpstreamCall, UpstreamControl } from '../../src/upstream/dispatch.ts'
import { UpstreamConnection } from '../../src/upstream/http1-connection.ts'
import { Inlet } from '../../src/upstream/inlet.ts'
import { until } from '../kit/wait.ts'

class Call implements UpstreamCall {
  readonly method = 'POST'
  readonly path = '/x'
  readonly headers = ['host', 'a']
  readonly headText = 'POST /x HTTP/1.1\r\nhost: a\r\n'
  readonly body = null
  readonly isWebSocket = false
  readonly firstByteMs = 60_000
  readonly betweenBytesMs = 60_000
  readonly streamLength: number
  writer: BodyWriter | null = null
  failure = ''
  failures = 0
  status = 0
  ended = 0

  constructor(streamLength: number) {
    this.streamLength = streamLength
  }

  onStart(_control: UpstreamControl): void {}
  onBodyWanted(writer: BodyWriter): void {
    this.writer = writer
  }
  onBodyPause(): void {}
  onBodyResume(): void {}
  onInformational(): void {}
  onHead(status: number): void {
    this.status = status
  }
  onData(): void {}
  onEnd(): void {
    this.ended++
  }
  onUpgrade(): void {}
  onFailure(error: Error): void {
    this.failures++
    this.failure = error.message
  }
}

async function open(t: Test) {
  let received = ''
  let closed = false
  let idle = 0
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      if (received.endsWith('abcde')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    })
    socket.on('close', () => {
      closed = true
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const inlet = new Inlet({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, socketPath: null }, null)
  await once(inlet.socket, 'connect')
  const connection = new UpstreamConnection(inlet, 60_000, { onIdle: () => idle++, onGone: () => {} })
  t.teardown(() => {
    connection.destroy()
    server.close()
  })
  return { connection, received: () => received, closed: () => closed, idle: () => idle }
}

t.test('a body of the promised length keeps the connection', async (t) => {
  const { connection, idle, received } = await open(t)
  const call = new Call(5)
  connection.run(call)
  for (const piece of ['ab', '', 'cde']) call.writer!.write(Buffer.from(piece))
  call.writer!.end()
  await until(() => call.ended === 1, 'the answer')
  t.equal(idle(), 1)
  t.match(received(), /content-length: 5\r\n\r\nabcde$/)
  t.equal(connection.isUsable, true)
})

t.test('a longer one is cut off before it becomes another request', async (t) => {
  const { connection, idle, received, closed } = await open(t)
  const call = new Call(5)
  connection.run(call)
  call.writer!.write(Buffer.from('abc'))
  call.writer!.write(Buffer.from('deGET /admin HTTP/1.1\r\n\r\n'))
  call.writer!.write(Buffer.from('more'))
  call.writer!.end()
  t.equal(call.failure, 'WRONG_LENGTH')
  await until(closed, 'the end of the connection')
  t.equal(call.failures, 1)
  t.equal(idle(), 0)
  t.equal(connection.isUsable, false)
  t.notMatch(received(), /admin/)
})

t.test('a shorter one ends the connection, which waits for the rest otherwise', async (t) => {
  const { connection, idle, closed } = await open(t)
  const call = new Call(5)
  connection.run(call)
  call.writer!.write(Buffer.from('abcd'))
  call.writer!.end()
  t.equal(call.failure, 'WRONG_LENGTH')
  await until(closed, 'the end of the connection')
  t.equal(idle(), 0)
})

t.test('a chunked body has any length', async (t) => {
  const { connection, received } = await open(t)
  const call = new Call(-1)
  connection.run(call)
  for (const piece of ['abc', 'de']) call.writer!.write(Buffer.from(piece))
  call.writer!.end()
  await until(() => received().endsWith('0\r\n\r\n'), 'the body')
  t.equal(call.failure, '')
})
