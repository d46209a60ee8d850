/** The admin listener: alive, ready, and numbers that a scraper can read. */
import t from 'tap'
import { rawExchange, requestTransports } from '../kit/clients.ts'
import { type Json, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const upstream = await startUpstream()
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    routes: [{ path: '/echo/*', service: 'chat', profiles: ['internet'], purpose: 'test', limits: ['few'] }],
    limits: { few: { rate: '2 per hour' } },
  }),
)
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})
const base = `http://127.0.0.1:${gateway.adminPort}`

t.test('alive and ready', async (t) => {
  const live = await fetch(`${base}/health/live`)
  t.equal(live.status, 200)
  t.same(await live.json(), { status: 'live' })
  const ready = await fetch(`${base}/health/ready`)
  t.equal(ready.status, 200)
  t.same(await ready.json(), { status: 'ready', reasons: [] })
  for (const each of [live, ready]) {
    t.equal(each.headers.get('content-type'), 'application/json')
    t.match(each.headers.get('cache-control'), /^no-store/)
  }
  const head = await fetch(`${base}/health/live`, { method: 'HEAD' })
  t.equal(head.status, 200)
  t.equal(await head.text(), '')
})

t.test('nothing else is there', async (t) => {
  for (const path of ['/x', '/health', '/health/live/', '/metrics/x', '/echo/1', '/health/../metrics/../secret']) {
    t.equal((await fetch(`${base}${path}`)).status, 404, path)
  }
  const seen = upstream.received.length
  t.equal((await fetch(`${base}/health/live`, { method: 'POST', body: 'x' })).status, 405)
  t.equal((await fetch(`${base}/metrics`, { method: 'DELETE' })).status, 405)
  t.equal(upstream.received.length, seen)
})

t.test('the public listener has none of it', async (t) => {
  for (const transport of requestTransports) {
    const client = transport.open({ port: gateway.publicPort })
    t.teardown(() => client.close())
    for (const path of ['/health/live', '/health/ready', '/metrics']) t.equal((await client.ask({ path })).status, 404)
  }
  const place = { port: gateway.adminPort }
  const secure = await rawExchange(place, Buffer.from('16030100c8010000c40303', 'hex'), { secure: false })
  t.notMatch(secure.text, /portcullis|node/i)
})

interface Family {
  type: string
  help: string
  samples: Map<string, number>
}

/** The text format 0.0.4, strictly; throws where a line is none. */
function parse(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line must end')
  const families = new Map<string, Family>()
  let current = ''
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line)
    if (comment !== null) {
      const [, kind, name, rest] = comment
      if (kind === 'HELP') {
        if (families.has(name!)) throw new Error(`${name} comes twice`)
        families.set(name!, { type: '', help: rest!, samples: new Map() })
      } else families.get(name!)!.type = rest!
      current = name!
      continue
    }
    const label = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"'
    const sample = new RegExp(
      `^([a-zA-Z_:][a-zA-Z0-9_:]*)(\\{${label}(?:,${label})*\\})? ([+-]?(?:\\d[\\d.e+-]*|Inf|NaN))$`,
    ).exec(line)
    if (sample === null) throw new Error(`no sample: ${line}`)
    const [, name, labels = '', value] = sample
    const family = families.get(current)
    const own = family?.type === 'histogram' ? name!.replace(/_(?:bucket|sum|count)$/, '') : name
    if (family === undefined || own !== current) throw new Error(`${name} stands outside of its family`)
    const key = name + labels
    if (family.samples.has(key)) throw new Error(`${key} comes twice`)
    family.samples.set(key, value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value))
  }
  return families
}

const metrics = async (): Promise<Map<string, Family>> => parse(await (await fetch(`${base}/metrics`)).text())

t.test('the metrics are well-formed, and count what happened', async (t) => {
  const client = requestTransports[1]!.open({ port: gateway.publicPort })
  t.teardown(() => client.close())
  const before = await metrics()
  for (let i = 0; i < 3; i++) await client.ask({ path: '/echo/1' })
  await client.ask({ path: '/nothing"here\\' })
  await client.ask({ path: '/nothing-here' })
  const answer = await fetch(`${base}/metrics`)
  t.match(answer.headers.get('content-type'), 'text/plain; version=0.0.4')
  const after = parse(await answer.text())
  const changed = (family: string, labels: string): number =>
    (after.get(`portcullis_${family}`)?.samples.get(`portcullis_${family}${labels}`) ?? 0) -
    (before.get(`portcullis_${family}`)?.samples.get(`portcullis_${family}${labels}`) ?? 0)
  t.equal(changed('limit_decisions_total', '{decision="allowed"}'), 2)
  t.equal(changed('limit_decisions_total', '{decision="limited"}'), 1)
  t.equal(changed('refused_requests_total', '{code="rate-limited"}'), 1)
  t.ok(changed('refused_requests_total', '{code="no-route"}') >= 1)
  for (const [name, family] of after) {
    t.match(name, /^portcullis_/)
    t.ok(family.help.length > 5, name)
    t.match(family.type, /^(?:counter|gauge|histogram)$/)
    if (family.type === 'counter') t.match(name, /_total$/)
    if (family.type === 'histogram') checkHistogram(t, name, family)
    else for (const [key, value] of family.samples) t.ok(Number.isFinite(value), key)
  }
  for (const name of ['log_lines_dropped', 'websockets_open', 'connections_open', 'reload_total']) {
    t.ok(after.has(`portcullis_${name}`), name)
  }
  t.equal(after.get('portcullis_log_lines_dropped')!.samples.get('portcullis_log_lines_dropped'), 0)
  t.notMatch(JSON.stringify([...after.values()].map((each) => [...each.samples.keys()])), /nothing/, 'no client text')
})

/** Buckets that grow, the last of which is the count. */
function checkHistogram(t: Pick<Tap, 'ok' | 'equal'>, name: string, family: Family): void {
  const buckets = new Map<string, [number, number][]>()
  for (const [key, value] of family.samples) {
    const found = /^(.*)_bucket\{(.*?),?le="([^"]+)"\}$/.exec(key)
    if (found === null) continue
    const list = buckets.get(found[2]!) ?? []
    list.push([found[3] === '+Inf' ? Number.POSITIVE_INFINITY : Number(found[3]), value])
    buckets.set(found[2]!, list)
  }
  for (const [labels, list] of buckets) {
    t.ok(
      list.every(([le, count], i) => i === 0 || (le > list[i - 1]![0] && count >= list[i - 1]![1])),
      `${name} ${labels}`,
    )
    t.equal(list.at(-1)![0], Number.POSITIVE_INFINITY)
    t.equal(list.at(-1)![1], family.samples.get(`${name}_count${labels === '' ? '' : `{${labels}}`}`))
  }
}
type Tap = typeof t

t.test('gauges follow what is open', async (t) => {
  const read = async (name: string): Promise<number> =>
    (await metrics()).get(`portcullis_${name}`)!.samples.get(`portcullis_${name}`)!
  const clients = Array.from({ length: 20 }, () => requestTransports[1]!.open({ port: gateway.publicPort }))
  for (const client of clients) await client.ask({ path: '/nothing' })
  t.ok((await read('connections_open')) > 20)
  for (const client of clients) await client.close()
  await until(async () => (await read('connections_open')) < 20, 'the end of the connections')
})

t.test('one line of the access log for each request, also here', async (t) => {
  await gateway.gateway.log.flush()
  const lines: Json[] = gateway.accessLines().filter((line) => line.listener === 'admin')
  t.ok(lines.length > 5)
  t.ok(lines.every((line) => typeof line.id === 'string' && line.failure !== 'internal'))
})
