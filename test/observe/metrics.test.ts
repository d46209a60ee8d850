import t from 'tap'
import { Failure } from '../../src/errors.ts'
import type { Route } from '../../src/exchange/contracts.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import type { Protocol } from '../../src/exchange/request-head.ts'
import { Counter, Histogram, Reading } from '../../src/observe/exposition.ts'
import { GatewayMetrics } from '../../src/observe/metrics.ts'
import { fakeExchange, NO_EDITS } from '../kit/fake-client.ts'

interface Wish {
  target?: string
  method?: string
  protocol?: Protocol
  route?: Partial<Route>
}

/** An exchange as it stands before its answer. */
function makeExchange(wish: Wish = {}): { x: Exchange } {
  const [path, query] = (wish.target ?? '/').split('?') as [string, string?]
  const options = { path, query: query === undefined ? '' : `?${query}`, address: '192.0.2.1' }
  const { x } = fakeExchange(wish.method === undefined ? options : { ...options, method: wish.method })
  if (wish.protocol !== undefined) Object.assign(x.head, { protocol: wish.protocol })
  if (wish.route !== undefined) x.route = { edits: NO_EDITS, name: 'r', serviceName: 's', ...wish.route } as Route
  return { x }
}

/** Strict reading of exposition format 0.0.4: throws on what Prometheus would refuse. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  const types = new Set<string>()
  if (!text.endsWith('\n')) throw new Error('no line break at the end')
  for (const line of text.split('\n').slice(0, -1)) {
    if (line.startsWith('# HELP ')) continue
    const type = /^# TYPE ([a-z_0-9]+) (counter|gauge|histogram)$/.exec(line)
    if (type !== null) {
      if (types.has(type[1]!)) throw new Error(`${type[1]} twice`)
      types.add(type[1]!)
      continue
    }
    const sample = /^([a-z_0-9]+(?:\{(?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)*\})?) (\S+)$/.exec(line)
    if (sample === null) throw new Error(`not a sample: ${line}`)
    const family = sample[1]!.split('{')[0]!
    if (!types.has(family) && !types.has(family.replace(/_(?:bucket|sum|count)$/, '')))
      throw new Error(`no type: ${line}`)
    if (samples.has(sample[1]!)) throw new Error(`twice: ${line}`)
    samples.set(sample[1]!, Number(sample[2]))
  }
  return samples
}

t.test('a counter counts by label, and its labels are bounded', (t) => {
  const counter = new Counter('c_total', 'Some \\ help\nin two lines.', 'code')
  counter.add('a')
  counter.add('a', 2)
  counter.add('q"uo\\te\n')
  let text = counter.write()
  t.match(text, '# HELP c_total Some \\\\ help\\nin two lines.\n')
  t.equal(parse(text).get('c_total{code="a"}'), 3)
  t.equal(parse(text).get('c_total{code="q\\"uo\\\\te\\n"}'), 1)
  for (let i = 0; i < 5000; i++) counter.add(`label ${i}`)
  text = counter.write()
  t.ok(parse(text).size <= 501)
  t.equal(
    [...parse(text).values()].reduce((sum, value) => sum + value),
    5004,
    'nothing is lost',
  )
  t.end()
})

t.test('the buckets of a histogram add up', (t) => {
  const histogram = new Histogram('h_seconds', 'h', 'p', [0.1, 1])
  for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe('x', value)
  const samples = parse(histogram.write())
  t.equal(samples.get('h_seconds_bucket{p="x",le="0.1"}'), 2)
  t.equal(samples.get('h_seconds_bucket{p="x",le="1"}'), 3)
  t.equal(samples.get('h_seconds_bucket{p="x",le="+Inf"}'), 4)
  t.equal(samples.get('h_seconds_count{p="x"}'), 4)
  t.equal(samples.get('h_seconds_sum{p="x"}'), 7.65)
  for (let i = 0; i < 2000; i++) histogram.observe(`p${i}`, 1)
  t.equal(parse(histogram.write()).size, 501 * 5)
  t.end()
})

t.test('a reader that throws leaves the rest alone', (t) => {
  const broken = new Reading('x', 'x', 'gauge', () => {
    throw new Error('no')
  })
  t.equal(broken.write(), '')
  t.end()
})

t.test('exchanges are counted by route, protocol and class of status', (t) => {
  const metrics = new GatewayMetrics()
  t.teardown(() => metrics.close())
  const { x } = makeExchange({ protocol: 'h2', route: { name: 'api', serviceName: 'chat' } })
  x.bytesIn = 10
  x.upstreamMs = 12
  x.respond(200, [], Buffer.from('hello'))
  metrics.observeExchange(x)
  const refused = makeExchange().x
  refused.fail(new Failure('no-route'))
  metrics.observeExchange(refused)
  const failed = makeExchange({ route: { name: 'api', serviceName: 'chat' } }).x
  failed.fail(new Failure('upstream-closed'))
  metrics.observeExchange(failed)
  const left = makeExchange().x
  left.onClientGone(new Failure('client-gone'))
  metrics.observeExchange(left)
  metrics.count('reload_total', 'ok')
  metrics.gauge('endpoints_up', 'Endpoints in use.', () => 2)
  const samples = parse(metrics.text())
  const expected: [string, number][] = [
    ['requests_total{route="api",protocol="h2",status="2xx"}', 1],
    ['requests_total{route="-",protocol="http/1.1",status="4xx"}', 2],
    ['requests_total{route="api",protocol="http/1.1",status="5xx"}', 1],
    ['refused_requests_total{code="no-route"}', 1],
    ['refused_requests_total{code="client-gone"}', 1],
    ['upstream_failures_total{code="upstream-closed"}', 1],
    ['upstream_latency_seconds_bucket{service="chat",le="0.025"}', 1],
    ['upstream_latency_seconds_bucket{service="chat",le="0.01"}', 0],
    ['request_duration_seconds_count{protocol="h2"}', 1],
    ['body_bytes_total{direction="in"}', 10],
    ['body_bytes_total{direction="out"}', samples.get('portcullis_body_bytes_total{direction="out"}')!],
    ['reload_total{outcome="ok"}', 1],
    ['endpoints_up', 2],
  ]
  for (const [name, value] of expected) t.equal(samples.get(`portcullis_${name}`), value, name)
  t.ok(samples.get('portcullis_process_resident_memory_bytes')! > 1e6)
  t.ok(samples.get('portcullis_process_cpu_seconds_total')! > 0)
  t.ok(samples.get('portcullis_process_event_loop_delay_p99_seconds')! >= 0)
  t.end()
})

t.test('ten thousand routes do not make ten thousand lines', (t) => {
  const metrics = new GatewayMetrics()
  t.teardown(() => metrics.close())
  for (let i = 0; i < 3000; i++) metrics.observeExchange(makeExchange({ route: { name: `r${i}` } }).x)
  const rows = [...parse(metrics.text()).keys()].filter((name) => name.startsWith('portcullis_requests_total'))
  t.equal(rows.length, 501)
  t.end()
})
