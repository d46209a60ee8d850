/** Builds what each socket serves: TLS material, bounds, and the frozen plan that its engines read. It binds nothing. */
import { readSecret } from '../config/secrets.ts'
import type { Configuration, PublicListenerConfig, TlsConfig, TranscriptsListenerConfig } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import { cannedAnswers } from '../exchange/canned.ts'
import type { HttpLimits, ListenerPlan } from '../exchange/contracts.ts'
import type { ErrorPages } from '../exchange/error-pages.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { Router } from '../exchange/router.ts'
import { compileEdits } from '../exchange/security-headers.ts'
import { UnsentBytes } from '../exchange/unsent-bytes.ts'
import { makeCidrMatcher } from '../http/address.ts'
import { canonicalHost, isLoopbackHost, matchHost } from '../http/host.ts'
import { makeAddressBan } from '../limits/ban-check.ts'
import { filesOf, loadCertificates } from '../listen/certificates.ts'
import { loadAuthorities } from '../listen/client-certificates.ts'
import type { HandshakeFailure } from '../listen/handshake-failure.ts'
import type { ListenerOptions, ProxyProtocol } from '../listen/listener.ts'
import { ensureSelfSigned, isSelfSignedAllowed } from '../listen/self-signed.ts'
import type { ListenerTls } from '../listen/tls-front.ts'
import { refusalRecorder } from '../observe/audit-refusals.ts'
import { LineThrottle } from '../observe/line-throttle.ts'
import { frontStages } from '../pipeline.ts'
import { managedCertificate } from './acme.ts'
import { errorPagesOf } from './own-answers.ts'
import { plainHeaders } from './routes.ts'
import { capsOf, type Findings, type Standing } from './standing.ts'
import { sharedTickets } from './ticket-sharing.ts'

export type ListenerConfig = PublicListenerConfig | TranscriptsListenerConfig

/** What a socket needs beyond its listener's settings. */
export interface Socket {
  readonly setting: string
  readonly name: string
  readonly address: { readonly host: string; readonly port: number }
  readonly tls: ListenerTls | null
  readonly router: Router
  /** What the listener's limits charge for what is refused before they are asked; null: nothing. */
  readonly onStray: ((x: Exchange) => void) | null
}

export function listenerSocket(
  socket: Socket,
  config: ListenerConfig,
  all: Configuration,
  standing: Standing,
): ListenerOptions {
  const { connections, timeouts } = config
  return {
    setting: socket.setting,
    ...socket.address,
    tls: socket.tls,
    proxyProtocol: proxyProtocol(config),
    maxConnections: connections.max,
    connectionCaps: capsOf(standing, `${socket.name} connections`, connections.perAddress),
    isBanned: (address) => standing.bans.isAddressBanned(address),
    handshakeMs: timeouts.handshake,
    handshakes: config.handshakes,
    onHandshakeFailure: handshakeWatch(socket.name, standing),
    plan: (covers) =>
      listenerPlan(socket, covers, httpLimits(config), connections.maxUnsent, factsOf(config, all), all, standing),
  }
}

const ADMIN_CONNECTIONS = 256
const ADMIN_UNSENT_BYTES = 16 * 1024 * 1024

/** The admin listener has no settings but its address: it is for one machine's own programs. */
export function adminSocket(
  address: Socket['address'],
  router: Router,
  all: Configuration,
  standing: Standing,
): ListenerOptions {
  const socket: Socket = {
    setting: 'listeners.admin.address',
    name: 'admin',
    address,
    tls: null,
    router,
    onStray: null,
  }
  // A page of another name that resolves to loopback must not read metrics through the operator's browser.
  const isServed = (host: string): boolean => isLoopbackHost(host, address.host)
  const facts: Facts = {
    ...{ isServed, allow: [], deny: [], trustedProxies: [], forwardedBy: 'x-forwarded-for', via: null },
    // Who bans must be able to end it.
    keepsOut: false,
    pages: null,
  }
  return {
    setting: socket.setting,
    ...address,
    tls: null,
    proxyProtocol: null,
    maxConnections: ADMIN_CONNECTIONS,
    connectionCaps: capsOf(standing, 'admin connections', ADMIN_CONNECTIONS),
    isBanned: () => false,
    handshakeMs: 0,
    handshakes: { max: 0, perAddress: 0, perSecond: 0, perAddressPerMinute: 0 },
    onHandshakeFailure: () => {},
    plan: (covers) => listenerPlan(socket, covers, ADMIN_LIMITS, ADMIN_UNSENT_BYTES, facts, all, standing),
  }
}

