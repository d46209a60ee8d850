/** Stands between a gateway and pebble: sees requests, may hold them, answers some itself, and changes the directory. */
import { request as ask, createServer } from 'node:https'
import type { Test } from 'tap'
import { makeCertificate } from './certificates.ts'
import type { Pebble } from './pebble.ts'

interface AcmeProxyWish {
  /** The request goes on when this resolves. */
  onRequest?: (path: string, body: string) => Promise<void> | void
  /** Its own answer to a path, JSON; null for what pebble shall answer. */
  answer?: (path: string) => unknown
  /** Further members of the directory; `base` is the origin. */
  directory?: (base: string) => Record<string, string>
}

/** What a gateway needs to order through it. */
export async function startAcmeProxy(t: Test, pebble: Pebble, wish: AcmeProxyWish) {
  const issuer = await makeCertificate({ names: [], subject: 'CN=proxy authority', authority: true })
  const { cert, key } = await makeCertificate({ names: ['localhost'], issuer })
  const behind = new URL(pebble.directory)
  const server = createServer({ cert, key }, (request, response) => {
    const { method, headers, url: path = '' } = request
    const own = wish.answer?.(path) ?? null
    if (own !== null) {
      response.setHeader('retry-after', '21600')
      response.end(JSON.stringify(own))
      return
    }
    const body: Buffer[] = []
    request.on('data', (chunk: Buffer) => body.push(chunk))
    request.on('end', async () => {
      await wish.onRequest?.(path, Buffer.concat(body).toString())
      const options = { host: '127.0.0.1', port: behind.port, path, method, headers, agent: false }
      const sent = ask({ ...options, rejectUnauthorized: false }, (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('end', () => {
          let text = Buffer.concat(chunks).toString()
          if (path === '/dir') {
            text = JSON.stringify({ ...JSON.parse(text), ...wish.directory?.(`https://${headers.host}`) })
          }
          const { 'transfer-encoding': _, 'content-length': __, ...fields } = answer.headers
          response.writeHead(answer.statusCode!, fields).end(method === 'HEAD' ? undefined : text)
        })
      })
      sent.on('error', () => response.destroy())
      sent.end(Buffer.concat(body))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as { port: number }
  return { directory: `https://localhost:${port}/dir`, ca: issuer.cert, externalAccount: null }
}
