/**
 * An HTTP/2 client that writes its frames by hand, legal or not, over TLS. It keeps no rules of the protocol: it sends what it
 * is told, and notes what came back.
 */
import { connect } from 'node:tls'
import { type Place, tlsOptions } from './clients.ts'
import { within } from './wait.ts'

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const
export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4
export const PADDED = 8

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** latin1 strings or bytes. */
export type Bytes = string | Buffer

export function frame(type: number, flags: number, stream: number, payload: Bytes = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
  const head = Buffer.alloc(9)
  head.writeUIntBE(body.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, body])
}

/** Four bytes, for windows and codes. */
export function uint32(value: number): Buffer {
  const out = Buffer.alloc(4)
  out.writeUInt32BE(value >>> 0)
  return out
}

/** One entry of SETTINGS. */
export function setting(id: number, value: number): Buffer {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(id)
  return Buffer.concat([head, uint32(value)])
}

/** HPACK, literal without indexing and without Huffman: any bytes can stand in names and values. */
export function block(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]))
}

/** An HPACK string of any length. */
export function text(value: string): Buffer {
  return Buffer.concat([integer(value.length, 7, 0), Buffer.from(value, 'latin1')])
}

/** An HPACK integer with a prefix of so many bits. */
export function integer(value: number, bits: number, first: number): Buffer {
  const most = 2 ** bits - 1
  if (value < most) return Buffer.from([first | value])
  const out = [first | most]
  let rest = value - most
  while (rest >= 128) {
    out.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  out.push(rest)
  return Buffer.from(out)
}

export interface ReceivedFrame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export interface FrameClient {
  readonly received: ReceivedFrame[]
  isClosed: boolean
  /** Resolves when the bytes are written, or the connection is gone. */
  send(...frames: Buffer[]): Promise<void>
  /** Resolves when the server has closed the connection. */
  readonly closed: Promise<void>
  /** Resolves when the condition holds or the connection is gone. */
  until(condition: (client: FrameClient) => boolean): Promise<void>
  /** The error code of GOAWAY; -1 where none came. */
  goaway(): number
  /** What became of a stream: its status, `reset <code>`, or ''. */
  outcome(stream: number): string
  close(): void
}

/** Connects and sends the preface with empty SETTINGS. `acknowledges`: answers the server's SETTINGS and PINGs. */
export async function openFrames(place: Place, preface: Buffer = PREFACE): Promise<FrameClient> {
  const socket = connect({ ...tlsOptions(place), ALPNProtocols: ['h2'] })
  let rest = Buffer.alloc(0)
  let wake: (() => void)[] = []
  const closed = Promise.withResolvers<void>()
  const client: FrameClient = {
    received: [],
    isClosed: false,
    closed: closed.promise,
    send: (...frames) =>
      new Promise((resolve) => {
        if (client.isClosed || !socket.writable) return resolve()
        socket.once('close', () => resolve())
        socket.write(Buffer.concat(frames), () => resolve())
      }),
    until: async (condition) => {
      const end = (async () => {
        while (!client.isClosed && !condition(client)) await new Promise<void>((resolve) => wake.push(resolve))
      })()
      await within(end, 'an answer of the server')
    },
    goaway: () => {
      const found = client.received.findLast(({ type }) => type === FRAME.goaway)
      return found === undefined ? -1 : found.payload.readUInt32BE(4)
    },
    outcome: (stream) => {
      const head = client.received.find((each) => each.type === FRAME.headers && each.stream === stream)
      if (head !== undefined) return String(status(head.payload))
      const reset = client.received.find((each) => each.type === FRAME.reset && each.stream === stream)
      return reset === undefined ? '' : `reset ${reset.payload.readUInt32BE(0)}`
    },
    close: () => socket.destroy(),
  }
  const wakeAll = (): void => {
    const list = wake
    wake = []
    for (const each of list) each()
  }
  socket.setMaxListeners(0)
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const length = rest.readUIntBE(0, 3)
      client.received.push({
        type: rest[3]!,
        flags: rest[4]!,
        stream: rest.readUInt32BE(5) & 0x7fffffff,
        payload: Buffer.from(rest.subarray(9, 9 + length)),
      })
      rest = rest.subarray(9 + length)
    }
    wakeAll()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    client.isClosed = true
    closed.resolve()
    wakeAll()
  })
  await within(new Promise<void>((resolve) => socket.once('secureConnect', resolve)), 'the handshake')
  await client.send(preface, frame(FRAME.settings, 0, 0))
  return client
}

const INDEXED: Record<number, number> = { 8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500 }
const DIGITS: Record<string, string> = {
  ...{ '00000': '0', '00001': '1', '00010': '2', '011001': '3', '011010': '4' },
  ...{ '011011': '5', '011100': '6', '011101': '7', '011110': '8', '011111': '9' },
}

/** :status out of the first header block of a connection; 0 where it is not understood. */
function status(payload: Buffer): number {
  let at = 0
  while ((payload[at]! & 0xe0) === 0x20) at++
  const first = payload[at]!
  if (first >= 0x80) return INDEXED[first & 0x7f] ?? 0
  const length = payload[at + 1]!
  const value = payload.subarray(at + 2, at + 2 + (length & 0x7f))
  if (length < 0x80) return Number(value.toString('latin1'))
  let bits = [...value].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  let digits = ''
  while (digits.length < 3) {
    const code = Object.keys(DIGITS).find((each) => bits.startsWith(each))
    if (code === undefined) return 0
    digits += DIGITS[code]
    bits = bits.slice(code.length)
  }
  return Number(digits)
}
