/** Builds routes: the stages that each needs, its header edits and bounds, frozen. It knows no socket. */

import { readConditions } from '../config/match-shape.ts'
import { parseSealedPath } from '../config/sealed-path.ts'
import { type Environment, readSecret } from '../config/secrets.ts'
import type { Configuration, HeadersConfig, PublicListenerConfig, RouteConfig } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import { makeAddressLists } from '../exchange/address-lists.ts'
import type { Route, RouteTimeouts, Stage } from '../exchange/contracts.ts'
import { CrossOrigin } from '../exchange/cross-origin.ts'
import { lastHop } from '../exchange/last-hop.ts'
import { makeMaintenanceStage } from '../exchange/maintenance-stage.ts'
import { makeRewrite } from '../exchange/rewrite-path.ts'
import type { RoutePlace } from '../exchange/router.ts'
import { compileEdits, headerProblems } from '../exchange/security-headers.ts'
import { makeSocketAdmission } from '../exchange/socket-admission.ts'
import type { SocketBounds } from '../exchange/socket-bounds.ts'
import { makeCidrMatcher } from '../http/address.ts'
import { canonicalHost } from '../http/host.ts'
import { samePaths } from '../http/path-pattern.ts'
import { makeOpenSealed } from '../keys/open-sealed.ts'
import { MAX_ENDPOINT_BYTES, makeTokenEndpoint } from '../keys/token-endpoint.ts'
import { makeUrlSealer } from '../keys/url-sealer.ts'
import { makeUserBan } from '../limits/ban-check.ts'
import { answerFilters } from '../messages/answers.ts'
import { compileHiders, type HiderFor } from '../messages/hide.ts'
import { makeInspect } from '../messages/inspect.ts'
import { compileRules, type MessageRules } from '../messages/rules.ts'
import { compileLinkSealer, type LinkSealer } from '../messages/seal-links.ts'
import { answerCleaners, type CleanerFor, sealingCleaners } from '../messages/shown.ts'
import { answerBy, routeStages } from '../pipeline.ts'
import { makeForward } from '../upstream/forward.ts'
import type { Service } from '../upstream/service.ts'
import { answerCare } from './answer-care.ts'
import { answerOutlets } from './compression.ts'
import { bearerStage, type OpenIssuer } from './issuers.ts'
import { type Keys, neededKeys } from './keys.ts'
import { admitStages } from './limits.ts'
import { errorPagesOf, ownAnswer } from './own-answers.ts'
import { socketBounds } from './sockets.ts'
import { capsOf, type Findings, type Standing } from './standing.ts'

/** Characters of the key by which fields are hashed. */
const LEAST_KEY = 32
/** Of a route that no service answers. */
const NO_TIMEOUTS: RouteTimeouts = { firstByteMs: 0, betweenBytesMs: 0, totalMs: 0 }

/** A profile without changes. */
export function plainHeaders(profile: HeadersConfig['profile']): HeadersConfig {
  return { profile, set: {}, remove: [], keep: [], frameAncestors: [] }
}

/** What a route of a listener of its own kind may have beyond the least. */
export interface OwnRouteOptions {
  /** Default: every path. */
  readonly path?: string
  readonly serviceName?: string
  /** What a service answers needs them. */
  readonly timeouts?: RouteTimeouts | undefined
  readonly maxBodyBytes?: number
  readonly accepts?: readonly string[]
}

/** A route of a listener of its own kind. */
export function ownRoute(
  name: string,
  methods: readonly string[],
  headers: HeadersConfig,
  secure: boolean,
  stages: readonly Stage[],
  { path = '/*', serviceName = '-', timeouts = NO_TIMEOUTS, maxBodyBytes = 0, accepts }: OwnRouteOptions = {},
): RoutePlace {
  const route: Route = Object.freeze({
    name,
    index: 0,
    path,
    methods: new Set(methods),
    allow: methods.join(', '),
    stages,
    edits: compileEdits(headers, secure),
    maxBodyBytes,
    accepts: accepts === undefined ? null : new Set(accepts),
    allowEncodedSlashes: false,
    webSocket: false,
    origins: null,
    crossOrigin: null,
    timeouts,
    isApi: false,
    pages: null,
    serviceName,
  })
  return { hosts: [], path, conditions: [], route }
}

/** What routes name. */
export interface RouteParts {
  readonly services: ReadonlyMap<string, Service>
  readonly keys: Keys | null
  readonly issuers: ReadonlyMap<string, OpenIssuer>
}

/** Makes the configured routes, for one listener after the other. */
export class RouteBuilder {
  readonly #config: Configuration
  readonly #standing: Standing
  readonly #services: ReadonlyMap<string, Service>
  readonly #keys: Keys | null
  readonly #issuers: ReadonlyMap<string, OpenIssuer>
  readonly #inspectors = new Map<string, Stage>()
  /** How many routes have the same path. */
  readonly #atPath = new Map<string, number>()

