/**
 * A chat service as a process of its own, for tests that kill, hang and slow it down: REST, an event stream, socket.io 4 or
 * 2. Every POST that it acts on goes to a file before it is answered. Run by chat-nodes.ts.
 */
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from 'socket.io'
import { type OldSocket, oldServer } from './socket-io-2.ts'

const [name = '', kind = 'new', port = '0', file = ''] = process.argv.slice(2)
let isWell = true
let slowMs = 0

const http = createServer((request, response) => {
  const path = request.url!.split('?')[0]!
  request.on('error', () => {})
  response.on('error', () => {})
  const answer = (status: number, text: string): void => {
    response.writeHead(status, { 'content-type': 'text/plain', 'x-node': name })
    response.end(text)
  }
  if (path === '/health') return answer(isWell ? 200 : 503, isWell ? 'ok' : 'ill')
  if (path === '/be/ill' || path === '/be/well') {
    isWell = path === '/be/well'
    return answer(200, name)
  }
  if (path.startsWith('/be/slow/')) {
    slowMs = Number(path.slice('/be/slow/'.length))
    return answer(200, name)
  }
  if (path === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const timer = setInterval(() => response.write(`data: ${name}\n\n`), 50)
    response.write(`data: ${name}\n\n`)
    response.on('close', () => clearInterval(timer))
    return
  }
  request.resume()
  request.on('end', () => {
    if (request.method === 'POST' && file !== '') appendFileSync(file, `${request.url}\n`)
    setTimeout(() => answer(path.startsWith('/fail/') ? Number(path.slice('/fail/'.length)) : 200, name), slowMs)
  })
})
// Longer than the gateway keeps its connections.
http.keepAliveTimeout = 60_000

const options = { pingInterval: 2000, pingTimeout: 20_000, serveClient: false }

/** Says the name of the node with every message, so that a client sees where it is. */
function welcome(socket: { emit(event: string, ...values: unknown[]): unknown }): void {
  const hearing = socket as unknown as OldSocket
  hearing.on('message', ((value: unknown, done?: (answer: unknown) => void) => {
    done?.({ value, node: name })
  }) as never)
}

if (kind === 'old') {
  oldServer(http, { ...options, path: '/socket.io' })
    .of('/')
    .on('connection', welcome as never)
} else {
  new Server(http, { ...options, path: '/socket.io/' }).on('connection', welcome as never)
}
http.listen(Number(port), '127.0.0.1', () => {
  process.stdout.write(`listening ${(http.address() as AddressInfo).port}\n`)
})
