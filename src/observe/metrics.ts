/** The gateway's own numbers: what was counted, how long exchanges took, how the process is. Labels never come from clients. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Metrics } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { MetricName } from '../exchange/metric-names.ts'
import { Counter, type Family, Histogram, head, type LabelledValue, pair, Reading, Readings } from './exposition.ts'
import { LastMinute } from './last-minute.ts'

const PREFIX = 'portcullis_'
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const TUNNEL_SECONDS = [1, 10, 60, 300, 900, 3600, 14_400, 86_400]
const EVENT_LOOP_RESOLUTION_MS = 50
/** Routes that are kept apart; ten thousand of them would make a page that no scraper likes. */
const MAX_ROUTES = 500
/** Looks of an operator are no load. */
const ADMIN = 'admin'

const COUNTERS: Readonly<Record<MetricName, readonly [label: string, help: string, second?: string]>> = {
  refused_requests_total: ['code', 'Requests that the gateway refused, by failure code.'],
  limit_decisions_total: ['decision', 'Decisions of limits.'],
  limit_refusals_total: ['kind', 'Refusals of single limits, those that ran dry among them.', 'limit'],
  limit_store_total: ['event', 'Events of the store that limits share.'],
  limit_store_calls_total: ['for', 'Calls of scripts in the store that limits share.'],
  message_outcomes_total: ['outcome', 'What became of inspected messages.'],
  message_cards_total: ['kind', 'Payment cards, verification codes and tracks found in messages, by scheme.', 'rules'],
  socket_refusals_total: ['event', 'Messages refused, and WebSockets closed, by a bound or a limit.', 'reason'],
  sign_in_total: ['outcome', 'Sign-in attempts.'],
  issuer_keys_total: ['outcome', 'Fetches of the keys of an identity provider.', 'issuer'],
  url_tokens_total: ['outcome', 'Sealed URL tokens.'],
  reload_total: ['outcome', 'Reloads of the configuration.'],
  answer_fields_total: [
    'kind',
    'Fields of answers of services that were rewritten, or dropped because they told of the inside.',
  ],
  answers_compressed_total: ['coding', 'Answers that were compressed on their way, by coding.'],
  answers_not_compressed_total: [
    'reason',
    'Answers of a kind that is compressed, which were not: credentials, too many at once, no gain, failures.',
  ],
  compression_bytes_total: ['direction', 'Bytes that went into compressors, and that came out.'],
  upstream_failures_total: ['code', 'Requests to upstreams that failed, by failure code.'],
  tls_handshake_failures_total: ['reason', 'TLS handshakes that came to nothing.', 'listener'],
  acme_orders_total: [
    'outcome',
    'Orders of certificates, by authority asked, and certificates taken over from other nodes.',
  ],
  ticket_keys_total: [
    'outcome',
    'Keys of session tickets that nodes share: made here, taken over, of this node alone, or refused.',
    'listener',
  ],
  ocsp_total: ['outcome', 'Attempts to fetch an OCSP answer for stapling.'],
  upstream_retries_total: ['outcome', 'Further tries of requests, and those that the budget did not allow.', 'service'],
  endpoint_changes_total: [
    'change',
    'Endpoints that left or came back, names, ways through proxies, circuits that opened or closed.',
    'service',
  ],
}

const PROTOCOLS = ['http/1.0', 'http/1.1', 'h2'] as const
const CLASSES = ['other', '1xx', '2xx', '3xx', '4xx', '5xx'] as const

export class GatewayMetrics implements Metrics {
  readonly #families: Family[] = []
  readonly #counters: Readonly<Record<MetricName, Counter>>
  readonly #requests = new RequestCounts()
  readonly #durations: Histogram
  readonly #tunnels: Histogram
  readonly #upstreams: Histogram
  readonly #bytes: Counter
  readonly #lastMinute = new LastMinute(SECONDS)
  readonly #eventLoop: ReturnType<typeof monitorEventLoopDelay>