  /** Tells what is wrong with the header settings of the routes. */
  constructor(config: Configuration, standing: Standing, { services, keys, issuers }: RouteParts, findings: Findings) {
    this.#keys = keys
    this.#issuers = issuers
    this.#config = config
    this.#standing = standing
    this.#services = services
    for (const { path } of config.routes) this.#atPath.set(path, (this.#atPath.get(path) ?? 0) + 1)
    for (const [index, route] of config.routes.entries()) {
      const problems = headerProblems(route.headers).map((problem) => `routes[${index}].headers.${problem}`)
      if (problems.length > 0) findings.attempt(() => fail(problems))
    }
  }

  /** The routes that exist on a listener: those that name its profile, and on an internal one all. */
  placesFor(name: string, listener: PublicListenerConfig): RoutePlace[] {
    const { profile } = listener
    const shown = [...this.#config.routes.entries()].filter(
      ([, route]) => profile === 'internal' || route.profiles.includes(profile),
    )
    const allowed = allowedMethods(shown.map(([, route]) => route))
    const places = shown.map(([index, route]) =>
      this.#place(name, listener, route, index, allowed.get(placeKey(route))!),
    )
    return listener.tokens === undefined ? places : [this.#tokenPlace(name, listener), ...places]
  }

  #place(
    listenerName: string,
    listener: PublicListenerConfig,
    config: RouteConfig,
    index: number,
    allow: readonly string[],
  ): RoutePlace {
    const own = ownAnswer(this.#config, index, this.#standing.metrics)
    const service = this.#services.get(config.service ?? '')
    // Its problem is told already; the plan will not be used.
    if (service === undefined && own === null) return ownRoute(config.path, [], plainHeaders('api'), true, [])
    const name = config.name ?? this.#defaultName(config)
    const cleanerFor = this.#cleanerFor(config)
    const bounds = socketBounds(`${listenerName} ${name}`, config, this.#config, this.#standing, cleanerFor)
    const admit = admitStages([...listener.limits, ...config.limits], this.#config, this.#standing)
    const methods = withHead(config.methods)
    const crossOrigin = config.cors === undefined ? null : new CrossOrigin(config.cors, methods)
    const route: Route = {
      name,
      index,
      path: config.path,
      methods,
      allow: allow.join(', '),
      stages: routeStages({
        addresses: makeAddressLists(config.allow, config.deny),
        crossOrigin,
        maintenance: this.#maintenance(name),
        inFlight: capsOf(this.#standing, `${listenerName} in flight`, listener.connections.inFlightPerAddress),
        admit: admit.before,
        audited: null,
        signIn: config.signIn === undefined ? null : bearerStage(config.signIn, this.#issuers, this.#standing),
        userBan: config.signIn === undefined ? null : makeUserBan(this.#standing.bans, this.#standing.metrics),
        sealed: this.#opener(config),
        rewrite: config.rewrite === undefined ? null : makeRewrite(config.path, config.rewrite),
        admitUser: admit.after,
        admitBody: admit.body,
        socket: config.webSocket ? makeSocketAdmission(bounds) : null,
        lastHop: config.methods.includes('OPTIONS') ? lastHop : null,
        inspect: config.messages === undefined ? null : this.#inspect(config.messages, config.socketIo, bounds),
        end: own === null ? this.#forward(service!, config, bounds, cleanerFor) : answerBy(own),
      }),
      edits: compileEdits(config.headers, true, differsByRole(config), crossOrigin !== null),
      maxBodyBytes: config.maxBody,
      accepts: config.accepts === undefined ? null : new Set(config.accepts),
      allowEncodedSlashes: config.allowEncodedSlashes,
      webSocket: config.webSocket,
      origins: config.origins === undefined ? null : new Set(config.origins),
      crossOrigin,
      timeouts: { ...answerTimes(service), totalMs: config.timeout },
      isApi: config.api,
      pages: errorPagesOf(this.#config, index),
      serviceName: config.service ?? '-',
    }
    return {
      hosts: config.hosts.map((host) => canonicalHost(host) ?? host),
      path: config.path,
      conditions: readConditions(config.match.headers),
      route: Object.freeze(route),
    }
  }

  #forward(service: Service, config: RouteConfig, bounds: SocketBounds, cleanerFor: CleanerFor | null): Stage {
    const { metrics } = this.#standing
    const answers = cleanerFor === null ? null : answerFilters(cleanerFor, config.maxAnswer, config.socketIo, metrics)
    return makeForward(service, {
      metrics,
      bounds: config.webSocket ? bounds : null,
      answers,
      care: answerCare(this.#config, service, config, metrics),
      outlets: answerOutlets(this.#config, config, metrics),
    })
  }

  #maintenance(name: string): Stage {
    const { retryAfter, exempt } = this.#config.maintenance
    const rules = { retryAfterSeconds: Math.ceil(retryAfter / 1000), isExempt: makeCidrMatcher(exempt) }
    return makeMaintenanceStage(this.#standing.maintenance, name, rules)
  }

  /** Names of all routes, and whether the configuration has them under maintenance. */
  get maintained(): ReadonlyMap<string, boolean> {
    return new Map(
      this.#config.routes.map((config) => [config.name ?? this.#defaultName(config), config.maintenance] as const),
    )
  }

  /** Where chat services have tokens made. */
  #tokenPlace(listenerName: string, listener: PublicListenerConfig): RoutePlace {
    const { path, limits } = listener.tokens!
    const { tokens, kinds } = neededKeys(this.#keys)
    const { log, metrics } = this.#standing
    const stages = routeStages({
      inFlight: capsOf(this.#standing, `${listenerName} in flight`, listener.connections.inFlightPerAddress),
      admit: admitStages([...listener.limits, ...limits], this.#config, this.#standing).alone,
      audited: log.audit,
      signIn: null,
      socket: null,
      lastHop: null,
      inspect: null,
      end: answerBy(makeTokenEndpoint({ tokens, kinds, audit: log.audit, metrics })),
    })
    const { route } = ownRoute('url tokens', ['POST'], plainHeaders('api'), true, stages)
    const accepts = new Set(['application/json'])
    return {
      hosts: [],
      path,
      conditions: [],
      route: Object.freeze({ ...route, path, accepts, maxBodyBytes: MAX_ENDPOINT_BYTES }),
    }
  }

  #opener({ sealed }: RouteConfig): Stage | null {
    if (sealed === undefined) return null
    // A path that is none was refused with the file.
    const at = 'query' in sealed.in ? sealed.in.query : parseSealedPath(sealed.in.path)
    const { tokens } = neededKeys(this.#keys)
    return makeOpenSealed({ kind: sealed.kind, at, to: sealed.to ?? null }, tokens, this.#standing.metrics)
  }

  #links(rules: NonNullable<RouteConfig['sealLinks']>): LinkSealer {
    const { tokens, kinds } = neededKeys(this.#keys)
    return compileLinkSealer(rules, makeUrlSealer(tokens, kinds))
  }

  /** The path, and the methods where that is not enough to tell routes apart. */
  #defaultName(config: RouteConfig): string {
    const isAlone = this.#atPath.get(config.path) === 1
    return isAlone ? config.path : `${config.methods.join(',')} ${config.hosts.join(',')}${config.path}`
  }

  #rules(name: string): MessageRules {
    const { metrics } = this.#standing
    return compileRules(this.#config.messages[name]!, (kind) => metrics.count('message_cards_total', kind, name))
  }

  /** What is shown of the service's answers and messages; null: all. */
  #cleanerFor(config: RouteConfig): CleanerFor | null {
    const rules = config.answers === undefined ? null : this.#rules(config.answers)
    const hiders = compileHide(config, this.#standing.env)
    const shown = rules === null && hiders === null ? null : answerCleaners(rules, hiders)
    return config.sealLinks === undefined ? shown : sealingCleaners(this.#links(config.sealLinks), shown)
  }

  #inspect(name: string, speaksSocketIo: boolean, bounds: SocketBounds): Stage {
    const { limit, closesOverLimit } = bounds
    // Messages of polling count by the limits of their own route.
    if (speaksSocketIo && limit !== null) {
      const rules = this.#rules(name)
      return makeInspect(rules, this.#standing.metrics, true, { limit, closes: closesOverLimit })
    }
    const key = `${name} ${speaksSocketIo}`
    let stage = this.#inspectors.get(key)
    if (stage === undefined) {
      stage = makeInspect(this.#rules(name), this.#standing.metrics, speaksSocketIo)
      this.#inspectors.set(key, stage)
    }
    return stage
  }
}

/** True where some see what is hidden from others. */
function differsByRole({ hide }: RouteConfig): boolean {
  return hide?.some(({ exceptRoles }) => exceptRoles.length > 0) ?? false
}

function answerTimes(service: Service | undefined): Pick<RouteTimeouts, 'firstByteMs' | 'betweenBytesMs'> {
  if (service === undefined) return NO_TIMEOUTS
  const { firstByte, betweenBytes } = service.config.timeouts
  return { firstByteMs: firstByte, betweenBytesMs: betweenBytes }
}

/** Throws ConfigurationError where a key cannot be had. */
function compileHide({ hide }: RouteConfig, env: Environment): HiderFor | null {
  if (hide === undefined) return null
  const wishes = hide.map((wish) => ({ ...wish, key: wish.key === undefined ? null : readSecret(wish.key, env) }))
  if (wishes.some(({ mode, key }) => mode === 'hash' && (key ?? '').length < LEAST_KEY)) {
    fail([`a route's "hide": the key is shorter than ${LEAST_KEY} characters`])
  }
  return compileHiders(wishes)
}

function fail(problems: readonly string[]): never {
  throw new ConfigurationError(problems)
}

/** HEAD comes with GET (RFC 9110, 9.3.2). */
function withHead(methods: readonly string[]): Set<string> {
  return new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods)
}

const placeKey = (route: RouteConfig): string => `${[...route.hosts].sort().join()} ${samePaths(route.path)}`

/** 405 tells the methods of all routes at the same place. */
function allowedMethods(routes: readonly RouteConfig[]): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>()
  for (const route of routes) {
    const key = placeKey(route)
    found.set(key, [...new Set([...(found.get(key) ?? []), ...withHead(route.methods)])])
  }
  return found
}
