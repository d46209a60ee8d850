/** `@fastify/http-proxy` as a peer: a program of its own. */
import { randomUUID } from 'node:crypto'
import httpProxy from '@fastify/http-proxy'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { accessLine, admits, readNodePeer } from './node-peer.ts'

const peer = readNodePeer()
const headers = Object.fromEntries(peer.headers)

const options = { logger: false, keepAliveTimeout: 75_000, bodyLimit: 64 * 1024 } as const
// The two kinds of server have different types; what is used here is the same in both.
const app = (peer.http2
  ? fastify({ ...options, http2: true, https: { ...peer.tls, allowHTTP1: true } })
  : fastify({ ...options, https: peer.tls })) as unknown as FastifyInstance

const startedAt = new WeakMap<FastifyRequest, number>()

app.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done) => {
  startedAt.set(request, performance.now())
  if (!admits(request.ip)) return void reply.code(429).send()
  reply.headers(headers)
  done()
})
app.addHook('onResponse', (request: FastifyRequest, reply: FastifyReply, done) => {
  peer.log.write(accessLine(request.ip, request.method, request.url, reply.statusCode, startedAt.get(request) ?? 0))
  done()
})
await app.register(httpProxy, {
  upstream: `http://127.0.0.1:${peer.sitePort}`,
  undici: { connections: 256, pipelining: 1, keepAliveTimeout: 60_000 },
  replyOptions: {
    rewriteRequestHeaders: (request, sent) => ({
      ...sent,
      'x-forwarded-for': request.socket.remoteAddress,
      'x-forwarded-proto': 'https',
      'x-forwarded-host': request.headers.host,
      'x-forwarded-port': String(peer.port),
      'x-request-id': randomUUID(),
    }),
    rewriteHeaders: ({ server: _, ...kept }) => kept,
  },
})
await app.listen({ port: peer.port, host: '127.0.0.1', backlog: 4096 })