/** Certificates of a listener, or the self-signed one where that is allowed. Throws a ConfigurationError. */
export function listenerTls(
  name: string,
  config: ListenerConfig,
  all: Configuration,
  standing: Standing,
  findings: Findings,
): ListenerTls {
  const tls = tlsConfig(config, all)
  const resolve = (reference: Parameters<typeof readSecret>[0]): string => readSecret(reference, standing.env)
  const { clientCertificates } = tls
  findings.files.push(...(clientCertificates?.ca ?? []), ...(clientCertificates?.crl ?? []))
  const clients = clientCertificates === undefined ? null : loadAuthorities(clientCertificates, name)
  const hasPairs = tls.certificates.length > 0 || tls.acme !== undefined
  const settings = hasPairs ? tls : selfSigned(name, config, tls, findings)
  findings.files.push(...filesOf(settings))
  const certificates = loadCertificates(settings, resolve, name, standing.certificates)
  if (tls.acme !== undefined) certificates.push(managedCertificate(name, tls, tls.acme, all, standing, findings))
  findings.certificates.push({ listener: name, certificates, warnDays: tls.expiryWarning })
  if (tls.ocspStapling) standing.stapler.follow(certificates)
  return {
    profile: tls.profile,
    certificates,
    isStrictSni: tls.strictSni,
    clients,
    ticketRotationMs: tls.ticketRotation,
    sharedTickets: sharedTickets(name, tls, all, standing),
    challenges: standing.challenges,
    staple: tls.ocspStapling ? (certificate) => standing.stapler.answerFor(certificate) : () => null,
  }
}

function selfSigned(name: string, config: ListenerConfig, tls: TlsConfig, findings: Findings): TlsConfig {
  if (!isSelfSignedAllowed(config.address.host, tls)) {
    throw new ConfigurationError([
      `listeners.${name}.tls: has no certificate; name one, or write "selfSigned": true to use the self-signed one beyond loopback`,
    ])
  }
  const { cert, key } = ensureSelfSigned()
  findings.notes.add(
    `The self-signed certificate ${cert} is in use: browsers will warn; it is for localhost and tests only`,
  )
  return { ...tls, certificates: [{ cert, key }] }
}

function proxyProtocol(config: ListenerConfig): ProxyProtocol | null {
  if (config.proxyProtocol === undefined) return null
  const { from, timeout } = config.proxyProtocol
  return { isSender: makeCidrMatcher(from), timeoutMs: timeout }
}

function tlsConfig(config: ListenerConfig, all: Configuration): TlsConfig {
  if (typeof config.tls !== 'string') return config.tls
  // One hop: references.ts refuses a chain.
  return (all.listeners as Record<string, ListenerConfig>)[config.tls]!.tls as TlsConfig
}

/** Lines a second and listener about bytes that are no request: anybody can cause them. */
const REFUSED_LINES = 10

/** Counts handshakes that came to nothing; says those that an operator has to know of, for somebody will ask. */
function handshakeWatch(listener: string, { log, metrics }: Standing): ListenerOptions['onHandshakeFailure'] {
  const throttle = new LineThrottle(REFUSED_LINES, 1000, (count) => {
    log.gateway.info('Clients without a valid certificate, more than are logged', { listener, count })
  })
  return (reason: HandshakeFailure, client: string) => {
    metrics.count('tls_handshake_failures_total', reason, listener)
    const isOurs = reason.startsWith('client-certificate') || reason.startsWith('revocation-list')
    if (!isOurs || !throttle.take(performance.now())) return
    const level = reason.startsWith('revocation-list') ? 'error' : 'info'
    log.gateway[level]('A client was refused by its certificate', { listener, reason, client })
  }
}

