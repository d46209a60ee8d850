/** Which first bytes of a connection are an authority's challenge: only a whole ClientHello that offers `acme-tls/1` and nothing else. */
import { createServer } from 'node:net'
import { connect } from 'node:tls'
import fc from 'fast-check'
import t from 'tap'
import { readHello } from '../../src/listen/client-hello.ts'

/** What OpenSSL sends first. */
function helloOf(ALPNProtocols: string[] | undefined): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      const chunks: Buffer[] = []
      socket.on('error', () => {})
      socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        const bytes = Buffer.concat(chunks)
        if (bytes.length < 5 || bytes.length < 5 + bytes.readUInt16BE(3)) return
        socket.destroy()
        server.close()
        resolve(bytes)
      })
    })
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      const options = ALPNProtocols === undefined ? {} : { ALPNProtocols }
      connect({ port, host: '127.0.0.1', servername: 'a.example.com', ...options }).on('error', () => {})
    })
  })
}

t.test('real ones', async (t) => {
  t.equal(readHello(await helloOf(['acme-tls/1'])), 'challenge')
  t.equal(readHello(await helloOf(['h2', 'http/1.1'])), 'other')
  t.equal(readHello(await helloOf(['acme-tls/1', 'h2'])), 'other', 'one protocol, no list (RFC 8737, 3)')
  t.equal(readHello(await helloOf(['h2', 'acme-tls/1'])), 'other')
  t.equal(readHello(await helloOf(undefined)), 'other')
  t.equal(readHello(Buffer.from('GET / HTTP/1.1\r\n')), 'other')
  t.equal(readHello(Buffer.from([22, 3, 1, 0xff, 0xff])), 'other', 'no record is that long')
  t.equal(readHello(Buffer.alloc(0)), 'more')
})

t.test('every beginning asks for more, and what follows changes nothing', async (t) => {
  const hello = await helloOf(['acme-tls/1'])
  for (let end = 0; end < hello.length; end++) t.equal(readHello(hello.subarray(0, end)), 'more')
  t.equal(readHello(Buffer.concat([hello, Buffer.alloc(100, 0xff)])), 'challenge')
})

t.test('damaged ones never throw, and none is a challenge that does not name it', async (t) => {
  const hello = await helloOf(['acme-tls/1'])
  const damage = fc.array(fc.tuple(fc.nat(hello.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 8 })
  fc.assert(
    fc.property(damage, fc.nat(hello.length), (changes, end) => {
      const bytes = Buffer.from(hello)
      for (const [at, value] of changes) bytes[at] = value
      const verdict = readHello(bytes.subarray(0, end))
      return verdict !== 'challenge' || bytes.includes('acme-tls/1')
    }),
    { numRuns: 3000, seed: 7 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (rest) => {
      const bytes = Buffer.concat([Buffer.from([22, 3, 1, rest.length >> 8, rest.length & 0xff]), rest])
      return readHello(bytes) === 'other'
    }),
    { numRuns: 2000, seed: 7 },
  )
  t.pass()
})
