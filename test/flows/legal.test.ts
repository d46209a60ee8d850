/**
 * Every row of the legal table through the whole gateway: served, unchanged in meaning, and the connection still in step:
 * a last request follows each row and must be answered as what it is.
 */
import t from 'tap'
import { type Place, type RawResult, rawExchange } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { type Received, startUpstream } from '../kit/upstream.ts'
import { LEGAL_REQUESTS, type LegalRequest, type Seen } from './legal-requests.ts'

const AT_ONCE = 8
t.setTimeout(300_000)

const upstream = await startUpstream()
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener({ hosts: ['localhost', '127.0.0.1', '::1'], connections: { perAddress: 10_000 } }),
      admin: { address: '127.0.0.1:0' },
    },
    routes: [
      {
        path: '/*',
        service: 'chat',
        profiles: ['internet'],
        purpose: 'test',
        methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      },
    ],
  }),
)
const place: Place = { port: gateway.publicPort }

t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})

let marker = 0

async function run(row: LegalRequest, split: (bytes: string) => string[]): Promise<string> {
  const id = `m${(marker++).toString(36).padStart(5, '0')}`
  const last = row.isLast ? '' : `GET /${id}-last HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n`
  const bytes = (row.bytes + last)
    .replaceAll('{id}', id)
    .replaceAll('{host}', `localhost:${place.port}`)
    .replaceAll('{port}', String(place.port))
  const result = await rawExchange(place, split(bytes)).catch((error: Error) => error)
  if (result instanceof Error) return result.message
  return judge(row, id, result)
}

function judge(row: LegalRequest, id: string, result: RawResult): string {
  const statuses = result.statuses.filter((status) => status >= 200)
  const expected = row.seen.length + (row.isLast ? 0 : 1)
  if (statuses.length !== expected || statuses.some((status) => status !== 200)) return `answers ${statuses.join(' ')}`
  const arrived = upstream.received.filter((each) => each.url.includes(id))
  if (arrived.length !== expected) return `${arrived.length} requests arrived`
  if (!row.isLast && arrived.at(-1)!.url !== `/${id}-last`) return 'out of order'
  for (const [i, seen] of row.seen.entries()) {
    const wrong = differs(arrived[i]!, seen, id)
    if (wrong !== '') return wrong
  }
  return ''
}

function differs(arrived: Received, seen: Seen, id: string): string {
  if (arrived.method !== (seen.method ?? 'GET')) return `method ${arrived.method}`
  if (arrived.url !== `/${id}${seen.rest ?? ''}`) return `target ${arrived.url}`
  if (arrived.state !== 'complete') return `the body is ${arrived.state}`
  if (seen.body !== undefined && arrived.body.toString('latin1') !== seen.body) return `body ${arrived.body}`
  const headers = arrived.rawHeaders.map((each, i) => (i % 2 === 0 ? each.toLowerCase() : each))
  const fields = seen.fields ?? []
  let at = 0
  for (let i = 0; i < headers.length && at < fields.length; i += 2) {
    if (headers[i] === fields[at] && headers[i + 1] === fields[at + 1]) at += 2
  }
  if (at < fields.length) return `no field ${fields[at]} in its place`
  const kept = (seen.lacks ?? []).find((name) => headers.some((each, i) => i % 2 === 0 && each === name))
  return kept === undefined ? '' : `the field ${kept} arrived`
}

const ways: [string, readonly LegalRequest[], (bytes: string) => string[]][] = [
  ['whole', LEGAL_REQUESTS, (bytes) => [bytes]],
  ['in pieces', LEGAL_REQUESTS, (bytes) => bytes.split(/(?<=\r)|(?<=:)/)],
  ['byte by byte', LEGAL_REQUESTS.filter(({ bytes }, i) => i % 5 === 0 && bytes.length < 400), (bytes) => [...bytes]],
]
for (const [way, list, split] of ways) {
  t.test(way, async (t) => {
    const waiting = [...list]
    const wrong: string[] = []
    const worker = async (): Promise<void> => {
      for (let row = waiting.pop(); row !== undefined; row = waiting.pop()) {
        const found = await run(row, split)
        if (found !== '') wrong.push(`${row.name}: ${found}`)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    t.same(wrong, [])
  })
}

t.test('the table is a table', async (t) => {
  t.ok(LEGAL_REQUESTS.length >= 100, String(LEGAL_REQUESTS.length))
  t.equal(new Set(LEGAL_REQUESTS.map(({ bytes }) => bytes)).size, LEGAL_REQUESTS.length, 'no row twice')
})

t.test('100 Continue comes only when the body is wanted and has not come', async (t) => {
  const host = `localhost:${place.port}`
  const head = `POST /expect HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n`
  let asked = false
  const result = await rawExchange(place, head, {
    enough: (text) => {
      asked ||= text.startsWith('HTTP/1.1 100 Continue\r\n\r\n')
      return asked
    },
  })
  t.equal(asked, true)
  t.same(result.statuses, [100])
  const atOnce = await rawExchange(place, `${head}hello`)
  t.same(atOnce.statuses, [200])
  const refused = await rawExchange(place, head.replace('POST', 'BREW'))
  t.same(refused.statuses, [405], 'a body that is not wanted is not asked for')
})
