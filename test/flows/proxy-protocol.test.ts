/** A listener that requires the PROXY protocol: whose header is believed, and what becomes of everybody else. */
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectNet, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { binaryHeader, crcField, ipv4Block, ipv6Block } from '../kit/proxy-header.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until, within } from '../kit/wait.ts'

interface Echo {
  headers: string[]
}

const upstream = await startUpstream()
const proxyProtocol = { from: ['127.0.0.1', '127.0.0.7'], timeout: '20 seconds' }
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener({ proxyProtocol, redirectFrom: '127.0.0.1:0', deny: ['203.0.113.66'] }),
      capped: publicListener({ proxyProtocol, connections: { perAddress: 2 } }),
      hasty: publicListener({ proxyProtocol: { ...proxyProtocol, timeout: '50 ms' } }),
      chain: publicListener({ proxyProtocol, trustedProxies: ['192.0.2.7'] }),
      bare: publicListener(),
      admin: { address: '127.0.0.1:0' },
    },
  }),
)
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})
const portOf = (name: string): number => gateway.port(`listeners.${name}.address`)
const v1 = (from: string): Buffer => Buffer.from(`PROXY TCP4 ${from} 198.51.100.1 56324 443\r\n`)

function dial(port: number, from = '127.0.0.1'): Socket {
  const socket = connectNet({ host: '127.0.0.1', port, localAddress: from })
  socket.on('error', () => {})
  socket.setNoDelay(true)
  return socket
}

/** Each piece in a segment of its own, as far as the system lets us. */
async function write(socket: Socket, pieces: readonly (string | Buffer)[]): Promise<void> {
  for (const piece of pieces) {
    await new Promise((done) => socket.write(piece, done))
    await new Promise(setImmediate)
  }
}

async function closed(socket: Socket, what: string): Promise<void> {
  socket.resume()
  await until(() => socket.destroyed, what)
}

async function readAll(socket: Socket, enough: string): Promise<string> {
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  await until(() => text.includes(enough) || socket.destroyed, `the answer with ${enough}`)
  return text
}

/** One request over TLS behind what `pieces` wrote; what the service saw. */
async function askHttp1(raw: Socket, path = '/echo'): Promise<{ text: string; headers: string[] }> {
  const tls = connectTls({
    socket: raw,
    servername: 'localhost',
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  })
  tls.on('error', () => {})
  tls.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
  let text = ''
  tls.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  await until(() => tls.destroyed || raw.destroyed, 'the answer')
  const body = /\r\n\r\n([\s\S]*)$/.exec(text)?.[1] ?? ''
  const json = /\{[\s\S]*\}/.exec(body)?.[0]
  return { text, headers: text.startsWith('HTTP/1.1 200') ? (JSON.parse(json!) as Echo).headers : [] }
}

async function askHttp2(raw: Socket): Promise<string[]> {
  const session = connectHttp2('https://localhost', {
    createConnection: () =>
      connectTls({ socket: raw, servername: 'localhost', rejectUnauthorized: false, ALPNProtocols: ['h2'] }),
  })
  session.on('error', () => {})
  const stream = session.request({ ':path': '/echo', ':authority': 'localhost' })
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('error', () => {})
  await within(new Promise((done) => stream.on('close', done)), 'the end of the stream')
  session.destroy()
  return (JSON.parse(Buffer.concat(chunks).toString()) as Echo).headers
}

const fieldOf = (headers: string[], name: string): string | null => {
  const at = headers.findIndex((each, i) => i % 2 === 0 && each.toLowerCase() === name)
  return at === -1 ? null : headers[at + 1]!
}

