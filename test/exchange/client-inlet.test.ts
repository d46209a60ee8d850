/** Bytes that are read over one another: what is kept of them has to be a copy, and nothing is lost on the way in and out. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { ClientInlet, lasting } from '../../src/exchange/client-inlet.ts'
import { until } from '../kit/wait.ts'

/** A client and the accepted socket of the same connection. */
async function pair(t: Test): Promise<{ client: Socket; socket: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as { port: number }).port, '127.0.0.1')
  const [socket] = (await once(server, 'connection')) as [Socket]
  t.teardown(() => {
    client.destroy()
    socket.destroy()
    server.close()
  })
  return { client, socket }
}

t.test('pieces come one over the other, and a lasting one stays', async (t) => {
  const { client, socket } = await pair(t)
  const views: Buffer[] = []
  const kept: Buffer[] = []
  new ClientInlet(socket, (bytes) => {
    views.push(bytes)
    kept.push(lasting(bytes))
  })
  client.write('first')
  await until(() => views.length === 1, 'the first piece')
  client.write('other')
  await until(() => views.length === 2, 'the second piece')
  t.equal(views[0]!.buffer, views[1]!.buffer, 'no memory of its own')
  t.equal(views[0]!.toString(), 'other', 'it was written over')
  t.same(kept.map(String), ['first', 'other'])
  const own = Buffer.from('own')
  t.equal(lasting(own), own, 'what is nobody else’s is not copied')
})

t.test('two sockets write over each other', async (t) => {
  const one = await pair(t)
  const other = await pair(t)
  const views: Buffer[] = []
  for (const { socket } of [one, other]) new ClientInlet(socket, (bytes) => views.push(bytes))
  one.client.write('aaaa')
  await until(() => views.length === 1, 'a piece of one')
  other.client.write('bbbb')
  await until(() => views.length === 2, 'a piece of the other')
  t.equal(views[0]!.toString(), 'bbbb')
})

t.test('what was read before comes first', async (t) => {
  const { client, socket } = await pair(t)
  socket.unshift(Buffer.from('early '))
  let text = ''
  new ClientInlet(socket, (bytes) => {
    text += bytes.toString()
  })
  client.write('late')
  await until(() => text.length === 10, 'both')
  t.equal(text, 'early late')
})

t.test('a pause stops the reading, and the end of the other side is told', async (t) => {
  const { client, socket } = await pair(t)
  let text = ''
  const inlet = new ClientInlet(socket, (bytes) => {
    text += bytes.toString()
    inlet.pause()
  })
  client.write('a')
  await until(() => text === 'a', 'the first')
  client.write('b')
  client.end()
  await new Promise((wake) => setTimeout(wake, 50))
  t.equal(text, 'a', 'nothing is read in a pause')
  const closed = once(socket, 'close')
  inlet.resume()
  await until(() => text === 'ab', 'the second')
  inlet.resume()
  await closed
})

t.test('as a stream it gives pieces that last, under back-pressure', async (t) => {
  const { client, socket } = await pair(t)
  const taken: string[] = []
  const inlet = new ClientInlet(socket, (bytes) => {
    taken.push(bytes.toString())
    inlet.intoStream()
  })
  client.write('head')
  await until(() => taken.length === 1, 'the head')
  const sent = Buffer.alloc(1_000_000, 'abcdefghij')
  client.end(sent)
  await new Promise((wake) => setTimeout(wake, 50))
  t.ok(socket.readableLength < 300_000, 'nobody reads, so little waits')
  const pieces: Buffer[] = []
  for await (const piece of socket) pieces.push(piece as Buffer)
  t.ok(Buffer.concat(pieces).equals(sent))
  t.same(taken, ['head'], 'and the first reader gets no more')
})

t.test('what has no handle is read as a stream', async (t) => {
  const stream = new PassThrough()
  const taken: string[] = []
  const inlet = new ClientInlet(stream as unknown as Socket, (bytes) => void taken.push(bytes.toString()))
  stream.write('a')
  await until(() => taken.length === 1, 'a piece')
  inlet.intoStream()
  stream.write('b')
  await new Promise((wake) => setImmediate(wake))
  t.same(taken, ['a'])
  t.equal(String(stream.read()), 'b')
})
