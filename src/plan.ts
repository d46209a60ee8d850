/**
 * Turns a checked configuration into what the data path runs: everything decidable is decided here, once, and frozen.
 * It reads the files that the configuration names and throws for what is wrong with them; it binds no socket.
 */
import { makeLockout } from './access/lockout.ts'
import { loadAccounts } from './access/accounts.ts'
import { makeSignIn } from './access/sign-in.ts'
import { Verifier } from './access/verifier.ts'
import type { Configuration, HeadersConfig, PublicListenerConfig, RouteConfig, TlsConfig, TranscriptsListenerConfig } from './config/shape.ts'
import { readSecret } from './config/secrets.ts'
import { ConfigurationError } from './errors.ts'
import { AddressCaps } from './exchange/address-caps.ts'
import { cannedAnswers } from './exchange/canned.ts'
import { GO, type HeaderEdits, type HttpLimits, type ListenerPlan, type Responder, type Route, type Stage } from './exchange/contracts.ts'
import { makeRouter, type Router, type RoutePlace } from './exchange/router.ts'
import { compileEdits } from './exchange/security-headers.ts'
import { makeCidrMatcher } from './http/address.ts'
import { canonicalHost } from './http/host.ts'
import { makeAdmit } from './limits/admit.ts'
import { compileLimit } from './limits/limiter.ts'
import type { LimitStore } from './limits/store.ts'
import { loadCertificates } from './listen/certificates.ts'
import type { ListenerOptions, ListenerTls } from './listen/listener.ts'
import { ensureSelfSigned, isSelfSignedAllowed } from './listen/self-signed.ts'
import { makeInspect } from './messages/inspect.ts'
import { compileRules } from './messages/rules.ts'
import type { Log } from './observe/log.ts'
import type { GatewayMetrics } from './observe/metrics.ts'
import { answerBy, FRONT, routeStages } from './pipeline.ts'
import { makeRedirect } from './responders/redirect.ts'
import { makeTranscripts } from './responders/transcripts.ts'
import { makeForward } from './upstream/forward.ts'
import { Service } from './upstream/service.ts'

/** What outlives a plan. */
export interface Standing {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Log
  readonly metrics: GatewayMetrics
  readonly store: LimitStore
  /** Services of the plan before, to be kept where nothing about them changed. */
  readonly services: ReadonlyMap<string, Service>
  /** Bounds by listener that are counted over reloads. */
  readonly caps: Map<string, AddressCaps>
  readonly adminResponder: Responder
}

export interface Plan {
  readonly sockets: readonly ListenerOptions[]
  readonly services: ReadonlyMap<string, Service>
  /** Files that the plan was made from, for the watch. */
  readonly files: readonly string[]
  /** Lines worth saying at start. */
  readonly notes: readonly string[]
  readonly drain: Configuration['drain']
}

type ListenerConfig = PublicListenerConfig | TranscriptsListenerConfig
const RESERVED: ReadonlySet<string> = new Set(['transcripts', 'admin'])
const NO_TIMEOUTS = { firstByteMs: 0, betweenBytesMs: 0, totalMs: 0 }

/** Throws a ConfigurationError with everything that is wrong with the files behind the configuration. */
export function makePlan(configuration: Configuration, standing: Standing): Plan {
  return new Planner(configuration, standing).make()
}

class Planner {
  readonly #config: Configuration
  readonly #standing: Standing
  readonly #problems: string[] = []
  readonly #files: string[] = []
  readonly #notes: string[] = []
  readonly #services = new Map<string, Service>()
  readonly #stages = new Map<string, Stage>()

  constructor(configuration: Configuration, standing: Standing) {
    this.#config = configuration
    this.#standing = standing
  }