/** What a listener's plan takes from its settings. */
interface Facts extends Pick<ListenerConfig, 'allow' | 'deny' | 'trustedProxies'> {
  /** Whether bans hold here. */
  readonly keepsOut: boolean
  readonly isServed: ListenerPlan['isServed']
  readonly forwardedBy: ListenerPlan['forwardedBy']
  readonly via: string | null
  readonly pages: ErrorPages | null
}

function factsOf(config: ListenerConfig, all: Configuration): Facts {
  const { allow, deny, trustedProxies, forwardedBy } = config
  const hosts = new Set(config.hosts.map((host) => canonicalHost(host) ?? host))
  return {
    isServed: (host) => hosts.size === 0 || matchHost(hosts, host),
    via: config.via?.toLowerCase() ?? null,
    keepsOut: true,
    pages: errorPagesOf(all, null),
    ...{ allow, deny, trustedProxies, forwardedBy },
  }
}

function listenerPlan(
  socket: Socket,
  covers: ListenerPlan['isDirected'],
  limits: HttpLimits,
  maxUnsent: number,
  facts: Facts,
  all: Configuration,
  standing: Standing,
): ListenerPlan {
  const { log, metrics } = standing
  const edits = compileEdits(plainHeaders('api'), socket.tls !== null)
  const isAllowed = makeCidrMatcher(facts.allow)
  const isDenied = makeCidrMatcher(facts.deny)
  const allowsAll = facts.allow.length === 0
  const front = frontStages(facts.keepsOut ? makeAddressBan(standing.bans, metrics) : null)
  const throttle = new LineThrottle(REFUSED_LINES, 1000, (count) => {
    log.gateway.info('Refused bytes that are no request, more than are logged', { listener: socket.name, count })
  })
  const recordRefusal = refusalRecorder(socket.name, log.audit)
  const { onStray } = socket
  return Object.freeze<ListenerPlan>({
    name: socket.name,
    isServed: facts.isServed,
    match: socket.router,
    isTrustedProxy: makeCidrMatcher(facts.trustedProxies),
    forwardedBy: facts.forwardedBy,
    via: facts.via,
    isAllowedAddress: (address) => !isDenied(address) && (allowsAll || isAllowed(address)),
    isDirected: covers,
    ipv6Prefix: all.limits.store.ipv6Prefix,
    edits,
    pages: facts.pages,
    limits,
    unsent: new UnsentBytes(maxUnsent),
    onFinish: (x) => {
      metrics.observeExchange(x)
      log.access(x)
      recordRefusal(x)
      if (onStray !== null) onStray(x)
    },
    canned: cannedAnswers(edits),
    onRefusedBytes: (code, address) => {
      metrics.count('refused_requests_total', code)
      if (!throttle.take(performance.now())) return
      log.gateway.info('Refused bytes that are no request', { listener: socket.name, code, client: address })
    },
    run: (x) => x.runStages(front),
  })
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
  sendMinRate: 240,
  maxRequestsPerConnection: 10_000,
  maxConnectionAgeMs: 3_600_000,
  maxStreams: 10,
  tunnelIdleMs: 60_000,
}

function httpLimits({ connections, timeouts, http }: ListenerConfig): HttpLimits {
  return {
    maxHeaderBytes: http.maxHeaderBytes,
    maxHeaders: http.maxHeaders,
    maxTargetBytes: http.maxTarget,
    headersMs: timeouts.headers,
    idleMs: timeouts.idle,
    bodyGraceMs: timeouts.bodyGrace,
    bodyMinRate: timeouts.bodyMinRate,
    sendMs: timeouts.send,
    sendMinRate: timeouts.sendMinRate,
    maxRequestsPerConnection: connections.maxRequests,
    maxConnectionAgeMs: connections.maxAge,
    maxStreams: http.maxStreams,
    tunnelIdleMs: timeouts.webSocketIdle,
  }
}
