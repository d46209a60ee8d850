/**
 * Turns a checked configuration into what the data path runs: everything decidable is decided here, once, and frozen.
 * It reads the files that the configuration names and throws for what is wrong with them; it binds no socket.
 */
import type { ManagedWish } from '../acme/managed-certificate.ts'
import { readSecret } from '../config/secrets.ts'
import type { Configuration, PublicListenerConfig, ServiceConfig, TranscriptsListenerConfig } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import type { AcmeChallenges } from '../exchange/acme-challenges.ts'
import { DONE, type Stage } from '../exchange/contracts.ts'
import { makeRouter, type RoutePlace, type Router } from '../exchange/router.ts'
import type { ServedCertificates } from '../listen/certificate-expiry.ts'
import type { ListenerOptions } from '../listen/listener.ts'
import { answerBy, routeStages } from '../pipeline.ts'
import { CHALLENGE_FOLDER, makeChallengeResponder } from '../responders/acme-challenge.ts'
import { makeRedirect } from '../responders/redirect.ts'
import { STATUS_PAGE_PATH } from '../responders/status.ts'
import { Service, type ServiceParts } from '../upstream/service.ts'
import type { Change } from '../upstream/service-health.ts'
import { asksOverHttp } from './acme.ts'
import { type OpenIssuer, openIssuers } from './issuers.ts'
import { openKeys } from './keys.ts'
import { admitStages, strayPenalties } from './limits.ts'
import { adminSocket, listenerSocket, listenerTls } from './listeners.ts'
import { ownFiles } from './own-answers.ts'
import { makeProviderDoor } from './provider-door.ts'
import { ownRoute, plainHeaders, RouteBuilder, type RouteParts } from './routes.ts'
import { Findings, type Standing } from './standing.ts'
import { transcriptsPlaces, transcriptsPurge } from './transcripts.ts'

export interface Plan {
  readonly sockets: readonly ListenerOptions[]
  readonly services: ReadonlyMap<string, Service>
  readonly issuers: ReadonlyMap<string, OpenIssuer>
  /** Files that the plan was made from, for the watch. */
  readonly files: readonly string[]
  /** What listeners serve over TLS. */
  readonly certificates: readonly ServedCertificates[]
  /** Lines worth saying at start. */
  readonly notes: readonly string[]
  readonly drain: Configuration['drain']
  /** What is ordered from authorities. */
  readonly acme: readonly ManagedWish[]
  /** Routes by name, and whether the configuration has them under maintenance. */
  readonly maintained: ReadonlyMap<string, boolean>
  /** Work for the start and for once a day. Never rejects. */
  readonly daily: (() => Promise<void>) | null
}

const RESERVED: ReadonlySet<string> = new Set(['transcripts', 'admin'])
const ADMIN_BODY = 4096
const ALL_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Throws a ConfigurationError with everything that is wrong with the files behind the configuration. */
export function makePlan(config: Configuration, standing: Standing): Plan {
  const findings = new Findings()
  const services = openServices(config, standing, findings)
  const keys = openKeys(config, findings)
  const issuers = openIssuers(config, standing, findings)
  const routes = new RouteBuilder(config, standing, { services, keys, issuers }, findings)
  findings.files.push(...ownFiles(config))
  const sockets: ListenerOptions[] = []
  for (const [name, listener] of publicListeners(config)) {
    findings.attempt(() => sockets.push(...publicSockets(name, listener, config, standing, routes, findings)))
  }
  const { transcripts, admin } = config.listeners
  if (transcripts !== undefined) {
    findings.attempt(() =>
      sockets.push(transcriptsSocket(transcripts, config, standing, { services, keys, issuers }, findings)),
    )
  }
  const adminStages = routeStages({
    inFlight: null,
    admit: null,
    audited: null,
    signIn: null,
    socket: null,
    lastHop: null,
    inspect: null,
    end: answerBy(standing.adminResponder),
  })
  const adminRouter = makeRouter([adminPlace(adminStages), statusPlace(adminStages)])
  sockets.push(adminSocket(admin.address, adminRouter, config, standing))
  if (findings.problems.length > 0) {
    for (const [name, service] of services) if (standing.services.get(name) !== service) void service.destroy()
    throw new ConfigurationError(findings.problems)
  }
  return Object.freeze({
    sockets,
    services,
    issuers,
    files: findings.files,
    certificates: findings.certificates,
    notes: [...findings.notes],
    drain: config.drain,
    acme: findings.acme,
    maintained: routes.maintained,
    daily: transcripts === undefined ? null : transcriptsPurge(transcripts, keys, standing.log),
  })
}

/** Actions come with a small body. */
function adminPlace(stages: readonly Stage[]): RoutePlace {
  const place = ownRoute('admin', ['GET', 'HEAD', 'POST', 'DELETE'], plainHeaders('api'), false, stages)
  return { ...place, route: Object.freeze({ ...place.route, maxBodyBytes: ADMIN_BODY }) }
}

/** A page for people, with a policy of its own. */
function statusPlace(stages: readonly Stage[]): RoutePlace {
  const options = { path: STATUS_PAGE_PATH }
  return ownRoute('admin', ['GET', 'HEAD'], plainHeaders('transcript'), false, stages, options)
}

function publicListeners(config: Configuration): [string, PublicListenerConfig][] {
  const named = Object.entries(config.listeners).filter(([name]) => !RESERVED.has(name))
  return named as [string, PublicListenerConfig][]
}

