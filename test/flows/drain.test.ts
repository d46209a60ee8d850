/** SIGTERM: what was accepted is answered, what is idle ends, WebSockets are told, and the process ends in its time. */
import { once } from 'node:events'
import { type ClientHttp2Session, constants } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openRaw, openSession, rawExchange, requestTransports } from '../kit/clients.ts'
import { type Json, type ProcessGateway, startGateway, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { failuresOf, startLoad } from '../kit/steady-load.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until, within } from '../kit/wait.ts'

const upstream = await startUpstream()
t.teardown(() => upstream.close())

async function open(t: { teardown(fn: () => unknown): void }, drain: Json): Promise<ProcessGateway> {
  const gateway = await startGateway(testConfig(upstream.url, { drain }))
  t.teardown(() => gateway.close())
  return gateway
}

async function stop(gateway: ProcessGateway): Promise<void> {
  gateway.child.kill('SIGTERM')
  await until(() => gateway.log().includes('"message":"Draining"'), 'the drain')
}

/** What readiness says over plain HTTP on the admin listener. */
async function readiness(gateway: ProcessGateway): Promise<{ status: number; body: Json }> {
  const answer = await fetch(`http://127.0.0.1:${gateway.adminPort}/health/ready`)
  return { status: answer.status, body: (await answer.json()) as Json }
}

t.test('under load: no request that was accepted fails, WebSockets get 1001, the process ends with 0', async (t) => {
  const gateway = await open(t, { timeout: '60 seconds', webSocketWindow: '500 ms' })
  const place = { port: gateway.publicPort }
  const load = startLoad(t, place)
  const sockets = await Promise.all(
    socketTransports.flatMap((each) => [each, each, each].map(() => each.open(place, { path: '/ws/echo' }))),
  )
  const clients = requestTransports.map((each) => each.open(place))
  t.teardown(() => Promise.all(clients.map((each) => each.close())))
  let begun = 0
  let release: () => void = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  async function* upload(): AsyncGenerator<Buffer> {
    yield Buffer.from('first ')
    begun++
    await released
    for (let i = 0; i < 5; i++) {
      yield Buffer.from(`piece ${i} `)
      await sleep(10)
    }
  }
  const downloads = clients.map((each) => each.ask({ path: '/trickle?count=60&ms=25', onHead: () => begun++ }))
  const uploads = clients.map((each) => each.ask({ method: 'POST', path: '/upload', body: upload() }))
  await load.more(5)
  await until(() => begun === 4, 'the long requests')

  t.same(await readiness(gateway), { status: 200, body: { status: 'ready', reasons: [] } })
  await stop(gateway)
  t.same(await readiness(gateway), { status: 503, body: { status: 'not ready', reasons: ['draining'] } })
  const late = await requestTransports[0]!.open(place).ask({ path: '/late' })
  t.equal(late.error, 'ECONNREFUSED', 'nobody new is accepted')
  for (const socket of sockets) t.match(await socket.closed, { code: 1001, reason: 'going away' })
  t.equal(gateway.child.exitCode, null, 'it still waits for the long ones')
  release()
  for (const each of downloads) {
    const reply = await each
    t.match(reply, { status: 200, isComplete: true })
    t.match(reply.text, /\n59\n$/)
  }
  for (const each of uploads) {
    const reply = await each
    t.match(reply, { status: 200, isComplete: true })
    t.equal((reply.json() as Json).body, 'first piece 0 piece 1 piece 2 piece 3 piece 4 ')
  }
  t.equal(await within(gateway.exited, 'the end'), 0)

  const shots = await load.stop()
  const failed = shots.filter((shot) => failuresOf([shot]).length > 0)
  t.same(
    failed.filter((shot) => shot.status !== 0).map((shot) => `${shot.path} ${shot.status}`),
    [],
    'nobody is told that the gateway stops',
  )
  const seen = new Set(upstream.received.map((each) => each.url))
  t.same(
    failed.filter((shot) => seen.has(shot.path)),
    [],
    'what went to the service was answered',
  )
  const kinds = new Map<string, number>()
  for (const { transport, error } of failed) {
    const kind = `${transport} ${error}`
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  }
  t.comment(`${shots.length} requests; not accepted:`, Object.fromEntries(kinds))
  t.ok(shots.length - failed.length >= 30)
  const answered = new Set(gateway.accessLines().map((line) => line.path))
  t.same(
    shots.filter((shot) => shot.status === 200 && !answered.has(shot.path)),
    [],
    'the access log was written to its last line',
  )
  t.match(gateway.log(), /"message":"Stopped"/)
})

t.test('idle connections end by themselves; a request that has begun to come is answered', async (t) => {
  const gateway = await open(t, { timeout: '60 seconds', webSocketWindow: '100 ms' })
  const place = { port: gateway.publicPort }
  const idle = [openRaw(place), openSession(place)]
  const used = openRaw(place)
  used.write('GET /a HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await once(used, 'data')
  const half = openRaw(place)
  half.write('GET /half HTTP/1.1\r\nho')
  const raw = rawExchange(place, 'GET /b HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
  await raw
  const ends = [...idle, used].map((each) => new Promise((resolve) => each.on('close', resolve)))
  for (const each of idle) each.on('error', () => {})
  await stop(gateway)
  let text = ''
  half.on('data', (chunk) => {
    text += chunk
  })
  half.write('st: localhost\r\n\r\n')
  await within(once(half, 'close'), 'the end of the late one')
  t.match(text, /^HTTP\/1\.1 200 OK\r\n/)
  t.match(text, /\r\nconnection: close\r\n/)
  await within(Promise.all(ends), 'the end of the idle ones')
  t.equal(await within(gateway.exited, 'the end'), 0)
})

t.test(
  'over HTTP/2 a request that crosses the GOAWAY on its way is refused as unprocessed: safe to send again',
  async (t) => {
    const gateway = await open(t, { timeout: '60 seconds', webSocketWindow: '100 ms' })
    const place = { port: gateway.publicPort }
    const failed: { path: string; rstCode: number | undefined }[] = []
    let answered = 0
    const ask = async (session: ClientHttp2Session, path: string): Promise<void> => {
      const stream = session.request({ ':path': path, ':authority': 'localhost' })
      stream.on('error', () => {})
      stream.resume()
      let isAnswered = false
      stream.on('end', () => {
        isAnswered = true
      })
      await new Promise<void>((resolve) => stream.on('close', resolve))
      if (isAnswered && stream.rstCode === constants.NGHTTP2_NO_ERROR) answered++
      else failed.push({ path, rstCode: stream.rstCode })
    }
    const sessions = Array.from({ length: 6 }, () => openSession(place))
    const workers = sessions.map(async (session, index) => {
      for (let i = 0; !session.closed && !session.destroyed; i++) await ask(session, `/crossing/${index}-${i}`)
    })
    await until(() => answered > 50, 'the load')
    await stop(gateway)
    await within(Promise.all(workers), 'the end of the sessions')
    t.equal(await within(gateway.exited, 'the end'), 0)
    t.comment(`${answered} answered, ${failed.length} crossed`)
    const seen = new Set(upstream.received.map((each) => each.url))
    for (const { path, rstCode } of failed) {
      t.equal(rstCode, constants.NGHTTP2_REFUSED_STREAM)
      t.notOk(seen.has(path))
    }
  },
)

t.test('a second signal ends at once', async (t) => {
  const gateway = await open(t, { timeout: '10 minutes', webSocketWindow: '5 minutes' })
  const place = { port: gateway.publicPort }
  const clients = requestTransports.map((each) => each.open(place))
  t.teardown(() => Promise.all(clients.map((each) => each.close())))
  const before = upstream.received.length
  const hanging = clients.map((each) => each.ask({ path: '/never' }))
  const socket = await socketTransports[0]!.open(place, { path: '/ws/echo' })
  await until(() => upstream.received.length >= before + 3, 'the requests')
  await stop(gateway)
  t.equal(gateway.child.exitCode, null)
  gateway.child.kill('SIGTERM')
  t.equal(await within(gateway.exited, 'the end'), 0)
  for (const each of hanging) t.equal((await each).isComplete, false)
  await socket.closed
})

t.test('drain.timeout cuts what hangs', async (t) => {
  const gateway = await open(t, { timeout: '300 ms', webSocketWindow: '5 minutes' })
  const clients = requestTransports.map((each) => each.open({ port: gateway.publicPort }))
  t.teardown(() => Promise.all(clients.map((each) => each.close())))
  const before = upstream.received.length
  const hanging = clients.map((each) => each.ask({ path: '/never' }))
  await until(() => upstream.received.length >= before + 2, 'the requests')
  await stop(gateway)
  t.equal(await within(gateway.exited, 'the end'), 0)
  for (const each of hanging) t.equal((await each).isComplete, false)
  const cut = gateway.accessLines().filter((line) => line.path === '/never')
  t.same(
    cut.map((line) => [line.status, line.failure]),
    [
      [503, 'draining'],
      [503, 'draining'],
    ],
    'the access log says whose doing it was',
  )
})

t.test('a reload is not begun while the gateway stops', async (t) => {
  const gateway = await open(t, { timeout: '60 seconds', webSocketWindow: '100 ms' })
  const client = requestTransports[0]!.open({ port: gateway.publicPort })
  t.teardown(() => client.close())
  let begun = false
  const long = client.ask({
    path: '/trickle?count=30&ms=25',
    onHead: () => {
      begun = true
    },
  })
  await until(() => begun)
  await stop(gateway)
  gateway.child.kill('SIGHUP')
  await until(() => gateway.log().includes('Not reloaded: the gateway is stopping'), 'the refusal')
  t.match(await long, { status: 200, isComplete: true })
  t.equal(await within(gateway.exited, 'the end'), 0)
})

t.test('SIGINT stops like SIGTERM', async (t) => {
  const gateway = await open(t, {})
  gateway.child.kill('SIGINT')
  t.equal(await within(gateway.exited, 'the end'), 0)
})
