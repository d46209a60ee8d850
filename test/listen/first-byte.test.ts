/** The first byte is waited for and stays to be read; who sends none, or leaves, is told once and closed. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t from 'tap'
import { awaitFirstByte } from '../../src/listen/first-byte.ts'
import { until } from '../kit/wait.ts'

async function pair(t: { teardown(fn: () => unknown): void }): Promise<{ client: Socket; server: Socket }> {
  const listening = createServer().listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const client = connect((listening.address() as { port: number }).port, '127.0.0.1')
  client.on('error', () => {})
  const [server] = (await once(listening, 'connection')) as [Socket]
  server.on('error', () => {})
  t.teardown(() => {
    listening.close()
    client.destroy()
    server.destroy()
  })
  return { client, server }
}

const wait = (socket: Socket, ms: number): string[] => {
  const told: string[] = []
  awaitFirstByte(
    socket,
    ms,
    () => told.push('byte'),
    (why) => told.push(why),
  )
  return told
}

t.test('the byte stays, and nothing listens any more', async (t) => {
  const { client, server } = await pair(t)
  const told = wait(server, 60_000)
  client.write('he')
  await until(() => told.length > 0, 'the byte')
  t.same(told, ['byte'])
  t.equal(server.listenerCount('readable'), 0)
  t.equal(String(server.read()), 'he')
  client.write('llo')
  t.equal(String((await once(server, 'data'))[0]), 'llo', 'what comes later comes')
  client.destroy()
  await once(server, 'close')
  t.same(told, ['byte'], 'told once')
})

t.test('none in time', async (t) => {
  const { client, server } = await pair(t)
  const told = wait(server, 50)
  client.resume()
  await once(client, 'close')
  t.same(told, ['timeout'])
  t.equal(server.destroyed, true)
})

t.test('the client leaves without one: by its end, by a reset', async (t) => {
  for (const leave of [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy()]) {
    const { client, server } = await pair(t)
    const told = wait(server, 60_000)
    leave(client)
    await until(() => told.length > 0, 'the end')
    t.same(told, ['closed'])
    t.equal(server.destroyed, true)
  }
})