  make(): Plan {
    const sockets: ListenerOptions[] = []
    this.#openServices()
    for (const [name, listener] of this.#publicListeners()) sockets.push(...this.#publicSockets(name, listener))
    const { transcripts, admin } = this.#config.listeners
    if (transcripts !== undefined) this.#attempt(() => sockets.push(this.#transcriptsSocket(transcripts)))
    sockets.push(this.#adminSocket(admin.address))
    if (this.#problems.length > 0) {
      for (const [name, service] of this.#services) {
        if (this.#standing.services.get(name) !== service) void service.destroy()
      }
      throw new ConfigurationError(this.#problems)
    }
    return Object.freeze({
      sockets,
      services: this.#services,
      files: this.#files,
      notes: this.#notes,
      drain: this.#config.drain,
    })
  }

  #publicListeners(): [string, PublicListenerConfig][] {
    return Object.entries(this.#config.listeners).filter(([name]) => !RESERVED.has(name)) as [string, PublicListenerConfig][]
  }

  /** Goes on after a mistake, so that all of them are told at once. */
  #attempt<T>(work: () => T): T | null {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      this.#problems.push(...error.problems)
      return null
    }
  }

  #openServices(): void {
    for (const [name, config] of Object.entries(this.#config.services)) {
      const before = this.#standing.services.get(name)
      const { ca, cert, key } = config.tls
      for (const file of [ca, cert, key]) if (file !== undefined) this.#files.push(file)
      const same = before !== undefined && before.isSame(config)
      const service = same ? before : this.#attempt(() => openService(name, config))
      if (service !== null) this.#services.set(name, service)
    }
  }

  // --- listeners ---

  #publicSockets(name: string, config: PublicListenerConfig): ListenerOptions[] {
    const setting = `listeners.${name}`
    const tls = this.#attempt(() => this.#tls(name, config))
    if (tls === null) return []
    const places = this.#config.routes
      .filter((route) => config.profile === 'internal' || route.profiles.includes(config.profile))
      .map((route, index) => this.#place(name, config, route, index))
    mergeAllow(places)
    const router = makeRouter(places)
    const sockets = [this.#socket(`${setting}.address`, name, config, config.address, tls, router)]
    if (config.redirectFrom !== undefined) sockets.push(this.#redirectSocket(name, config, config.redirectFrom, router))
    return sockets
  }

  #transcriptsSocket(config: TranscriptsListenerConfig): ListenerOptions {
    const name = 'transcripts'
    const tls = this.#tls(name, config)
    const { log, metrics } = this.#standing
    let signIn: Stage | null = null
    if (config.auth === 'basic' && config.signIn !== undefined) signIn = this.#signIn(config.signIn)
    let end: Stage
    if ('folder' in config.source) {
      end = answerBy(makeTranscripts({ folder: config.source.folder, audit: log.audit, allowAnonymous: config.auth === 'none' }))
    } else {
      const service = this.#services.get(config.source.service)
      end = service === undefined ? () => GO : auditedForward(makeForward(service, metrics), log.audit)
    }
    const route = this.#route(name, 0, {
      name,
      path: '/*',
      methods: ['GET', 'HEAD'],
      headers: { profile: 'transcript', set: {}, remove: [], keep: [], frameAncestors: [] },
      stages: routeStages({
        inFlight: this.#caps(`${name} in flight`, config.connections.inFlightPerAddress),
        admit: this.#admit(config.limits),
        signIn,
        inspect: null,
        end,
      }),
      serviceName: 'service' in config.source ? config.source.service : '-',
    })
    const router = makeRouter([{ hosts: [], path: '/*', route }])
    return this.#socket(`listeners.${name}.address`, name, config, config.address, tls, router)
  }

  #adminSocket(address: { host: string; port: number }): ListenerOptions {
    const route = this.#route('admin', 0, {
      name: 'admin',
      path: '/*',
      methods: ['GET', 'HEAD'],
      headers: { profile: 'api', set: {}, remove: [], keep: [], frameAncestors: [] },
      stages: routeStages({ inFlight: null, admit: null, signIn: null, inspect: null, end: answerBy(this.#standing.adminResponder) }),
      serviceName: '-',
    }, false)
    const router = makeRouter([{ hosts: [], path: '/*', route }])
    return {
      setting: 'listeners.admin.address',
      host: address.host,
      port: address.port,
      tls: null,
      maxConnections: 256,
      connectionCaps: this.#caps('admin connections', 256),
      handshakeMs: 0,
      plan: (covers) => this.#listenerPlan('admin', router, covers, ADMIN_LIMITS, { hosts: [], allow: [], deny: [], trustedProxies: [] }, false),
    }
  }

  #redirectSocket(name: string, config: PublicListenerConfig, address: { host: string; port: number }, router: Router): ListenerOptions {
    const redirect = makeRedirect(config.redirectPort ?? config.address.port, router)
    const route = this.#route(`${name}-redirect`, 0, {
      name: `${name}-redirect`,
      path: '/*',
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      headers: { profile: 'api', set: {}, remove: [], keep: [], frameAncestors: [] },
      stages: [answerBy(redirect)],
      serviceName: '-',
    }, false)
    const own = makeRouter([{ hosts: [], path: '/*', route }])
    return {
      setting: `listeners.${name}.redirectFrom`,
      host: address.host,
      port: address.port,
      tls: null,
      maxConnections: config.connections.max,
      connectionCaps: this.#caps(`${name} redirect connections`, config.connections.perAddress),
      handshakeMs: 0,
      plan: (covers) => this.#listenerPlan(`${name}-redirect`, own, covers, httpLimits(config), config, false),
    }
  }

  #socket(
    setting: string,
    name: string,
    config: ListenerConfig,
    address: { host: string; port: number },
    tls: ListenerTls,
    router: Router,
  ): ListenerOptions {
    return {
      setting,
      host: address.host,
      port: address.port,
      tls,
      maxConnections: config.connections.max,
      connectionCaps: this.#caps(`${name} connections`, config.connections.perAddress),
      handshakeMs: config.timeouts.handshake,
      plan: (covers) => this.#listenerPlan(name, router, covers, httpLimits(config), config, true),
    }
  }

  #listenerPlan(
    name: string,
    router: Router,
    covers: ListenerPlan['isDirected'],
    limits: HttpLimits,
    addresses: Pick<ListenerConfig, 'hosts' | 'allow' | 'deny' | 'trustedProxies'>,
    secure: boolean,
  ): ListenerPlan {
    const { log, metrics } = this.#standing
    const edits = compileEdits({ profile: 'api', set: {}, remove: [], keep: [], frameAncestors: [] }, secure)
    const isAllowed = makeCidrMatcher(addresses.allow)
    const isDenied = makeCidrMatcher(addresses.deny)
    const allowsAll = addresses.allow.length === 0
    return Object.freeze<ListenerPlan>({
      name,
      hosts: addresses.hosts.length === 0 ? null : new Set(addresses.hosts.map((host) => canonicalHost(host) ?? host)),
      match: router,
      isTrustedProxy: makeCidrMatcher(addresses.trustedProxies),
      isAllowedAddress: (address) => !isDenied(address) && (allowsAll || isAllowed(address)),
      isDirected: covers,
      ipv6Prefix: this.#config.limits.store.ipv6Prefix,
      edits,
      limits,
      onFinish: (x) => {
        metrics.observeExchange(x)
        log.access(x)
      },
      canned: cannedAnswers(edits),
      onRefusedBytes: (code, address) => {
        metrics.count('refused_requests_total', code)
        log.gateway.info('Refused bytes that are no request', { listener: name, code, client: address })
      },
      run: (x) => x.runStages(FRONT),
    })
  }

  #caps(name: string, max: number): AddressCaps {
    const key = `${name} ${max}`
    let caps = this.#standing.caps.get(key)
    if (caps === undefined) {
      caps = new AddressCaps(max)
      this.#standing.caps.set(key, caps)
    }
    return caps
  }

  #tls(name: string, config: ListenerConfig): ListenerTls {
    const tls = this.#tlsConfig(config)
    for (const pair of tls.certificates) this.#files.push(pair.cert, pair.key)
    const resolve = (reference: Parameters<typeof readSecret>[0]): string => readSecret(reference, this.#standing.env)
    if (tls.certificates.length > 0) return { profile: tls.profile, certificates: loadCertificates(tls, resolve, name) }
    if (!isSelfSignedAllowed(config.address.host, tls)) {
      throw new ConfigurationError([
        `listeners.${name}.tls: has no certificate; name one, or write "selfSigned": true to use the self-signed one beyond loopback`,
      ])
    }
    const pair = ensureSelfSigned()
    this.#files.push(pair.cert, pair.key)
    const note = `The self-signed certificate ${pair.cert} serves listeners.${name}: browsers will warn; for localhost and tests only`
    if (!this.#notes.includes(note)) this.#notes.push(note)
    const selfSigned: TlsConfig = { ...tls, certificates: [{ cert: pair.cert, key: pair.key }] }
    return { profile: tls.profile, certificates: loadCertificates(selfSigned, resolve, name) }
  }

  #tlsConfig(config: ListenerConfig): TlsConfig {
    if (typeof config.tls !== 'string') return config.tls
    const other = (this.#config.listeners as Record<string, ListenerConfig>)[config.tls]!
    return this.#tlsConfig(other)
  }

  // --- routes ---

  #place(listener: string, config: PublicListenerConfig, route: RouteConfig, index: number): RoutePlace {
    const service = this.#services.get(route.service)
    const { metrics } = this.#standing
    const methods = route.methods.includes('GET') && !route.methods.includes('HEAD') ? [...route.methods, 'HEAD'] : route.methods
    return {
      hosts: route.hosts.map((host) => canonicalHost(host) ?? host),
      path: route.path,
      route: this.#route(route.name ?? route.path, index, {
        name: route.name ?? route.path,
        path: route.path,
        methods,
        headers: route.headers,
        stages: routeStages({
          inFlight: this.#caps(`${listener} in flight`, config.connections.inFlightPerAddress),
          admit: this.#admit(route.limits),
          signIn: null,
          inspect: route.messages === undefined ? null : this.#inspect(route.messages),
          end: service === undefined ? () => GO : makeForward(service, metrics),
        }),
        serviceName: route.service,
        config: route,
        service,
      }),
    }
  }

  #route(
    name: string,
    index: number,
    parts: {
      name: string
      path: string
      methods: readonly string[]
      headers: HeadersConfig
      stages: readonly Stage[]
      serviceName: string
      config?: RouteConfig
      service?: Service | undefined
    },
    secure = true,
  ): Route & { allow: string } {
    const { config, service } = parts
    const edits: HeaderEdits = compileEdits(parts.headers, secure)
    return {
      name,
      index,
      path: parts.path,
      methods: new Set(parts.methods),
      allow: parts.methods.join(', '),
      stages: parts.stages,
      edits,
      maxBodyBytes: config?.maxBody ?? 0,
      accepts: config?.accepts === undefined ? null : new Set(config.accepts),
      allowEncodedSlashes: config?.allowEncodedSlashes ?? false,
      webSocket: config?.webSocket ?? false,
      origins: config?.origins === undefined ? null : new Set(config.origins),
      timeouts:
        config === undefined || service === undefined
          ? NO_TIMEOUTS
          : {
              firstByteMs: service.config.timeouts.firstByte,
              betweenBytesMs: service.config.timeouts.betweenBytes,
              totalMs: config.timeout,
            },
      isApi: config?.api ?? false,
      serviceName: parts.serviceName,
    }
  }

  #admit(names: readonly string[]): Stage | null {
    if (names.length === 0) return null
    const { store, metrics } = this.#standing
    const all = this.#config.limits as Configuration['limits']
    const limiters = names.map((name) => compileLimit(name, all[name] as never, store, all.store))
    return makeAdmit(limiters, metrics)
  }

  #inspect(name: string): Stage {
    let stage = this.#stages.get(name)
    if (stage === undefined) {
      stage = makeInspect(compileRules(this.#config.messages[name]!), this.#standing.metrics)
      this.#stages.set(name, stage)
    }
    return stage
  }

  #signIn(config: NonNullable<TranscriptsListenerConfig['signIn']>): Stage {
    const { store, log, metrics } = this.#standing
    this.#files.push(config.accounts)
    return makeSignIn({
      accounts: loadAccounts(config.accounts),
      verifier: new Verifier({ maxConcurrent: config.maxConcurrent, maxWaiting: config.maxWaiting }),
      lockout: makeLockout({ store, lockAfter: config.lockAfter, lockForMs: config.lockFor }),
      audit: log.audit,
      metrics,
      realm: 'transcripts',
    })
  }
}