  constructor() {
    const counters: Partial<Record<MetricName, Counter>> = {}
    for (const [name, [label, help, second]] of Object.entries(COUNTERS)) {
      counters[name as MetricName] = this.#keep(new Counter(PREFIX + name, help, label, second))
    }
    this.#counters = counters as Record<MetricName, Counter>
    this.#keep(this.#requests)
    this.#durations = this.#keep(
      new Histogram(
        `${PREFIX}request_duration_seconds`,
        'From the head of a request to the end of its answer.',
        'protocol',
        SECONDS,
      ),
    )
    this.#tunnels = this.#keep(
      new Histogram(
        `${PREFIX}websocket_duration_seconds`,
        'How long WebSockets were open.',
        'protocol',
        TUNNEL_SECONDS,
      ),
    )
    this.#upstreams = this.#keep(
      new Histogram(
        `${PREFIX}upstream_latency_seconds`,
        'From the head of a request to the head of the upstream answer.',
        'service',
        SECONDS,
      ),
    )
    this.#bytes = this.#keep(new Counter(`${PREFIX}body_bytes_total`, 'Bytes of bodies.', 'direction'))
    this.#eventLoop = monitorEventLoopDelay({ resolution: EVENT_LOOP_RESOLUTION_MS })
    this.#eventLoop.enable()
    this.#addProcess()
  }

  count(name: MetricName, label: string, second = '', amount = 1): void {
    this.#counters[name].add(label, amount, second)
  }

  /** Call it once for every exchange that ended. Its failure is counted here too, by whose fault it was. */
  observeExchange(x: Exchange): void {
    this.#requests.add(x.route?.name ?? '-', x.head.protocol, x.status)
    const now = performance.now()
    const seconds = (now - x.startedAt) / 1000
    if (x.listener.name !== ADMIN) this.#lastMinute.observe(now, x.status, x.tunnel === null ? seconds : -1)
    if (x.tunnel === null) this.#durations.observe(x.head.protocol, seconds)
    else this.#tunnels.observe(x.head.protocol, seconds)
    if (x.upstreamMs >= 0) this.#upstreams.observe(x.route?.serviceName ?? '-', x.upstreamMs / 1000)
    if (x.bytesIn > 0) this.#bytes.add('in', x.bytesIn)
    if (x.bytesOut > 0) this.#bytes.add('out', x.bytesOut)
    if (x.failure !== null) {
      this.#counters[x.failure.fault === 'upstream' ? 'upstream_failures_total' : 'refused_requests_total'].add(
        x.failure.code,
      )
    }
  }

  /** A number that is read at every scrape. `name` comes without the prefix. */
  gauge(name: string, help: string, read: () => number): void {
    this.#keep(new Reading(PREFIX + name, help, 'gauge', read))
  }

  /** The same for a number that has one value for each set of labels; `labels` are their names. */
  gauges(name: string, help: string, labels: readonly string[], read: () => Iterable<LabelledValue>): void {
    this.#keep(new Readings(PREFIX + name, help, labels, read))
  }

  /** What a counter has counted. */
  counted(name: MetricName): LabelledValue[] {
    return this.#counters[name].counted()
  }

  /** Requests of the last 60 seconds by class of status, and the seconds within which these parts of them were answered. */
  lastMinute(parts: readonly number[]): ReturnType<LastMinute['read']> {
    return this.#lastMinute.read(performance.now(), parts)
  }

  /** The page for Prometheus. The event loop's delay is that since the last call. */
  text(): string {
    let text = ''
    for (const family of this.#families) text += family.write()
    this.#eventLoop.reset()
    return text
  }

  close(): void {
    this.#eventLoop.disable()
  }

  #addProcess(): void {
    const startedAt = Date.now() / 1000 - process.uptime()
    const gauge = (name: string, help: string, read: () => number) => this.gauge(`process_${name}`, help, read)
    gauge('resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss())
    gauge('heap_used_bytes', 'JavaScript heap in use.', () => process.memoryUsage().heapUsed)
    gauge(
      'external_memory_bytes',
      'Memory of buffers and other objects outside the heap.',
      () => process.memoryUsage().external,
    )
    gauge(
      'open_handles',
      'Sockets, timers and other resources that are active.',
      () => process.getActiveResourcesInfo().length,
    )
    gauge('start_time_seconds', 'Start of the process, Unix time.', () => startedAt)
    gauge('event_loop_delay_p99_seconds', 'Event loop delay since the last scrape, 99th percentile.', () =>
      this.#eventLoop.count === 0 ? 0 : this.#eventLoop.percentile(99) / 1e9,
    )
    this.#keep(
      new Reading(`${PREFIX}process_cpu_seconds_total`, 'CPU time used.', 'counter', () => {
        const { user, system } = process.cpuUsage()
        return (user + system) / 1e6
      }),
    )
  }

  #keep<F extends Family>(family: F): F {
    this.#families.push(family)
    return family
  }
}

/** Requests by route, protocol and class of status: an array per route, so that counting is two look-ups. */
class RequestCounts implements Family {
  readonly #routes = new Map<string, Float64Array>()

  add(route: string, protocol: Exchange['head']['protocol'], status: number): void {
    const counts = this.#routes.get(route) ?? this.#addRoute(route)
    const statusClass = status >= 100 && status < 600 ? Math.floor(status / 100) : 0
    counts[PROTOCOLS.indexOf(protocol) * CLASSES.length + statusClass]!++
  }

  #addRoute(route: string): Float64Array {
    const bounded = this.#routes.size < MAX_ROUTES ? route : 'other'
    let counts = this.#routes.get(bounded)
    if (counts === undefined) {
      counts = new Float64Array(PROTOCOLS.length * CLASSES.length)
      this.#routes.set(bounded, counts)
    }
    return counts
  }

  write(): string {
    const name = `${PREFIX}requests_total`
    let text = head(name, 'Requests that ended, by route, protocol and class of status.', 'counter')
    for (const [route, counts] of this.#routes) {
      for (let i = 0; i < counts.length; i++) {
        if (counts[i] === 0) continue
        const protocol = PROTOCOLS[Math.floor(i / CLASSES.length)]!
        const status = CLASSES[i % CLASSES.length]!
        text += `${name}{${pair('route', route)},${pair('protocol', protocol)},${pair('status', status)}} ${counts[i]}\n`
      }
    }
    return text
  }
}