/** Services of which nothing changed go on with their connections. */
function openServices(config: Configuration, standing: Standing, findings: Findings): Map<string, Service> {
  const services = new Map<string, Service>()
  for (const [name, wanted] of Object.entries(config.services)) {
    const { ca, crl, cert, key } = wanted.tls
    for (const file of [ca, ...crl, cert, key, wanted.proxy?.ca]) if (file !== undefined) findings.files.push(file)
    const before = standing.services.get(name) ?? null
    const service = findings.attempt(() => {
      const stickyKey = readStickyKey(name, wanted, standing)
      const proxyPassword = readProxyPassword(wanted, standing)
      if (before?.isSame(wanted, stickyKey, proxyPassword)) return before
      return openService(name, wanted, { stickyKey, proxyPassword, before, onChange: changeTeller(standing) })
    })
    if (service !== null) services.set(name, service)
  }
  return services
}

const BAD: ReadonlySet<Change> = new Set(['down', 'ejected', 'opened', 'unresolved', 'blocked'])
/** What a change is about, where it is no endpoint. */
const SUBJECTS: Partial<Record<Change, string>> = {
  ...{ unresolved: 'The name of endpoints', resolved: 'The name of endpoints' },
  ...{ blocked: 'The way through the proxy', cleared: 'The way through the proxy' },
}

/** One line and one count for each change; the log knows the endpoint, the counters do not. */
function changeTeller({ log, metrics }: Standing): ServiceParts['onChange'] {
  return (service, change, endpoint, reason) => {
    metrics.count('endpoint_changes_total', change, service)
    const text =
      endpoint === '' ? `The circuit of a service ${change}` : `${SUBJECTS[change] ?? 'An endpoint'} is ${change}`
    log.gateway[BAD.has(change) ? 'warn' : 'info'](text, { service, endpoint, reason })
  }
}

/** Shorter keys could be guessed from ids that clients see, and with them the addresses of endpoints. */
const LEAST_STICKY_KEY = 32

/** Null where none is named. Throws ConfigurationError where it cannot be had. */
function readStickyKey(name: string, { sticky }: ServiceConfig, standing: Standing): string | null {
  if (sticky?.key === undefined) return null
  const key = readSecret(sticky.key, standing.env)
  if (key.length >= LEAST_STICKY_KEY) return key
  throw new ConfigurationError([`services.${name}.sticky.key: is shorter than ${LEAST_STICKY_KEY} characters`])
}

/** Null where none is named. */
function readProxyPassword({ proxy }: ServiceConfig, standing: Standing): string | null {
  return proxy?.auth === undefined ? null : readSecret(proxy.auth.password, standing.env)
}

function openService(name: string, config: ServiceConfig, parts: ServiceParts): Service {
  try {
    return new Service(name, config, parts)
  } catch (error) {
    throw new ConfigurationError([`services.${name}.tls: ${(error as Error).message}`])
  }
}

function publicSockets(
  name: string,
  listener: PublicListenerConfig,
  config: Configuration,
  standing: Standing,
  routes: RouteBuilder,
  findings: Findings,
): ListenerOptions[] {
  const tls = listenerTls(name, listener, config, standing, findings)
  const known = makeRouter(routes.placesFor(name, listener))
  const router = countingUnrouted(known, admitStages(listener.limits, config, standing).alone)
  const setting = `listeners.${name}.address`
  const onStray = strayPenalties(listener.limits, config, standing)
  const sockets = [
    listenerSocket({ setting, name, address: listener.address, tls, router, onStray }, listener, config, standing),
  ]
  if (listener.redirectFrom === undefined) return sockets
  const socket = {
    setting: `listeners.${name}.redirectFrom`,
    name: `${name}-redirect`,
    address: listener.redirectFrom,
    tls: null,
    router: redirectRouter(name, listener, known, asksOverHttp(findings.acme) ? standing.challenges : null),
    onStray: null,
  }
  return [...sockets, listenerSocket(socket, listener, config, standing)]
}

/** Who looks for what is not there costs as much as anybody: without a route the limits of the listener are asked all the same. */
function countingUnrouted(router: Router, admit: Stage | null): Router {
  if (admit === null) return router
  const { route } = ownRoute('-', [], plainHeaders('api'), true, [admit, refuseUnrouted])
  const nowhere = Object.freeze({ kind: 'found', route } as const)
  return (host, path, method, headers) => router(host, path, method, headers) ?? nowhere
}

const refuseUnrouted: Stage = (x) => {
  x.refuse('no-route')
  return DONE
}

/** `challenges`: where an authority may come for them. */
function redirectRouter(
  name: string,
  listener: PublicListenerConfig,
  target: Router,
  challenges: AcmeChallenges | null,
): Router {
  const redirect = makeRedirect(listener.redirectPort ?? listener.address.port, target)
  const places = [ownRoute(`${name}-redirect`, ALL_METHODS, plainHeaders('api'), false, [answerBy(redirect)])]
  if (challenges !== null) {
    const stages = [answerBy(makeChallengeResponder(challenges))]
    const path = `${CHALLENGE_FOLDER}*`
    places.push(ownRoute(`${name}-challenges`, ['GET', 'HEAD'], plainHeaders('api'), false, stages, { path }))
  }
  return makeRouter(places)
}

function transcriptsSocket(
  listener: TranscriptsListenerConfig,
  config: Configuration,
  standing: Standing,
  { services, keys, issuers }: RouteParts,
  findings: Findings,
): ListenerOptions {
  const name = 'transcripts'
  const tls = listenerTls(name, listener, config, standing, findings)
  const admit = admitStages(listener.limits, config, standing)
  const { oidc } = listener
  const door = oidc === undefined ? null : makeProviderDoor(listener, oidc, config, issuers, standing)
  const router = makeRouter(transcriptsPlaces(listener, standing, services, admit, keys, door))
  const onStray = strayPenalties(listener.limits, config, standing)
  return listenerSocket(
    { setting: `listeners.${name}.address`, name, address: listener.address, tls, router, onStray },
    listener,
    config,
    standing,
  )
}
