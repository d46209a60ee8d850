/** The gateway as a contender: its configuration, with nothing switched off. */
import { type Place, SMALL_PATH, SOCKET_PATH, type Variant } from './place.ts'

/** High enough that no load here meets it; each request is counted all the same. */
const RATE = '100000000 per minute'

export interface GatewayPlaces {
  readonly port: number
  readonly adminPort: number
  readonly accessPath: string
}

/**
 * What is measured is the gateway, not its bounds on one socket. The load is no WebSocket client that answers pings, and on a busy
 * machine it takes a minute to open ten thousand sockets.
 */
const UNBOUNDED = { perAddress: 100_000, messageRate: '10000000 per second', byteRate: '100 GB', ping: '10 minutes' }

export function gatewayConfig(place: Place, variant: Variant, { port, adminPort, accessPath }: GatewayPlaces): string {
  const common = { profiles: ['internet'], purpose: 'benchmark', limits: ['clients'], headers: 'page' }
  const messages = variant.filter ? { messages: 'chat' } : {}
  // The paths that every scenario uses, and as many more as make the wanted number.
  const fixed = [
    { path: '/*', methods: ['GET', 'POST'], service: 'site', ...common },
    { path: '/api/*', methods: ['POST'], service: 'site', ...common, ...messages },
    {
      path: SOCKET_PATH,
      methods: ['GET'],
      service: 'sockets',
      webSocket: true,
      socket: UNBOUNDED,
      ...common,
      ...messages,
    },
    { path: SMALL_PATH, methods: ['GET'], service: 'site', ...common },
  ]
  const further = Array.from({ length: Math.max(0, variant.routes - fixed.length) }, (_, i) => ({
    path: `/routes/${i}`,
    methods: ['GET'],
    service: 'site',
    ...common,
  }))
  const endpoint = (endpointPort: number) => ({
    endpoints: [`http://127.0.0.1:${endpointPort}`],
    maxConnections: variant.many ? 20_000 : 256,
    timeouts: { keepAlive: '60 seconds' },
  })
  return JSON.stringify({
    listeners: {
      public: {
        address: `127.0.0.1:${port}`,
        hosts: ['localhost', '127.0.0.1'],
        tls: { certificates: [{ cert: place.certPath, key: place.keyPath }] },
        handshakes: { max: 100_000, perAddress: 100_000, perSecond: 1_000_000, perAddressPerMinute: 1_000_000 },
        connections: {
          max: 100_000,
          perAddress: 100_000,
          inFlightPerAddress: 100_000,
          maxRequests: 10_000_000,
        },
      },
      admin: { address: `127.0.0.1:${adminPort}` },
    },
    services: { site: endpoint(place.sitePort), sockets: endpoint(place.socketPort) },
    routes: [...fixed, ...further],
    messages: { chat: { fields: ['$.text'], html: 'strip', output: 'html', maxSize: '16 KB' } },
    limits: {
      clients: { rate: RATE },
      ...(variant.limit === 'redis'
        ? // Load, upstream and Redis share a processor here: a slow answer must not count as an outage.
          { store: { redis: { url: `redis://127.0.0.1:${place.redisPort}`, timeout: '2 seconds' }, onOutage: 'deny' } }
        : {}),
    },
    log: { access: accessPath, audit: `${accessPath}.audit` },
    drain: { timeout: '1 second', webSocketWindow: '0 s' },
  })
}

/** The path of the last route. */
export function lastRoute(routes: number): string {
  return `/routes/${routes - 5}`
}
