/** The answer to CONNECT against a real socket: what opens a tunnel, in whatever pieces it comes, and that nothing else does. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import type { UpstreamError } from '../../src/upstream/dispatch.ts'
import { ForwardProxy } from '../../src/upstream/forward-proxy.ts'
import { ProxyTunnel } from '../../src/upstream/proxy-tunnel.ts'
import { within } from '../kit/wait.ts'

let script: (socket: Socket, head: string) => unknown = () => {}
const server = createServer((socket) => {
  socket.on('error', () => {})
  socket.once('data', (head) => script(socket, head.toString('latin1')))
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
t.teardown(() => server.close())

const words: string[] = []
const open = new ForwardProxy({ url }, null, (_proxy, reason) => words.push(reason))
const signed = new ForwardProxy({ url, auth: { user: 'zoë', password: { env: 'X' } } }, 'pass:wörd', () => {})

/** The code of the failure, or the stream. Told once, or the test fails. */
function ask(answer: typeof script, proxy = open, host = 'chat.example', port = 443): Promise<string | Socket> {
  script = answer
  let told = 0
  const end = new Promise<string | Socket>((resolve) => {
    const tell = (what: string | Socket): void => {
      if (++told > 1) throw new Error('told twice')
      resolve(what)
    }
    new ProxyTunnel(proxy, host, port, {
      onTunnel: tell,
      onTunnelFailed: (error: UpstreamError) => tell(error.code),
    })
  })
  return within(end, 'the outcome')
}

/** In pieces that arrive apart from one another, more or less. */
const inPieces =
  (text: string, cuts: readonly number[], isLast = false): typeof script =>
  async (socket) => {
    const places = [0, ...[...new Set(cuts.map((cut) => cut % text.length))].sort((a, b) => a - b), text.length]
    for (let i = 1; i < places.length; i++) {
      socket.write(text.slice(places[i - 1], places[i]), 'latin1')
      await nextTurn()
    }
    if (isLast) socket.end()
  }

t.test('what the proxy is told', async (t) => {
  const heads: string[] = []
  const note: typeof script = (socket, head) => {
    heads.push(head)
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
  }
  for (const host of ['chat.example', '2001:db8::1']) {
    const stream = (await ask(note, host === 'chat.example' ? open : signed, host, 8443)) as Socket
    t.ok(stream.isPaused())
    stream.destroy()
  }
  const basic = Buffer.from('zoë:pass:wörd', 'utf8').toString('base64')
  t.same(heads, [
    'CONNECT chat.example:8443 HTTP/1.1\r\nhost: chat.example:8443\r\n\r\n',
    `CONNECT [2001:db8::1]:8443 HTTP/1.1\r\nhost: [2001:db8::1]:8443\r\nproxy-authorization: Basic ${basic}\r\n\r\n`,
  ])
})

t.test('a 2xx opens, whatever length it names, and after 1xx; the stream begins behind it', async (t) => {
  for (const head of [
    'HTTP/1.0 200 Connection established\r\nProxy-agent: tinyproxy/1.11.1\r\n\r\n',
    'HTTP/1.1 200\r\n\r\n',
    'HTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
  ]) {
    const stream = (await ask((socket) => {
      socket.write(head)
      socket.on('data', (bytes) => socket.end(`echo ${bytes}`))
    })) as Socket
    t.not(typeof stream, 'string', head)
    stream.resume().write('hello')
    t.equal(`${(await once(stream, 'data'))[0]}`, 'echo hello')
    stream.destroy()
  }
})

t.test('property: the status decides, in whatever pieces the head comes', async () => {
  const field = fc.tuple(fc.stringMatching(/^[a-z]{1,8}(?:-[a-z]{1,5})?$/), fc.stringMatching(/^[!-~]{1,12}$/))
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 200, max: 599 }),
      fc.array(field, { maxLength: 6 }),
      fc.array(fc.nat(500), { maxLength: 6 }),
      async (status, fields, cuts) => {
        const lines = fields.filter(([name]) => !/^(?:content-length|transfer-encoding)$/.test(name))
        const head = `HTTP/1.1 ${status} X\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
        const outcome = await ask(inPieces(head, cuts))
        if (typeof outcome !== 'string') outcome.destroy()
        const wanted =
          status < 300
            ? 'object'
            : status === 401 || status === 407
              ? 'PROXY_AUTH'
              : status < 500
                ? 'PROXY_REFUSED'
                : 'PROXY_FAILED'
        return (typeof outcome === 'string' ? outcome : typeof outcome) === wanted
      },
    ),
    { seed: 8, numRuns: 150 },
  )
})

t.test('property: bytes that are no whole head, or more than one, never open a tunnel', async () => {
  const head = 'HTTP/1.1 200 OK\r\nproxy-agent: x\r\n\r\n'
  const spoilt = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.nat(head.length - 2).map((end) => head.slice(0, end + 1)),
    fc.uint8Array({ minLength: 1, maxLength: 50 }).map((bytes) => head + Buffer.from(bytes).toString('latin1')),
    fc.tuple(fc.nat(head.length - 1), fc.constantFrom('\0', '\n', '\r', '\x80', ' ')).map(([at, odd]) => {
      const text = head.slice(0, at) + odd + head.slice(at)
      return /^HTTP\/1\.1 200 [^\0\r\n]*\r\n[a-z-]+:[^\0\r\n]*\r\n\r\n$/.test(text) ? '\n' : text
    }),
  )
  await fc.assert(
    fc.asyncProperty(spoilt, async (text) => {
      // In one piece: what comes later belongs to the service.
      const outcome = await ask((socket) => void socket.end(text, 'latin1'))
      if (typeof outcome !== 'string') outcome.destroy()
      return outcome === 'PROXY_BAD_ANSWER' || outcome === 'PROXY_CLOSED'
    }),
    { seed: 8, numRuns: 300 },
  )
})

t.test('a proxy that comes and goes is said, and not for every connection', async (t) => {
  words.length = 0
  const proxy = new ForwardProxy({ url }, null, (place, reason) => words.push(`${place} ${reason}`))
  for (const status of [407, 407, 502, 407, 200, 407]) {
    const outcome = await ask((socket) => socket.write(`HTTP/1.1 ${status} X\r\n\r\n`), proxy)
    if (typeof outcome !== 'string') outcome.destroy()
  }
  const place = new URL(url).host
  t.same(words, [`${place} the proxy asks for a user and a password, and none are configured (407)`, `${place} `])
})
