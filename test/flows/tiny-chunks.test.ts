/** A body of tiny chunks costs the service what its bytes cost, not what its chunks would. */
import t from 'tap'
import { rawExchange } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startRawUpstream } from '../kit/upstream.ts'

const recorder = await startRawUpstream(({ socket, chunks }) => {
  socket.on('data', () => {
    if (Buffer.concat(chunks.slice(-2)).toString('latin1').endsWith('\r\n0\r\n\r\n')) {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    }
  })
})
const gateway = await startGatewayHere(
  testConfig(recorder.url, { listeners: { public: publicListener(), admin: { address: '127.0.0.1:0' } } }),
)
t.teardown(async () => {
  await gateway.close()
  await recorder.close()
})

t.test('one-byte chunks that come together are sent on together', async (t) => {
  const size = 20_000
  const body = Array.from({ length: size }, (_, i) => `1\r\n${String.fromCharCode(97 + (i % 26))}\r\n`).join('')
  const head = 'POST /x HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n'
  await rawExchange({ port: gateway.publicPort }, `${head}${body}0\r\n\r\n`, {
    enough: (text) => text.includes('HTTP/1.1'),
  })
  const bytes = Buffer.concat(recorder.connections.flatMap(({ chunks }) => chunks)).toString('latin1')
  const sent = bytes.slice(bytes.indexOf('\r\n\r\n') + 4)
  const sizes: number[] = []
  let text = ''
  for (let at = 0; at < sent.length; ) {
    const end = sent.indexOf('\r\n', at)
    const length = Number.parseInt(sent.slice(at, end), 16)
    sizes.push(length)
    text += sent.slice(end + 2, end + 2 + length)
    at = end + 4 + length
  }
  t.equal(text.length, size)
  t.equal(text.slice(0, 30), 'abcdefghijklmnopqrstuvwxyzabcd')
  // TLS records hold 16 KB: 120,000 bytes of chunks are eight of them, and the end.
  t.ok(sizes.length < 40, `${sizes.length} chunks`)
})
