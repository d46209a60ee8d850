/**
 * WebSocket load: `relay` sends a message on every socket as soon as the last one came back; `idle` opens sockets and does
 * nothing. Raw frames over TLS: a client library would cost more than what is measured.
 */
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { type ClientSettings, runClient } from './client-program.ts'
import { filler, SOCKET_PATH } from './place.ts'

const MESSAGE_BYTES = 200
const OPENING_AT_ONCE = 50
/** Sockets from one loopback address; bounds by address must not matter, nor the number of ports. */
const PER_ADDRESS = 500
const OPEN_MS = 20_000

const START = '{"text":"'
const MESSAGE = Buffer.from(`${START}${filler(MESSAGE_BYTES - START.length - 2)}"}`)
const ANSWER = Buffer.concat([Buffer.from([0x81, 126, MESSAGE_BYTES >> 8, MESSAGE_BYTES & 0xff]), MESSAGE])
const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78])
const QUESTION = Buffer.concat([
  Buffer.from([0x81, 0x80 | 126, MESSAGE_BYTES >> 8, MESSAGE_BYTES & 0xff]),
  MASK,
  MESSAGE.map((byte, i) => byte ^ MASK[i & 3]!),
])

class Relay {
  messages = 0
  failure: string | null = null
  readonly #socket: TLSSocket
  #bytes = 0
  #isRunning = false
  #checked = Buffer.alloc(0)

  constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('close', () => {
      this.failure ??= 'a socket was closed'
    })
  }

  start(): void {
    this.#isRunning = true
    this.#socket.write(QUESTION)
  }

  pause(): void {
    this.#isRunning = false
  }

  #onData(chunk: Buffer): void {
    // The first answer is compared byte for byte; later ones are counted by their length.
    if (this.messages === 0) this.#checked = Buffer.concat([this.#checked, chunk])
    this.#bytes += chunk.length
    if (this.#bytes < ANSWER.length) return
    if (this.messages === 0 && !this.#checked.equals(ANSWER)) this.failure = 'another answer than the message'
    if (this.#bytes > ANSWER.length) this.failure = 'more than the message came back'
    this.#bytes = 0
    this.messages++
    if (this.#isRunning) this.#socket.write(QUESTION)
  }
}

function open(port: number, index: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] },
      localAddress: `127.0.0.${2 + Math.floor(index / PER_ADDRESS)}`,
    } as ConnectionOptions)
    const timer = setTimeout(() => socket.destroy(new Error('a WebSocket did not open in time')), OPEN_MS)
    let head = ''
    const onData = (chunk: Buffer): void => {
      head += chunk.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end === -1) return
      clearTimeout(timer)
      socket.off('data', onData)
      if (head.startsWith('HTTP/1.1 101') && end + 4 === head.length) resolve(socket)
      else reject(new Error(`no WebSocket: ${head.slice(0, 200)}`))
    }
    socket.on('data', onData)
    socket.on('error', reject)
    socket.once('close', () => reject(new Error('a WebSocket was closed before it opened')))
    socket.setNoDelay(true)
    socket.once('secureConnect', () => {
      socket.write(
        `GET ${SOCKET_PATH} HTTP/1.1\r\nhost: localhost:${port}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n` +
          'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      )
    })
  })
}

async function openAll({ port, count }: ClientSettings): Promise<TLSSocket[]> {
  const sockets: TLSSocket[] = []
  while (sockets.length < count) {
    const size = Math.min(OPENING_AT_ONCE, count - sockets.length)
    const first = sockets.length
    sockets.push(...(await Promise.all(Array.from({ length: size }, (_, i) => open(port, first + i)))))
  }
  return sockets
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

await runClient(async (settings) => {
  const sockets = await openAll(settings)
  if (settings.mode === 'idle') {
    let closed = 0
    for (const socket of sockets) socket.once('close', () => closed++)
    return async () => {
      await sleep(settings.seconds * 1000)
      return closed === 0 ? { open: sockets.length } : { error: `${closed} idle sockets were closed` }
    }
  }
  const relays = sockets.map((socket) => new Relay(socket))
  return async () => {
    const startedAt = performance.now()
    for (const relay of relays) relay.start()
    await sleep(settings.seconds * 1000)
    for (const relay of relays) relay.pause()
    const seconds = (performance.now() - startedAt) / 1000
    const failure = relays.find((relay) => relay.failure !== null || relay.messages === 0)
    if (failure !== undefined) return { error: failure.failure ?? 'a socket got no answer' }
    return { done: relays.reduce((sum, relay) => sum + relay.messages, 0), seconds }
  }
})
