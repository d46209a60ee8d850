/** Slow readers on either side of 200 MB: the gateway waits with them, holds little, and everything arrives. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { requestTransports } from '../kit/clients.ts'
import { startGateway, testConfig } from '../kit/gateway.ts'
import { openSlowReader } from '../kit/slow-reader.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const BYTES = 200_000_000
const MOST_GROWTH = 60_000_000
const PIECE = 65_536

const upstream = await startUpstream()
const gateway = await startGateway(
  testConfig(upstream.url, {
    routes: [
      {
        path: '/*',
        service: 'chat',
        profiles: ['internet'],
        purpose: 'test',
        methods: ['GET', 'POST'],
        maxBody: '1 GB',
      },
    ],
  }),
)
const place = { port: gateway.publicPort }

/** The bytes of a body by position: a piece that is lost, doubled or moved changes the hash. */
function piece(index: number): Buffer {
  const bytes = Buffer.alloc(Math.min(PIECE, BYTES - index * PIECE), index & 0xff)
  bytes.writeUInt32LE(index, 0)
  return bytes
}
const PIECES = Math.ceil(BYTES / PIECE)
const expected = createHash('sha256')
for (let i = 0; i < PIECES; i++) expected.update(piece(i))
const HASH = expected.digest('hex')

upstream.on('/download', (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': String(BYTES) })
  let next = 0
  const more = (): void => {
    while (next < PIECES) if (!response.write(piece(next++))) return
    response.end()
  }
  response.on('drain', more)
  more()
})

/** Bytes that the service has read of the upload. */
let uploaded = 0
upstream.on('/upload', async (request, response) => {
  uploaded = 0
  const hash = createHash('sha256')
  // Nothing at first, while the client sends as much as it may.
  await sleep(1500)
  for await (const chunk of request) {
    uploaded += chunk.length
    hash.update(chunk)
    // The kit keeps what it hears, which is much here.
    for (const connection of upstream.connections) connection.chunks.length = 0
    if (uploaded < 20_000_000) await sleep(2)
  }
  response.end(hash.digest('hex'))
})

const resident = (): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${gateway.child.pid}/status`, 'utf8'))![1]) * 1024

/** Watches the gateway's memory until it is told to stop. */
function watchMemory(): { stop: () => number } {
  const before = resident()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, resident())
  }, 50)
  return {
    stop: () => {
      clearInterval(timer)
      return most - before
    },
  }
}

t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    // What any traffic costs is not what is measured.
    const client = transport.open(place)
    t.teardown(() => client.close())
    for (let i = 0; i < 30; i++) await client.ask({ path: '/huge?bytes=2000000' })

    t.test('a download at the pace of its reader', async (t) => {
      const memory = watchMemory()
      const reader = await openSlowReader(transport.name, place, '/download')
      t.teardown(() => reader.destroy())
      await sleep(1500)
      for (let i = 0; i < 20; i++) {
        await reader.read(1_000_000)
        await sleep(50)
      }
      t.equal(await reader.readAll(), true)
      const growth = memory.stop()
      t.ok(growth < MOST_GROWTH, `the gateway grew by ${Math.round(growth / 1e6)} MB`)
      t.equal(reader.bytes, BYTES)
      t.equal(reader.hash(), HASH)
    })

    t.test('an upload at the pace of the service', async (t) => {
      const memory = watchMemory()
      let given = 0
      async function* pieces(): AsyncGenerator<Buffer> {
        for (let i = 0; i < PIECES; i++) {
          given += Math.min(PIECE, BYTES - i * PIECE)
          yield piece(i)
        }
      }
      const run = client.ask({ method: 'POST', path: '/upload', body: pieces() })
      await sleep(1200)
      t.ok(given < 60_000_000, `the client could send ${Math.round(given / 1e6)} MB to nobody`)
      const reply = await run
      const growth = memory.stop()
      t.ok(growth < MOST_GROWTH, `the gateway grew by ${Math.round(growth / 1e6)} MB`)
      t.equal(reply.text, HASH)
      t.equal(uploaded, BYTES)
    })
  })
}

t.test('the gateway serves on', async (t) => {
  const client = requestTransports[1]!.open(place)
  t.teardown(() => client.close())
  await until(async () => (await client.ask({ path: '/x' })).status === 200, 'an answer')
  t.pass()
})
