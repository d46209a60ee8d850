/** Memory that connections share: nobody's bytes are ever found in another one's request or answer. */
import { connect as connectTls, type TLSSocket } from 'node:tls'
import t from 'tap'
import { tlsOptions } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const CROWD = 24
const REQUESTS = 12

const upstream = await startUpstream()
// Gives back what it got, with the name that stood in the head.
upstream.on('/own', async (request, response) => {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  const body = Buffer.concat(pieces)
  response.writeHead(200, { 'content-length': String(body.length), 'x-name': String(request.headers['x-name']) })
  response.end(body)
})
const gateway = await startGatewayHere(
  testConfig(upstream.url, { listeners: { public: publicListener(), admin: { address: '127.0.0.1:0' } } }),
)
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})

/** The same on every run. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

interface Asker {
  readonly socket: TLSSocket
  readonly bytes: Buffer
  readonly expected: string[]
  got: string
  sent: number
}

/** Requests of one client, one behind the other: by length and chunked, small ones and some of more than one TLS record. */
function askerOf(name: string, below: (n: number) => number): Asker {
  const parts: Buffer[] = []
  const expected: string[] = []
  for (let i = 0; i < REQUESTS; i++) {
    const mark = `${name}-${i};`
    const size = below(5) === 0 ? 20_000 + below(30_000) : below(400)
    const body = mark.repeat(Math.ceil(size / mark.length))
    const head = `POST /own HTTP/1.1\r\nhost: localhost\r\nx-name: ${mark}\r\n`
    if (below(3) === 0) {
      const cut = below(body.length + 1)
      const chunks = [body.slice(0, cut), body.slice(cut)].filter((each) => each !== '')
      const coded = chunks.map((each) => `${each.length.toString(16)}\r\n${each}\r\n`).join('')
      parts.push(Buffer.from(`${head}transfer-encoding: chunked\r\n\r\n${coded}0\r\n\r\n`))
    } else parts.push(Buffer.from(`${head}content-length: ${body.length}\r\n\r\n${body}`))
    expected.push(`${mark}|${body}`)
  }
  const socket = connectTls({ ...tlsOptions({ port: gateway.publicPort }), ALPNProtocols: ['http/1.1'] })
  const asker: Asker = { socket, bytes: Buffer.concat(parts), expected, got: '', sent: 0 }
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    asker.got += chunk.toString('latin1')
  })
  return asker
}

/** `x-name|body` of each answer that is whole. */
function answersIn(text: string): string[] {
  const found: string[] = []
  let at = 0
  for (;;) {
    const end = text.indexOf('\r\n\r\n', at)
    if (end === -1) return found
    const head = text.slice(at, end)
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
    if (text.length < end + 4 + length) return found
    found.push(`${/x-name: (.*)/i.exec(head)?.[1] ?? head.split('\r\n')[0]}|${text.slice(end + 4, end + 4 + length)}`)
    at = end + 4 + length
  }
}

for (const seed of [1, 2, 3]) {
  t.test(`pipelined requests of ${CROWD} clients, cut anywhere and mixed (seed ${seed})`, async (t) => {
    const below = random(seed)
    const askers = Array.from({ length: CROWD }, (_, i) => askerOf(`client${seed}x${i}`, below))
    t.teardown(() => {
      for (const { socket } of askers) socket.destroy()
    })
    await until(() => askers.every(({ socket }) => socket.getSession() !== undefined), 'all handshakes')
    // One of them reads late, so that answers wait.
    askers[0]!.socket.pause()
    for (let open = askers; open.length > 0; open = askers.filter(({ bytes, sent }) => sent < bytes.length)) {
      for (const asker of open) {
        const length = below(4) === 0 ? 1 + below(20_000) : 1 + below(300)
        asker.socket.write(asker.bytes.subarray(asker.sent, asker.sent + length))
        asker.sent += length
      }
      await new Promise((wake) => setImmediate(wake))
    }
    askers[0]!.socket.resume()
    await until(() => askers.every(({ got, expected }) => answersIn(got).length >= expected.length), 'all answers')
    for (const { got, expected } of askers) t.same(answersIn(got), expected)
  })
}
