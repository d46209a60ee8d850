/**
 * The attacking process: `attacker.ts NAME PORT SECONDS CONNECTIONS`. Keeps so many connections for so long, opens cut ones
 * again, then waits for the gateway to cut the rest. Prints what became of them as one line of JSON.
 */
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { FRAME, frame } from '../../kit/http2-frames.ts'
import { FLOODS, type Flood } from './floods.ts'
import { SLOW_ATTACKS } from './slow.ts'

export interface AttackOutcome {
  /** Connections that began to attack. */
  readonly begun: number
  /** The most of them at once. */
  readonly most: number
  /** Of those that began, those that the gateway closed. */
  readonly cut: number
  /** Still open at the end of the wait. */
  readonly left: number
  /** Bytes that floods sent. */
  readonly sent: number
}

const [name = '', port = '', seconds = '', connections = ''] = process.argv.slice(2)
const WANTED = Number(connections)
/** New connections in a second: a flood of handshakes would be another attack. */
const OPEN_PER_SECOND = 800
const SOURCES = 100
const SETTLE_MS = 15_000
const TICK_MS = 20
const FLOOD_AGAIN_MS = 1000
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

const open = new Set<Socket>()
const begun = new Set<Socket>()
let begunCount = 0
let cut = 0
let most = 0
let sent = 0
let running = true
/** A flooder that was cut comes back after a moment. */
let resting = 0

/** 127.1.0.1 and on: addresses of this machine only. */
const sourceOf = (i: number): string => `127.1.${Math.floor((i % SOURCES) / 250)}.${(i % SOURCES) + 1}`

function attack(i: number): void {
  const slow = SLOW_ATTACKS[name]
  const onOpen = (): void => {
    begunCount++
    begun.add(socket)
    most = Math.max(most, begun.size)
  }
  const socket =
    slow === undefined ? flood(FLOODS[name]!, sourceOf(i), onOpen) : slow(Number(port), sourceOf(i), onOpen)
  open.add(socket)
  socket.on('error', () => {})
  // A reader that reads nothing does not see the end of its connection either.
  socket.once('end', () => socket.destroy())
  socket.once('close', () => {
    open.delete(socket)
    if (begun.delete(socket)) cut++
    if (slow !== undefined || !running) return
    resting++
    setTimeout(() => resting--, FLOOD_AGAIN_MS)
  })
}

function flood(what: Flood, from: string, onOpen: () => void): Socket {
  const socket = connectTls({
    ...{
      host: '127.0.0.1',
      port: Number(port),
      localAddress: from,
      servername: 'localhost',
      rejectUnauthorized: false,
    },
    ALPNProtocols: ['h2'],
    ecdhCurve: 'X25519',
  })
  socket.once('secureConnect', () => {
    onOpen()
    socket.write(Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0), what.first]))
    let round = 0
    const more = (): void => {
      if (!running || socket.destroyed) return
      const bytes = what.more(round++)
      sent += bytes.length
      socket.write(bytes, () => setImmediate(more))
    }
    more()
  })
  socket.resume()
  return socket
}

let opened = 0
const startedAt = performance.now()
const endsAt = startedAt + Number(seconds) * 1000
let allowed = 0
let before = startedAt
while (performance.now() < endsAt) {
  const now = performance.now()
  allowed = Math.min(OPEN_PER_SECOND, allowed + ((now - before) / 1000) * OPEN_PER_SECOND)
  before = now
  while (allowed >= 1 && open.size + resting < WANTED) {
    allowed--
    attack(opened++)
  }
  await sleep(TICK_MS)
}
running = false
const giveUpAt = performance.now() + SETTLE_MS
while (open.size > 0 && performance.now() < giveUpAt) {
  // What is still unread hides the end from a paused socket.
  if (name === 'slow read') for (const socket of open) probe(socket)
  await sleep(200)
}
const outcome: AttackOutcome = { begun: begunCount, most, cut, left: begun.size, sent }
process.stdout.write(`${JSON.stringify(outcome)}\n`)
process.exit(0)

/** A write to a connection that is gone fails. */
function probe(socket: Socket): void {
  if (socket.writable) socket.write('x')
}
