/**
 * Every row of the hostile table through the whole gateway, in front of an upstream that records every byte: refused, the
 * connection closed, and nothing of it passes as a request.
 */
import t, { type Test } from 'tap'
import { type Place, rawExchange } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'
import { HOSTILE_REQUESTS, type HostileRequest } from './hostile-requests.ts'

const AT_ONCE = 8
// Thousands of handshakes on a machine that others use too.
t.setTimeout(300_000)
const FAST = { timeouts: { headers: '1 second', bodyGrace: '1 second' }, connections: { perAddress: 10_000 } }

const upstream = await startUpstream()
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener({ ...FAST, redirectFrom: '127.0.0.1:0' }),
      transcripts: { ...publicListener(FAST), auth: 'none', source: { service: 'chat' } },
      admin: { address: '127.0.0.1:0' },
    },
    routes: [
      {
        path: '/*',
        service: 'chat',
        profiles: ['internet'],
        purpose: 'test',
        methods: ['GET', 'POST', 'PUT', 'OPTIONS'],
        maxBody: '64 KB',
        webSocket: true,
      },
    ],
  }),
)

t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})

interface Run {
  readonly row: HostileRequest
  readonly id: string
  readonly way: string
  readonly pieces: string[]
  statuses: number[]
  closedBy: string
}

let marker = 0
const makeRun = (row: HostileRequest, way: string, place: Place, split: (bytes: string) => string[]): Run => {
  const id = `m${(marker++).toString(36).padStart(5, '0')}`
  const bytes = row.bytes
    .replaceAll('{id}', id)
    .replaceAll('{host}', `localhost:${place.port}`)
    .replaceAll('{port}', String(place.port))
  return { row, id, way, pieces: split(bytes), statuses: [], closedBy: '' }
}

const whole = (bytes: string): string[] => [bytes]
/** Between the first CR and its LF, and at thirds: the places where a parser keeps state. */
const cut = (bytes: string): string[] => {
  const places = [bytes.search(/[\r\n]/) + 1, Math.floor(bytes.length / 3), Math.floor((bytes.length * 2) / 3)]
  const sorted = [...new Set([0, 1, ...places, bytes.length])].sort((a, b) => a - b)
  return sorted.slice(1).map((end, i) => bytes.slice(sorted[i], end))
}
const byBytes = (bytes: string): string[] => [...bytes.slice(0, 150), bytes.slice(150)]

async function runAll(runs: readonly Run[], place: Place, secure: boolean): Promise<void> {
  const waiting = [...runs]
  const worker = async (): Promise<void> => {
    for (let run = waiting.pop(); run !== undefined; run = waiting.pop()) {
      const result = await rawExchange(place, run.pieces, { secure }).catch((error: Error) => error)
      if (result instanceof Error) {
        run.closedBy = result.message
        continue
      }
      run.statuses = result.statuses.filter((status) => status >= 200)
      run.closedBy = result.closedBy
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

const isRefusal = (status: number | undefined): boolean =>
  status !== undefined && ((status >= 400 && status < 500) || status === 505)

/** What is wrong with a run; '' when it held. */
function verdict(run: Run): string {
  const { row, id, statuses } = run
  const isFirstServed = row.passes === 'first'
  if (run.closedBy !== 'server') return `not closed: ${run.closedBy}, answers ${statuses.join(' ')}`
  const last = statuses.at(-1)
  if (!isRefusal(last)) return `answers ${statuses.join(' ')}`
  if (statuses.length !== (isFirstServed ? 2 : 1)) return `answers ${statuses.join(' ')}`
  if (isFirstServed && statuses[0] !== 200) return `the legal request got ${statuses[0]}`
  const seen = upstream.received.filter((each) => each.url.includes(id))
  if (seen.some((each) => each.url.includes('second'))) return 'the smuggled request arrived'
  if (seen.length > (row.passes === 'nothing' ? 0 : 1)) return `${seen.length} requests arrived`
  if (row.passes === 'begun' && seen.some((each) => each.state === 'complete')) return 'the broken body passed as whole'
  if (isFirstServed && seen.length !== 1) return 'the legal request did not arrive'
  return ''
}

async function holds(t: Test, runs: readonly Run[], place: Place, secure = true): Promise<void> {
  await runAll(runs, place, secure)
  const wrong = runs.flatMap((run) => {
    const found = verdict(run)
    return found === '' ? [] : [`${run.row.name} (${run.way}): ${found}`]
  })
  t.same(wrong, [])
  // Over all connections, whatever the upstream's parser made of it.
  const bytes = upstream.bytes()
  const silent = runs.filter(({ row, id }) => row.passes === 'nothing' && bytes.includes(id))
  t.same(
    silent.map(({ row, way }) => `${row.name} (${way})`),
    [],
    'no byte of what is refused arrives',
  )
}

t.test('the table is a table', async (t) => {
  t.ok(HOSTILE_REQUESTS.length >= 300, String(HOSTILE_REQUESTS.length))
  t.equal(new Set(HOSTILE_REQUESTS.map(({ bytes }) => bytes)).size, HOSTILE_REQUESTS.length, 'no row twice')
  t.same(
    HOSTILE_REQUESTS.filter(({ source }) => source === ''),
    [],
    'each names its source',
  )
})

const publicPlace = { port: gateway.publicPort }

for (const [way, split] of [
  ['whole', whole],
  ['in pieces', cut],
] as const) {
  t.test(`public, ${way}`, async (t) => {
    await holds(
      t,
      HOSTILE_REQUESTS.map((row) => makeRun(row, way, publicPlace, split)),
      publicPlace,
    )
  })
}

t.test('public, byte by byte', async (t) => {
  const sample = HOSTILE_REQUESTS.filter((_, i) => i % 9 === 0)
  await holds(
    t,
    sample.map((row) => makeRun(row, 'byte by byte', publicPlace, byBytes)),
    publicPlace,
  )
})

for (const [name, setting, secure] of [
  ['transcripts', 'listeners.transcripts.address', true],
  ['admin', 'listeners.admin.address', false],
  ['redirect', 'listeners.public.redirectFrom', false],
] as const) {
  t.test(name, async (t) => {
    const place = { port: gateway.port(setting) }
    // Body limits and encoded slashes are a matter of routes; any Host is served on loopback where none is listed.
    const sample = HOSTILE_REQUESTS.filter(
      ({ passes, name }, i) =>
        passes === 'nothing' && i % 3 === 0 && !/over the limit|^Host |^absolute|%2f|%5c/.test(name),
    )
    await holds(
      t,
      sample.map((row) => makeRun(row, name, place, whole)),
      place,
      secure,
    )
  })
}

t.test('after all of it, a plain request is served, and the upstream has no half-open one', async (t) => {
  const host = `localhost:${publicPlace.port}`
  const result = await rawExchange(publicPlace, `GET /after HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  t.same(result.statuses, [200])
  t.equal(upstream.received.filter(({ url }) => url.includes('second')).length, 0)
})
