import { once } from 'node:events'
import { createServer as createHttpServer, type Server } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import fc from 'fast-check'
import { Server as SocketIoServer } from 'socket.io'
import { io } from 'socket.io-client'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import type { TunnelFilter, TunnelFilterFactory, TunnelSides } from '../../src/exchange/contracts.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  closeFrame,
  FrameReader,
  PING,
  parseClose,
  TEXT,
  writeFrame,
} from '../../src/http/websocket-frames.ts'
import { cleanMessage, compileRules } from '../../src/messages/rules.ts'
import { cleanPacket } from '../../src/messages/socketio-packets.ts'
import { webSocketFilter } from '../../src/messages/websocket-filter.ts'
import { messagesConfig } from '../kit/message-rules.ts'

const config = messagesConfig({ otherEvents: 'refuse', maxSize: 2000 })
const metrics = { count() {} }
const plain = webSocketFilter(compileRules(config), cleanMessage, metrics)
const closing = webSocketFilter(compileRules({ ...config, onViolation: 'close' }), cleanMessage, metrics)
const packets = webSocketFilter(compileRules(config), cleanPacket, metrics)

class Sides implements TunnelSides {
  readonly upstream: Buffer[] = []
  readonly client: Buffer[] = []
  ended = 0
  readonly filter: TunnelFilter

  constructor(factory: TunnelFilterFactory = plain) {
    this.filter = factory(null as unknown as Exchange, this)
  }

  toClient(chunk: Buffer): void {
    if (this.ended === 0) this.client.push(chunk)
  }

  toUpstream(chunk: Buffer): void {
    if (this.ended === 0) this.upstream.push(Buffer.from(chunk))
  }

  pauseClient(): void {}
  resumeClient(): void {}
  admit(): boolean | null {
    return true
  }
  end(): void {
    this.ended++
  }
}

function frames(chunks: Buffer[], masked: boolean): string[] {
  const reader = new FrameReader(masked, 1_000_000)
  reader.push(Buffer.concat(chunks))
  const seen: string[] = []
  while (reader.next()) {
    const said = reader.opcode === CLOSE ? parseClose(reader.payload)?.code : reader.payload.toString()
    seen.push(`${reader.opcode}${reader.isFinal ? '' : '+'} ${said}`)
  }
  if (reader.fault !== null) seen.push(`fault ${reader.fault.reason}`)
  return seen
}

const masked = (opcode: number, payload: string | Buffer, isFinal = true): Buffer => {
  const frame = writeFrame(opcode, Buffer.from(payload), true)
  if (!isFinal) frame[0]! &= 0x7f
  return frame
}

t.test('fragments are put together around control frames, cleaned, and sent on as one frame', (t) => {
  const stream = Buffer.concat([
    masked(TEXT, '{"text":"<sc', false),
    masked(PING, 'are you there'),
    masked(CONTINUATION, Buffer.from('ript>x</script>ü').subarray(0, -1), false),
    masked(CONTINUATION, '', false),
    masked(CONTINUATION, Buffer.concat([Buffer.from('ü').subarray(1), Buffer.from(' <b>y</b>"}')])),
    masked(BINARY, 'dropped'),
    masked(TEXT, '{"text":"clean"}'),
    masked(CLOSE, Buffer.from([3, 232])),
    masked(TEXT, 'after the close'),
  ])
  const expected = ['9 are you there', '1 {"text":"ü y"}', '1 {"text":"clean"}', '8 1000']
  let wrong = 0
  for (let at = 0; at <= stream.length; at++) {
    const sides = new Sides()
    sides.filter.onClientData(stream.subarray(0, at))
    sides.filter.onClientData(stream.subarray(at))
    if (JSON.stringify(frames(sides.upstream, true)) !== JSON.stringify(expected)) wrong++
    sides.filter.onEnd()
  }
  t.equal(wrong, 0)
  const bytewise = new Sides()
  for (const byte of stream) bytewise.filter.onClientData(Buffer.from([byte]))
  t.same(frames(bytewise.upstream, true), expected)
  t.end()
})