function openService(name: string, config: Configuration['services'][string]): Service {
  try {
    return new Service(name, config)
  } catch (error) {
    throw new ConfigurationError([`services.${name}.tls: ${(error as Error).message}`])
  }
}

/** 405 tells the methods of all routes that stand at the same place. */
function mergeAllow(places: readonly RoutePlace[]): void {
  const byPlace = new Map<string, Set<string>>()
  const keyOf = (place: RoutePlace): string => `${[...place.hosts].sort().join()} ${place.path}`
  for (const place of places) {
    const methods = byPlace.get(keyOf(place)) ?? new Set()
    for (const method of place.route.methods) methods.add(method)
    byPlace.set(keyOf(place), methods)
  }
  for (const place of places) {
    ;(place.route as { allow: string }).allow = [...byPlace.get(keyOf(place))!].join(', ')
  }
}

/** Transcripts that a service serves are sensitive reads all the same. */
function auditedForward(forward: Stage, audit: Log['audit']): Stage {
  return (x) => {
    const before = x.onRelease
    x.onRelease = () => {
      before?.()
      audit.record({
        event: 'sensitive_read',
        outcome: x.status >= 200 && x.status < 400 ? 'success' : 'failure',
        user: x.user,
        address: x.clientAddress,
        requestId: x.id,
        object: x.path,
      })
    }
    return forward(x)
  }
}

const ADMIN_LIMITS: HttpLimits = {
  maxHeaderBytes: 16 * 1024,
  maxHeaders: 64,
  maxTargetBytes: 2048,
  headersMs: 10_000,
  idleMs: 30_000,
  bodyGraceMs: 5000,
  bodyMinRate: 240,
  sendMs: 30_000,
  maxRequestsPerConnection: 10_000,
  maxConnectionAgeMs: 3_600_000,
  maxStreams: 10,
  tunnelIdleMs: 60_000,
}

function httpLimits(config: ListenerConfig): HttpLimits {
  const { connections, timeouts, http } = config
  return {
    maxHeaderBytes: http.maxHeaderBytes,
    maxHeaders: http.maxHeaders,
    maxTargetBytes: http.maxTarget,
    headersMs: timeouts.headers,
    idleMs: timeouts.idle,
    bodyGraceMs: timeouts.bodyGrace,
    bodyMinRate: timeouts.bodyMinRate,
    sendMs: timeouts.send,
    maxRequestsPerConnection: connections.maxRequests,
    maxConnectionAgeMs: connections.maxAge,
    maxStreams: http.maxStreams,
    tunnelIdleMs: timeouts.webSocketIdle,
  }
}