const HEADERS: readonly [string, Buffer, string, string][] = [
  ['version 1, IPv4', v1('203.0.113.9'), '203.0.113.9', '443'],
  ['version 1, IPv6', Buffer.from('PROXY TCP6 2001:db8::9 2001:db8::1 1 443\r\n'), '2001:db8::9', '443'],
  ['version 1, UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), '127.0.0.1', String(portOf('public'))],
  ['version 2, IPv4', crcField(binaryHeader(0x21, 0x11, ipv4Block('203.0.113.9', 443))), '203.0.113.9', '443'],
  ['version 2, IPv6', binaryHeader(0x21, 0x21, ipv6Block(`20010db8${'0'.repeat(23)}9`, 8443)), '2001:db8::9', '8443'],
  ['version 2, LOCAL', binaryHeader(0x20, 0x00), '127.0.0.1', String(portOf('public'))],
]

for (const [name, header, address, port] of HEADERS) {
  t.test(`${name}: its address is the client`, async (t) => {
    const check = (headers: string[], how: string): void => {
      t.equal(fieldOf(headers, 'x-forwarded-for'), address, how)
      t.equal(fieldOf(headers, 'x-real-ip'), address, how)
      t.equal(fieldOf(headers, 'x-forwarded-port'), port, how)
    }
    const one = dial(portOf('public'))
    await write(one, [header])
    check((await askHttp1(one)).headers, 'h1')
    const two = dial(portOf('public'))
    await write(two, [header])
    check(await askHttp2(two), 'h2')
    await until(() => gateway.accessLines().filter((line) => line.client === address).length >= 2, 'the access lines')
  })
}

t.test('the header may come in two parts, cut anywhere, the handshake right behind it', async (t) => {
  for (const header of [v1('203.0.113.9'), crcField(binaryHeader(0x21, 0x11, ipv4Block('203.0.113.9', 443)))]) {
    for (let cut = 1; cut < header.length; cut++) {
      const socket = dial(portOf('public'))
      await write(socket, [header.subarray(0, cut), header.subarray(cut)])
      const { headers } = await askHttp1(socket)
      if (fieldOf(headers, 'x-real-ip') !== '203.0.113.9') t.fail(`cut at ${cut}`)
    }
  }
  t.pass()
})

t.test('the header and the first bytes of the handshake may come in one segment', async (t) => {
  const socket = dial(portOf('public'))
  socket.cork()
  socket.write(v1('203.0.113.10'))
  const answer = askHttp1(socket)
  process.nextTick(() => process.nextTick(() => socket.uncork()))
  t.equal(fieldOf((await answer).headers, 'x-real-ip'), '203.0.113.10')
})

t.test('over plain HTTP, the redirect listener reads it too', async (t) => {
  const port = gateway.port('listeners.public.redirectFrom')
  for (const pieces of [
    [
      Buffer.concat([
        v1('203.0.113.11'),
        Buffer.from('GET /a HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'),
      ]),
    ],
    [v1('203.0.113.11'), 'GET /a HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'],
  ]) {
    const socket = dial(port)
    await write(socket, pieces)
    t.match(await readAll(socket, '\r\n\r\n'), /^HTTP\/1\.1 308 /)
    await closed(socket, 'the end')
  }
  await until(() => gateway.accessLines().some((line) => line.client === '203.0.113.11'), 'the access line')
})

t.test('address lists go by the address in the header', async (t) => {
  const socket = dial(portOf('public'))
  await write(socket, [v1('203.0.113.66')])
  t.match((await askHttp1(socket)).text, /^HTTP\/1\.1 403 /)
})

t.test('trusted proxies behind the balancer are known by the address in the header', async (t) => {
  for (const [from, client] of [
    ['192.0.2.7', '203.0.113.12'],
    ['192.0.2.8', '192.0.2.8'],
  ] as const) {
    const raw = dial(portOf('chain'))
    await write(raw, [v1(from)])
    const tls = connectTls({ socket: raw, servername: 'localhost', rejectUnauthorized: false })
    tls.on('error', () => {})
    tls.write('GET /echo HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 203.0.113.12\r\nconnection: close\r\n\r\n')
    t.match(await readAll(tls, '}'), new RegExp(`"x-real-ip","${client.replaceAll('.', '\\.')}"`))
    tls.destroy()
  }
})

t.test('connections are counted by the address in the header, and given back', async (t) => {
  const open = async (from: string): Promise<Socket> => {
    const socket = dial(portOf('capped'))
    await write(socket, [v1(from)])
    return socket
  }
  const shake = (raw: Socket): Promise<boolean> =>
    new Promise((done) => {
      const tls = connectTls({ socket: raw, servername: 'localhost', rejectUnauthorized: false })
      tls.on('secureConnect', () => done(true))
      tls.on('error', () => done(false))
      raw.on('close', () => done(false))
    })
  const [a, b] = [await open('203.0.113.20'), await open('203.0.113.20')]
  t.same([await shake(a), await shake(b)], [true, true])
  const c = await open('203.0.113.20')
  t.equal(await shake(c), false, 'the third of one address')
  const d = await open('203.0.113.21')
  t.equal(await shake(d), true, 'another address by the same balancer')
  a.destroy()
  let again = false
  await until(async () => {
    if (!again) again = await shake(await open('203.0.113.20'))
    return again
  }, 'a slot that was given back')
  for (const each of [b, d]) each.destroy()
})

t.test('nothing else is let in, and nothing of it reaches the service', async (t) => {
  const before = upstream.received.length
  const v2 = binaryHeader(0x21, 0x11, ipv4Block('203.0.113.9', 443))
  for (const [name, bytes] of [
    ['a request', 'GET /echo HTTP/1.1\r\nhost: localhost\r\n\r\n'],
    ['a handshake', Buffer.from('1603010005010000010303', 'hex')],
    ['a malformed line', 'PROXY TCP4 203.0.113.9 198.51.100.1 443\r\n'],
    ['a line that never ends', `PROXY UNKNOWN ${'x'.repeat(200)}`],
    ['version 2, too long', binaryHeader(0x21, 0x11, ipv4Block('203.0.113.9', 443), Buffer.alloc(5000))],
    ['version 2, wrong sum', Buffer.concat([crcField(v2).subarray(0, -1), Buffer.from([0])])],
    ['a second header', Buffer.concat([v1('203.0.113.9'), v1('203.0.113.30')])],
    ['a second header of the other version', Buffer.concat([v2, v1('203.0.113.30')])],
    ['a header in front of plain HTTP', Buffer.concat([v1('203.0.113.9'), Buffer.from('GET / HTTP/1.1\r\n\r\n')])],
  ] as const) {
    const socket = dial(portOf('public'))
    socket.write(bytes)
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
    })
    await closed(socket, `the end after ${name}`)
    t.notMatch(text, /HTTP\/1\.1 [23]/, name)
  }
  t.equal(upstream.received.length, before)
})