const BROKEN: [string, Buffer, number][] = [
  ['unmasked', writeFrame(TEXT, Buffer.from('<b>'), false), 1002],
  ['bad UTF-8', masked(TEXT, Buffer.from([0xc0, 0xbc])), 1007],
  ['half a character', masked(TEXT, Buffer.from([0xc3])), 1007],
  ['too big', masked(TEXT, 'x'.repeat(2001)), 1009],
  [
    'too big in pieces',
    Buffer.concat([masked(TEXT, 'x'.repeat(1500), false), masked(CONTINUATION, 'x'.repeat(501))]),
    1009,
  ],
  ['too big in binary', masked(BINARY, Buffer.alloc(2001)), 1009],
  ['lone continuation', masked(CONTINUATION, 'x'), 1002],
  ['bad close', masked(CLOSE, Buffer.from([0, 1])), 1002],
  ['compressed', Buffer.concat([Buffer.from([0xc1]), masked(TEXT, 'x').subarray(1)]), 1002],
]

t.test('broken frames close both sides and nothing of them passes', (t) => {
  for (const [name, bytes, code] of BROKEN) {
    const sides = new Sides()
    sides.filter.onClientData(bytes)
    sides.filter.onClientData(masked(TEXT, 'more'))
    t.same(frames(sides.upstream, true), [`8 ${code}`], name)
    t.same(frames(sides.client, false), [`8 ${code}`], name)
    t.equal(sides.ended, 1, name)
  }
  t.end()
})

t.test('a violation drops the message alone, or closes, by setting', (t) => {
  for (const [bad, code] of [
    [masked(TEXT, '{"text":"a","text":"b"}'), 1008],
    [masked(BINARY, 'x'), 1003],
  ] as [Buffer, number][]) {
    const sides = new Sides()
    sides.filter.onClientData(Buffer.concat([bad, masked(TEXT, 'next')]))
    t.same(frames(sides.upstream, true), ['1 next'])
    t.equal(sides.ended, 0)
    const strict = new Sides(closing)
    strict.filter.onClientData(Buffer.concat([bad, masked(TEXT, 'next')]))
    t.same(frames(strict.upstream, true), [`8 ${code}`])
    t.same(frames(strict.client, false), [`8 ${code}`])
  }
  t.end()
})

t.test('arbitrary client bytes never crash, and all that passes is masked, whole and clean', (t) => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    fc
      .tuple(
        fc.constantFrom(0, 1, 2, 8, 9, 10),
        fc.constantFrom('', 'a', '<b>', '{"text":"<b>"}', '\u00fc', '<'),
        fc.boolean(),
      )
      .map(([opcode, text, isFinal]) => masked(opcode, text, isFinal)),
    fc.constantFrom('<b>', 'x').map((text) => writeFrame(TEXT, Buffer.from(text), false)),
  )
  const property = fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(50), (pieces, cut) => {
    const sides = new Sides()
    const stream = Buffer.concat(pieces)
    sides.filter.onClientData(stream.subarray(0, cut))
    sides.filter.onClientData(stream.subarray(cut))
    sides.filter.onEnd()
    return frames(sides.upstream, true).every(
      (each) => !each.startsWith('fault') && !/^\d+\+/.test(each) && !/^1 .*<[a-z]/.test(each),
    )
  })
  fc.assert(property, { numRuns: 2000, seed: 9 })
  t.end()
})

t.test('bytes from the upstream pass as they are', (t) => {
  const sides = new Sides()
  const stream = Buffer.concat([
    writeFrame(TEXT, Buffer.from('<b>'), false),
    writeFrame(BINARY, Buffer.alloc(70_000), false),
  ])
  const parts = [stream.subarray(0, 3), stream.subarray(3, 900), stream.subarray(900)]
  for (const part of parts) sides.filter.onUpstreamData(part)
  t.same(sides.client, parts)
  t.end()
})

t.test('a close goes between two frames of the upstream, wherever it comes', (t) => {
  const one = writeFrame(TEXT, Buffer.from('first'), false)
  const two = writeFrame(TEXT, Buffer.from('x'.repeat(300)), false)
  const stream = Buffer.concat([one, two, one])
  let wrong = 0
  for (let at = 0; at < one.length + two.length; at++) {
    const sides = new Sides()
    sides.filter.onUpstreamData(stream.subarray(0, at))
    sides.filter.close(1001, 'going away')
    sides.filter.close(1001, 'again')
    sides.filter.onUpstreamData(stream.subarray(at, at + 2))
    sides.filter.onUpstreamData(stream.subarray(at + 2))
    const seen = frames(sides.client, false)
    const whole = at === 0 ? 0 : at <= one.length ? 1 : 2
    if (seen.length !== whole + 1 || seen.at(-1) !== '8 1001' || sides.ended !== 1) wrong++
    if (frames(sides.upstream, true).join() !== '8 1001') wrong++
  }
  t.equal(wrong, 0)
  t.end()
})

