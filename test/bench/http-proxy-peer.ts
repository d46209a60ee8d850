/** `http-proxy` as a peer: a program of its own. */
import { randomUUID } from 'node:crypto'
import { Agent, type IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import httpProxy from 'http-proxy'
import { accessLine, admits, readNodePeer } from './node-peer.ts'

const peer = readNodePeer()
const site = `http://127.0.0.1:${peer.sitePort}`
const sockets = `http://127.0.0.1:${peer.socketPort}`
const proxy = httpProxy.createProxyServer({ agent: new Agent({ keepAlive: true, maxSockets: 256 }), xfwd: true })

proxy.on('error', (_error, _request, answer) => {
  if (answer !== undefined && 'writeHead' in answer) answer.writeHead(502).end()
  else answer?.destroy()
})
proxy.on('proxyRes', (answer: IncomingMessage) => {
  delete answer.headers.server
})

const server = createServer({ ...peer.tls, keepAliveTimeout: 75_000 }, (request, response) => {
  const startedAt = performance.now()
  const address = request.socket.remoteAddress ?? ''
  const { method = '', url = '' } = request
  if (!admits(address)) return void response.writeHead(429).end()
  for (const [name, value] of peer.headers) response.setHeader(name, value)
  request.headers['x-request-id'] = randomUUID()
  response.once('finish', () => peer.log.write(accessLine(address, method, url, response.statusCode, startedAt)))
  proxy.web(request, response, { target: site })
})
server.on('upgrade', (request, socket, head) => {
  if (!admits(request.socket.remoteAddress ?? '')) return void socket.destroy()
  socket.on('error', () => {})
  proxy.ws(request, socket, head, { target: sockets, agent: false })
})
server.listen(peer.port, '127.0.0.1', 4096)