t.test('a second header on the redirect listener is a malformed request', async (t) => {
  for (const second of [v1('203.0.113.30'), binaryHeader(0x21, 0x11, ipv4Block('203.0.113.30', 443))]) {
    const socket = dial(gateway.port('listeners.public.redirectFrom'))
    await write(socket, [v1('203.0.113.9'), second, 'GET / HTTP/1.1\r\nhost: localhost\r\n\r\n'])
    t.match(await readAll(socket, '\r\n\r\n'), /^HTTP\/1\.1 400 /)
    socket.destroy()
  }
})

t.test('who is not on the list is closed, whatever is sent', async (t) => {
  for (const bytes of [v1('203.0.113.9'), Buffer.from('')]) {
    const socket = dial(portOf('public'), '127.0.0.5')
    if (bytes.length > 0) socket.write(bytes)
    await closed(socket, 'the end for a stranger')
  }
  const friend = dial(portOf('public'), '127.0.0.7')
  await write(friend, [v1('203.0.113.31')])
  t.equal(fieldOf((await askHttp1(friend)).headers, 'x-real-ip'), '203.0.113.31', 'the list is not just one')
})

t.test('a header that does not come in time is not waited for', async (t) => {
  const silent = dial(portOf('hasty'))
  const slow = dial(portOf('hasty'))
  slow.write('PROXY TCP4 ')
  await closed(silent, 'the end of the silent one')
  await closed(slow, 'the end of the slow one')
  t.pass()
})

t.test('a header where none is expected is refused', async (t) => {
  const socket = dial(portOf('bare'))
  await write(socket, [v1('203.0.113.9')])
  t.equal((await askHttp1(socket)).text, '')
})