t.test('a frame that the upstream never finishes holds a close up only so long', async (t) => {
  const sides = new Sides()
  let ended = () => {}
  const end = new Promise<void>((resolve) => {
    ended = resolve
  })
  sides.end = () => ended()
  sides.filter.onUpstreamData(Buffer.from([0x81, 5, 97]))
  sides.filter.close(1001, '')
  const alive = setTimeout(() => {}, 30_000)
  await end
  clearTimeout(alive)
  t.equal(sides.client.length, 1)
})

t.test('nothing is put behind a close of the upstream', (t) => {
  const sides = new Sides()
  sides.filter.onUpstreamData(closeFrame(1000, '', false))
  sides.filter.close(1001, '')
  t.same(frames(sides.client, false), ['8 1000'])
  t.equal(sides.ended, 1)
  t.end()
})

/** Passes the handshake as it is and everything after it through a filter. */
async function relay(
  target: number,
  factory: TunnelFilterFactory,
): Promise<{ port: number; close: () => Promise<void> }> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        upstream.destroy()
      })
    }
    let filter: TunnelFilter | null = null
    client.on('data', (chunk: Buffer) => (filter === null ? upstream.write(chunk) : filter.onClientData(chunk)))
    let head = Buffer.alloc(0)
    upstream.on('data', (chunk: Buffer) => {
      if (filter !== null) return filter.onUpstreamData(chunk)
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\r\n\r\n') + 4
      if (end === 3) return
      filter = factory(null as unknown as Exchange, {
        toClient: (bytes) => client.write(bytes),
        toUpstream: (bytes) => upstream.write(bytes),
        pauseClient: () => client.pause(),
        resumeClient: () => client.resume(),
        admit: () => true,
        end: () => {
          client.end()
          upstream.end()
        },
      })
      client.write(head.subarray(0, end))
      if (end < head.length) filter.onUpstreamData(head.subarray(end))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const listen = async (server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

t.test('real ws clients talk through it', async (t) => {
  const http = createHttpServer()
  const wss = new WebSocketServer({ server: http })
  wss.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })))
  const proxy = await relay(await listen(http), plain)
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`)
  await once(socket, 'open')
  const answers: string[] = []
  socket.on('message', (data) => answers.push(String(data)))
  socket.send('{"text":"<b>one</b>"}')
  socket.send('{"text":"tw', { fin: false })
  socket.ping('x')
  socket.send('o<script>alert(1)</script>"}', { fin: true })
  socket.send(Buffer.from('binary'))
  socket.send('<i>three</i>')
  await once(socket, 'pong')
  while (answers.length < 3) await once(socket, 'message')
  t.same(answers, ['{"text":"one"}', '{"text":"two"}', 'three'])
  socket.close(1000, 'bye')
  const [code] = await once(socket, 'close')
  t.equal(code, 1000)
  const second = new WebSocket(`ws://127.0.0.1:${proxy.port}/`)
  await once(second, 'open')
  second.send('x'.repeat(3000))
  t.equal((await once(second, 'close'))[0], 1009)
  await proxy.close()
  wss.close()
  http.close()
})

t.test('real socket.io clients talk through it', async (t) => {
  const http = createHttpServer()
  const server = new SocketIoServer(http)
  const seen: unknown[] = []
  server.of('/room').on('connection', (socket) => {
    socket.on('message', (message, answer) => {
      seen.push(message)
      if (typeof answer === 'function') answer('heard')
    })
    socket.on('secret', (message) => seen.push(message))
  })
  const proxy = await relay(await listen(http), packets)
  const options = { transports: ['websocket'], reconnection: false, auth: { name: 'x' } }
  const client = io(`http://127.0.0.1:${proxy.port}/room`, options)
  await new Promise<void>((resolve) => client.on('connect', resolve))
  client.emit('secret', '<b>')
  client.emit('message', { text: Buffer.from('<b>') })
  client.emit('message', { text: '<b>one</b>', n: 1 })
  t.equal(await client.emitWithAck('message', { text: 'I <3 you' }), 'heard')
  t.same(seen, [{ text: 'one', n: 1 }, { text: 'I <3 you' }])
  client.disconnect()
  await server.close()
  await proxy.close()
})
