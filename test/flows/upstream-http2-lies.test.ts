/** A service that speaks HTTP/2 frame by frame, and lies: no answer is whole that is not, and none reaches another request. */
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer, type TLSSocket } from 'node:tls'
import fc from 'fast-check'
import t from 'tap'
import { makeCertificate } from '../kit/certificates.ts'
import { type Reply, requestTransports } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { ACK, block, END_HEADERS, END_STREAM, FRAME, frame, uint32 } from '../kit/http2-frames.ts'

t.setTimeout(300_000)

const PREFACE_BYTES = 24
type Fields = readonly (readonly [string, string])[]
const headers = (stream: number, fields: Fields, flags = END_HEADERS): Buffer =>
  frame(FRAME.headers, flags, stream, block(fields))
const data = (stream: number, text: string, flags = 0): Buffer => frame(FRAME.data, flags, stream, text)
const OK: Fields = [[':status', '200']]
const FIVE: Fields = [...OK, ['content-length', '5']]
const honest = (stream: number): Buffer[] => [headers(stream, FIVE), data(stream, 'truth', END_STREAM)]

/** What the service answers to the next request. */
let answer: (stream: number) => readonly Buffer[] = honest

const certificate = await makeCertificate({ names: ['127.0.0.1'] })
const ca = join(t.testdir(), 'ca.pem')
writeFileSync(ca, certificate.cert)
const sockets = new Set<TLSSocket>()
const server = createServer({ ...certificate, ALPNProtocols: ['h2'] }, (socket) => {
  sockets.add(socket)
  socket.on('error', () => {})
  socket.write(frame(FRAME.settings, 0, 0))
  let seen = Buffer.alloc(0)
  let skipped = false
  socket.on('data', (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk])
    if (!skipped && seen.length >= PREFACE_BYTES) {
      seen = seen.subarray(PREFACE_BYTES)
      skipped = true
    }
    while (skipped && seen.length >= 9 && seen.length >= 9 + seen.readUIntBE(0, 3)) {
      const [type, flags] = [seen[3]!, seen[4]!]
      const stream = seen.readUInt32BE(5) & 0x7fffffff
      if (type === FRAME.settings && (flags & ACK) === 0) socket.write(frame(FRAME.settings, ACK, 0))
      if (type === FRAME.headers) for (const each of answer(stream)) socket.write(each)
      seen = seen.subarray(9 + seen.readUIntBE(0, 3))
    }
  })
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const gateway = await startGatewayHere(
  testConfig('', {
    services: {
      chat: {
        endpoints: [`https://127.0.0.1:${(server.address() as AddressInfo).port}`],
        ...{ protocol: 'h2', tls: { ca }, timeouts: { firstByte: '500 ms', betweenBytes: '500 ms' } },
      },
    },
  }),
)
t.teardown(async () => {
  await gateway.close()
  for (const socket of sockets) socket.destroy()
  server.close()
})

/** Whole, and as long as it said; or an error of the gateway's; or cut. */
function isHonest(reply: Reply): boolean {
  // The length of a 304 is that of a body which it does not have.
  if (!reply.isComplete || reply.status >= 500 || reply.status === 304) return true
  const length = reply.header('content-length')
  return length === null || Number(length) === reply.body.length
}

