/**
 * Two gigabytes up and down through the gateway over HTTP/1.1 and HTTP/2, at full speed and with a slow peer, while its
 * resident memory is watched: `node test/bench/streams.ts [--bytes N] [--write]`. Ends with 1 where it passed 200 MB.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex, Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { authorityOf, openRaw, openSession, type Place } from '../kit/clients.ts'
import { startGateway, testConfig } from '../kit/gateway.ts'
import { cpuSeconds, residentBytes } from './cpu.ts'
import { machine, table, writeSection } from './marked-section.ts'

const MB = 2 ** 20
const MOST_BYTES = 200 * MB
const PIECE = Buffer.alloc(64 * 1024, 'stream ')
/** How a slow peer is slow: nothing at all, then so many pauses with a little in between, then full speed. */
const STALL_MS = 3000
const PAUSES = 40
const PAUSE_MS = 50

const { values } = parseArgs({
  options: { bytes: { type: 'string', default: String(2 * 2 ** 30) }, write: { type: 'boolean', default: false } },
})
const BYTES = Number(values.bytes)

/** Reads to the end and counts; a slow one takes its time first. */
async function drainOf(stream: Readable, isSlow: boolean): Promise<number> {
  if (isSlow) await sleep(STALL_MS)
  let bytes = 0
  let pauses = isSlow ? PAUSES : 0
  for await (const chunk of stream) {
    bytes += (chunk as Buffer).length
    if (pauses > 0) {
      pauses--
      await sleep(PAUSE_MS)
    }
  }
  return bytes
}

async function fill(stream: Writable, bytes: number): Promise<void> {
  for (let left = bytes; left > 0 && !stream.destroyed; left -= PIECE.length) {
    if (!stream.write(PIECE.subarray(0, Math.min(left, PIECE.length)))) await once(stream, 'drain')
  }
  stream.end()
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const isSlow = request.url!.includes('slow')
  if (request.method === 'POST') {
    response.end(String(await drainOf(request, isSlow)))
    return
  }
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': String(BYTES) })
  await fill(response, BYTES)
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy())
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const route = { path: '/*', service: 'chat', profiles: ['internet'], purpose: 'benchmark', maxBody: '4 GB' }
const gateway = await startGateway(
  testConfig(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { routes: [route] }),
)
const place: Place = { port: gateway.publicPort }

/** One request; the answer's body. `bytes` is 0 for a GET. */
async function ask(transport: string, path: string, bytes: number): Promise<{ body: Readable; close: () => void }> {
  const method = bytes === 0 ? 'GET' : 'POST'
  if (transport === 'h2') {
    const session = openSession(place)
    const fields = bytes === 0 ? {} : { 'content-length': String(bytes) }
    const stream = session.request(
      { ':method': method, ':path': path, ':authority': authorityOf(place), ...fields },
      { endStream: bytes === 0 },
    )
    if (bytes > 0) void fill(stream, bytes)
    await once(stream, 'response')
    return { body: stream, close: () => session.destroy() }
  }
  const socket = openRaw(place)
  await once(socket, 'secureConnect')
  const length = bytes === 0 ? '' : `content-length: ${bytes}\r\n`
  socket.write(`${method} ${path} HTTP/1.1\r\nhost: ${authorityOf(place)}\r\nconnection: close\r\n${length}\r\n`)
  if (bytes > 0) await send(socket, bytes)
  await skipHead(socket)
  return { body: socket, close: () => socket.destroy() }
}

/** As `fill`, but the socket stays open. */
async function send(socket: Duplex, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= PIECE.length) {
    if (!socket.write(PIECE.subarray(0, Math.min(left, PIECE.length)))) await once(socket, 'drain')
  }
}

async function skipHead(socket: Duplex): Promise<void> {
  let head = Buffer.alloc(0)
  for (;;) {
    const end = head.indexOf('\r\n\r\n')
    if (end !== -1) {
      if (!head.toString('latin1').startsWith('HTTP/1.1 200 ')) throw new Error(head.toString('latin1', 0, 40))
      socket.unshift(head.subarray(end + 4))
      return
    }
    const chunk = socket.read() as Buffer | null
    if (chunk === null) await once(socket, 'readable')
    else head = Buffer.concat([head, chunk])
  }
}

const rows: string[][] = []
let failed = false
try {
  for (const transport of ['h1', 'h2']) {
    for (const way of ['down', 'up']) {
      for (const peer of ['fast', 'slow']) {
        let most = 0
        const timer = setInterval(() => {
          most = Math.max(most, residentBytes(gateway.child.pid!))
        }, 50)
        const startedAt = performance.now()
        const cpuBefore = cpuSeconds(gateway.child.pid!)
        const { body, close } = await ask(transport, `/${peer}`, way === 'up' ? BYTES : 0)
        // The service is the slow one of an upload.
        let moved: number
        if (way === 'up') moved = Number(Buffer.concat(await body.toArray()).toString('latin1'))
        else moved = await drainOf(body, peer === 'slow')
        const seconds = (performance.now() - startedAt) / 1000
        clearInterval(timer)
        close()
        const held = moved === BYTES && most < MOST_BYTES
        failed ||= !held
        const cpu = cpuSeconds(gateway.child.pid!) - cpuBefore
        rows.push([
          transport,
          way,
          peer,
          `${Math.round(BYTES / MB)} MB`,
          `${seconds.toFixed(1)} s`,
          `${cpu.toFixed(1)} s`,
          `${Math.round(most / MB)} MB`,
          held ? 'yes' : `no (${moved} bytes)`,
        ])
        console.log(rows.at(-1)!.join('  '))
      }
    }
  }
} finally {
  await gateway.close()
  server.closeAllConnections()
  server.close()
}

const text = table(
  ['protocol', 'way', 'peer', 'moved', 'took', 'processor', 'most resident', 'whole, under 200 MB'],
  rows,
)
console.log(`\n${text}`)
if (values.write)
  writeSection('docs/performance.md', 'streams', `${text}\n\nMeasured on ${machine()}, other work running beside it.`)
process.exitCode = failed ? 1 : 0