const LIES: [string, (stream: number) => Buffer[]][] = [
  ['less than its length', (s) => [headers(s, FIVE), data(s, 'tru', END_STREAM)]],
  ['more than its length', (s) => [headers(s, FIVE), data(s, 'truth and more', END_STREAM)]],
  ['a length and no body', (s) => [headers(s, FIVE, END_HEADERS | END_STREAM)]],
  ['two lengths', (s) => [headers(s, [...FIVE, ['content-length', '3']]), data(s, 'tru', END_STREAM)]],
  ['a length that is no number', (s) => [headers(s, [...OK, ['content-length', '+3']]), data(s, 'tru', END_STREAM)]],
  ['a body before its head', (s) => [data(s, 'truth'), ...honest(s)]],
  ['no status', (s) => [headers(s, [['content-length', '5']]), data(s, 'truth', END_STREAM)]],
  ['two statuses', (s) => [headers(s, [...OK, [':status', '404']]), data(s, 'truth', END_STREAM)]],
  ['a status that is none', (s) => [headers(s, [[':status', '20x']]), data(s, 'truth', END_STREAM)]],
  ['a connection field', (s) => [headers(s, [...OK, ['transfer-encoding', 'chunked']]), data(s, 'x', END_STREAM)]],
  ['a name in upper case', (s) => [headers(s, [...OK, ['X-Upper', 'a']]), data(s, 'x', END_STREAM)]],
  ['a status in its trailers', (s) => [headers(s, OK), data(s, 'x'), headers(s, OK, END_HEADERS | END_STREAM)]],
  ['interim answers without end', (s) => [...Array.from({ length: 3000 }, () => headers(s, [[':status', '103']]))]],
  ['an answer that is taken back', (s) => [headers(s, OK), data(s, 'x'), frame(FRAME.reset, 0, s, uint32(2))]],
  [
    'half an answer, taken back without an error',
    (s) => [headers(s, OK), data(s, 'x'), frame(FRAME.reset, 0, s, uint32(0))],
  ],
  ['a head, taken back without an error', (s) => [headers(s, OK), frame(FRAME.reset, 0, s, uint32(0))]],
  ['nothing, taken back without an error', (s) => [frame(FRAME.reset, 0, s, uint32(0))]],
]

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open({ port: gateway.publicPort })
    t.teardown(() => client.close())
    const isWell = async (): Promise<boolean> => {
      answer = honest
      // A connection that was given up may take the first one with it.
      for (let i = 0; i < 3; i++) if ((await client.ask({ path: '/honest' })).text === 'truth') return true
      return false
    }

    for (const [name, lie] of LIES) {
      t.test(name, async (t) => {
        answer = lie
        const reply = await client.ask({ path: '/lie' })
        t.ok(reply.status >= 500 || !reply.isComplete, `${reply.status}, complete: ${reply.isComplete}, ${reply.text}`)
        t.equal(reply.header('x-forged'), null)
        t.equal(await isWell(), true, 'the next is served')
      })
    }

    t.test('a whole answer may be followed by a reset without an error', async (t) => {
      for (const method of ['GET', 'POST', 'HEAD'] as const) {
        answer = (s) => [
          headers(s, OK, method === 'HEAD' ? END_HEADERS | END_STREAM : END_HEADERS),
          ...(method === 'HEAD' ? [] : [data(s, 'truth', END_STREAM)]),
          frame(FRAME.reset, 0, s, uint32(0)),
        ]
        const reply = await client.ask({ method, path: '/whole', ...(method === 'POST' ? { body: 'question' } : {}) })
        t.equal(reply.status, 200, method)
        t.equal(reply.isComplete, true, method)
        t.equal(reply.text, method === 'HEAD' ? '' : 'truth')
      }
    })

    t.test('a line break in a value', async (t) => {
      answer = (s) => [headers(s, [...OK, ['x-a', 'b\r\nx-forged: c']]), data(s, 'x', END_STREAM)]
      const reply = await client.ask({ path: '/lie' })
      t.equal(reply.header('x-a'), null)
      t.equal(reply.header('x-forged'), null)
    })

    t.test('an answer to another request that nobody asked', async (t) => {
      answer = (s) => [...honest(s + 2), ...honest(s)]
      t.equal(isHonest(await client.ask({ path: '/lie' })), true)
      t.equal(await isWell(), true)
    })

    t.test('frames at random', async () => {
      const status = fc.constantFrom('103', '200', '204', '304', '404', '', '20x')
      const length = fc.constantFrom(null, '0', '3', '5', '7')
      const flags = fc.constantFrom(0, END_HEADERS, END_STREAM, END_HEADERS | END_STREAM)
      const piece = fc.oneof(
        fc.tuple(status, length, flags).map(([code, bytes, bits]) => (s: number) => {
          const fields: Fields =
            bytes === null
              ? [[':status', code]]
              : [
                  [':status', code],
                  ['content-length', bytes],
                ]
          return headers(s, fields, bits | END_HEADERS)
        }),
        fc.tuple(fc.constantFrom('', 'tru', 'truth', 'untrue!'), fc.constantFrom(0, END_STREAM)).map(
          ([text, bits]) =>
            (s: number) =>
              data(s, text, bits),
        ),
        fc.tuple(fc.nat(12), fc.nat(255), fc.uint8Array({ maxLength: 12 })).map(
          ([type, bits, bytes]) =>
            (s: number) =>
              frame(type, bits, s, Buffer.from(bytes)),
        ),
      )
      await fc.assert(
        fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 6 }), async (pieces) => {
          answer = (s) => [...pieces.map((make) => make(s)), frame(FRAME.reset, 0, s, uint32(2))]
          return isHonest(await client.ask({ path: '/random' })) && (await isWell())
        }),
        { numRuns: 120, seed: 2 },
      )
    })
  })
}
