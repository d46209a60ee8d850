/**
 * The places where the parts of the gateway meet. Features (upstream, limits, messages, access, responders, observe) know
 * these shapes and never one another.
 */
import type { Duplex } from 'node:stream'
import type { Failure, FailureCode } from '../errors.ts'
import type { HeaderList } from '../http/headers.ts'
import type { CrossOrigin } from './cross-origin.ts'
import type { ErrorPages } from './error-pages.ts'
import type { Exchange } from './exchange.ts'
import type { KeptAnswer } from './kept-answer.ts'
import type { MetricName } from './metric-names.ts'
import type { OwnCount } from './own-count.ts'
import type { SharedBans } from './shared-bans.ts'
import type { SharedValues } from './shared-values.ts'
import type { UnsentBytes } from './unsent-bytes.ts'

/** The stage is done with the exchange and the next one may run. */
export const GO = 0
/** The exchange is answered (or taken over): no further stage runs. */
export const DONE = 1
/** The stage will call `x.resume()` (go on) or answer later. */
export const WAIT = 2
export type Step = typeof GO | typeof DONE | typeof WAIT

/** One plain function of the pipeline. It never throws for untrusted input: it calls `x.refuse()` and returns DONE. */
export type Stage = (x: Exchange) => Step

/** Answers an exchange from within the gateway, by `x.respond()` or `x.respondHead()`. It may answer later. */
export type Responder = (x: Exchange) => void

/** What a protocol engine (HTTP/1.1 or HTTP/2) does for an exchange. Only the exchange calls it. */
export interface ClientHalf {
  /** 1xx other than 101 (RFC 9110, 15.2). Dropped where the protocol version does not allow it. */
  sendInformational(status: number, headers: HeaderList): void
  /**
   * Head, and the whole body when `body` is not null: then the answer is complete and sendEnd is not called. `edits.set`
   * follows the headers.
   */
  sendHead(status: number, headers: HeaderList, edits: HeaderEdits, body: Buffer | null): void
  /**
   * In place of `sendHead`, for the head of an answer that was relayed before, never to HEAD. `own` and `id` are what the
   * gateway says of this exchange. False where it has to be sent by `sendHead`: nothing was done then.
   */
  repeatHead(kept: KeptAnswer, edits: HeaderEdits, own: HeaderList, id: string): boolean
  /** False when the client reads slowly: wait for `x.onClientDrain`. What is not sent at once is copied. */
  sendData(chunk: Buffer): boolean
  sendEnd(trailers: HeaderList | null): void
  /** Ends the answer in a way that the client cannot take for a complete one. */
  abort(why: Failure): void
  /** Answers the WebSocket handshake (101, or 200 over HTTP/2) and hands over the byte stream. */
  openTunnel(headers: HeaderList): Duplex
  /** Body data flows only between resumeBody and pauseBody; it starts paused. */
  resumeBody(): void
  pauseBody(): void
}

/** What the running upstream request, or a slow responder, does for an exchange. */
export interface UpstreamHalf {
  /** The client has read what was sent: send more. */
  onClientDrain(): void
  /** The client left or the gateway gave up: release everything, say nothing more. */
  onExchangeAbort(why: Failure): void
}

/** Takes the request body. Data comes only after `x.readBody(sink)`; back-pressure by `x.client.pauseBody()`. */
export interface BodySink {
  /** The chunk is its giver's again once it returns. */
  onBodyData(chunk: Buffer): void
  onBodyEnd(): void
}

/** Changes that every answer of a route gets, in one pass. Built once, at load. */
export interface HeaderEdits {
  /** Lower-case names that never leave (the OWASP removal list, hop-by-hop, and what `set` replaces). */
  readonly drop: ReadonlySet<string>
  /** Appended to every answer but that of a WebSocket handshake: [name, value, ...]. */
  readonly set: HeaderList
  /** `set` as HTTP/1.x writes it, each line with its CRLF. */
  readonly setLines: string
  /** Names that the gateway sets only where the upstream did not: [name, value, ...]. */
  readonly fallback: HeaderList
}

export interface RouteTimeouts {
  /** Milliseconds. From the request being sent to the head of the answer. */
  readonly firstByteMs: number
  /** Milliseconds between two reads of the answer's body. */
  readonly betweenBytesMs: number
  /** Milliseconds for the whole exchange, upgraded ones excepted; 0 is no bound. */
  readonly totalMs: number
}

/** A route as the data path sees it: everything decidable at load is decided. */
export interface Route {
  readonly name: string
  readonly index: number
  readonly path: string
  /** Allowed methods, upper case; HEAD is among them where GET is. */
  readonly methods: ReadonlySet<string>
  /** The value of Allow for 405: the methods of all routes with this path. */
  readonly allow: string
  readonly stages: readonly Stage[]
  readonly edits: HeaderEdits
  /** Bytes. */
  readonly maxBodyBytes: number
  /** Lower-case media types without parameters; null accepts any. */
  readonly accepts: ReadonlySet<string> | null
  readonly allowEncodedSlashes: boolean
  readonly webSocket: boolean
  /** Exact origins (`https://host[:port]`) that may open a WebSocket or send unsafe cross-origin requests; null: same origin only. */
  readonly origins: ReadonlySet<string> | null
  /** Whose pages may read the answers; null: as the service says. */
  readonly crossOrigin: CrossOrigin | null
  readonly timeouts: RouteTimeouts
  /** True where a person does not browse: the redirect listener answers 403 instead of 308. */
  readonly isApi: boolean
  /** Pages of the operator's own; null: the gateway's. */
  readonly pages: ErrorPages | null
  /** Name of the service for logs and metrics; '-' for a responder. */
  readonly serviceName: string
}

export type RouteMatch = { readonly kind: 'found' | 'wrong-method'; readonly route: Route } | null

/** Bytes that pass through an upgraded connection. Built per tunnel by the messages feature, driven by the tunnel. */
export interface TunnelFilter {
  /** Bytes from the client. */
  onClientData(chunk: Buffer): void
  /** Bytes from the upstream. */
  onUpstreamData(chunk: Buffer): void
  /** Gracefully ends both sides with a close frame (RFC 6455, 7.4) at the next frame boundary. */
  close(code: number, reason: string): void
  /** Puts a frame of the gateway's own in front of the client, between two frames. False where one is running. */
  ping(frame: Buffer): boolean
  /** The answer to an `admit` that gave null. */
  onAdmitted?(isAllowed: boolean): void
  /** The tunnel ended: release what is held. */
  onEnd(): void
}

/** An answer on its way to the client. Built per exchange by the messages feature, driven by the forwarding. */
export interface AnswerFilter {
  /** The fields to send on at once; null: the head waits (in `held`) until the body is there. */
  onHead(status: number, headers: HeaderList): HeaderList | null
  /** The fields of a head that waits. */
  readonly held: HeaderList
  /** What may go on now; null: nothing of the answer may, for the reason in `failure`. */
  onData(chunk: Buffer): Buffer | null
  /** What is left, as above. */
  onEnd(): Buffer | null
  readonly failure: FailureCode
}

/** Null where the answer passes as it is. */
export type AnswerFilterFactory = (x: Exchange) => AnswerFilter | null

/** What a filter may do to its tunnel. */
export interface TunnelSides {
  toClient(chunk: Buffer): void
  toUpstream(chunk: Buffer): void
  /** Stops and restarts reading from the client, while a decision waits. */
  pauseClient(): void
  resumeClient(): void
  /**
   * Counts a message by the limits of the route. `event` is a name of the configuration or a fixed word, never one that a
   * client chose.
   *
   * @returns Whether it may pass; null where `onAdmitted` will tell. Where a refusal ends the socket, `close` was called.
   */
  admit(event: string): boolean | null
  /** No more bytes either way once what was written is flushed. */
  end(): void
}

export type TunnelFilterFactory = (x: Exchange, sides: TunnelSides) => TunnelFilter

/** One shared count per key: requests of a client, failures of an account. Lives in Redis or in memory. */
export interface Counter {
  /** Adds `points` (default 1) and tells the state after it. Never rejects: an outage is answered by the counter's policy. */
  add(key: string, points?: number): Promise<CounterState>
  /** The state without adding; null where the key has none. */
  get(key: string): Promise<CounterState | null>
  /** Blocks the key for so many milliseconds. */
  block(key: string, durationMs: number): Promise<void>
  /** Forgets the key. */
  clear(key: string): Promise<void>
}

export interface CounterState {
  /** Points used in the window. */
  readonly used: number
  /** Points left in the window, never negative. */
  readonly remaining: number
  /** Milliseconds until the window, or the block, ends. */
  readonly resetMs: number
  readonly allowed: boolean
  /** True when the store was down and the outage policy spoke. */
  readonly degraded: boolean
}

export type OutagePolicy = 'local' | 'allow' | 'deny'

export interface CounterOptions {
  /** Part of the key in the store: letters, digits, dash, dot. */
  readonly name: string
  readonly points: number
  readonly windowMs: number
  /**
   * How long a key stays blocked after it went over, in milliseconds: the first time, the second time, and so on; the last
   * one holds for all further times. Empty: a key waits until its window ends.
   */
  readonly blocks: readonly number[]
  readonly onOutage: OutagePolicy
  /** Points over `points` that an idle key saves up; missing: none. */
  readonly burst?: number
  /** Milliseconds after the end of a block at which the next excess counts as the first one again; missing: a day. */
  readonly quietMs?: number
  /** Counted and told, but what it refuses holds nothing up: the other claims of the step are counted all the same. */
  readonly dryRun?: boolean
}

/** What a request (a message, an answer) takes from one counter. */
export interface Claim {
  /** Of the same store. Together with `key` it stands once in a step. */
  readonly counter: Counter
  readonly key: string
  /** Whole points, at least 1; 0 only looks. */
  readonly points: number
  /** Null: everybody is counted together under the key. Only where it adds. */
  readonly own: OwnCount | null
}

/** One state per claim, in their order; null where a refusal was known before the store was asked for this one. */
export type ClaimStates = readonly (CounterState | null)[]

/** Who waits for the answer to a step. Told once, and never where the step was answered at once. */
export interface ClaimWaiter {
  onStates(states: ClaimStates): void
}

/** Makes counters that all gateway processes share. */
export interface CounterStore {
  /** Asked again with the same options it is the same counter: a reload forgets nothing. */
  counter(options: CounterOptions): Counter
  /**
   * One step for all that a request counts: at most one round trip, whatever the number of claims. It is all or nothing:
   * where one claim is refused (by a counter that is not dry), none of the others is counted, and their states are what a
   * look would tell. In a Redis Cluster this holds among the claims with the same key; of the others, which may live on
   * another node, those that were allowed stay counted.
   *
   * @returns The states where no store had to be asked (counts in memory, a refusal that is known, an outage), else null:
   * then `waiter` is told.
   */
  claim(claims: readonly Claim[], waiter: ClaimWaiter): ClaimStates | null
  /**
   * The states where one of the claims (of a counter that is not dry) is known to be refused, without asking any store. Else
   * null, and nothing is counted.
   */
  refusal(claims: readonly Claim[]): ClaimStates | null
  readonly bans: SharedBans
  readonly values: SharedValues
  /** True while the store answers (always, where it is memory). */
  readonly isUp: boolean
  close(): Promise<void>
}

/** One line of the audit log: who, what, from where, outcome. Times are added by the log, in UTC. */
export interface AuditEvent {
  /** OWASP logging vocabulary where it has a word: authn_login_success, authn_login_fail, authn_login_lock, authz_fail, sensitive_read, sys_reload, ... */
  readonly event: string
  readonly outcome: 'success' | 'failure'
  readonly user: string
  readonly address: string
  readonly requestId: string
  /** What was touched, already free of secrets. */
  readonly object: string
  readonly reason?: string
}

export interface AuditLog {
  /** False while lines are lost (a full disk): what must be recorded is refused then. */
  readonly isUp: boolean
  record(event: AuditEvent): void
}

/** Counts by a small, fixed set of labels. Names end in _total (counters) as Prometheus asks. */
export interface Metrics {
  /** `second`: for names that have two labels. `amount`: 1 where it is left out. */
  count(name: MetricName, label: string, second?: string, amount?: number): void
}

/** The part of a listener's plan that the data path reads. Frozen; a reload makes a new one. */
export interface ListenerPlan {
  readonly name: string
  /** Whether a host (lower case, no port, IPv6 in brackets) is served here. */
  readonly isServed: (host: string) => boolean
  readonly match: (host: string, path: string, method: string, headers: HeaderList) => RouteMatch
  readonly isTrustedProxy: (address: string) => boolean
  /** The field by which a trusted proxy tells the client address. The other one is not read. */
  readonly forwardedBy: 'x-forwarded-for' | 'forwarded'
  /** Lower-case pseudonym for Via; null where none is sent. */
  readonly via: string | null
  readonly isAllowedAddress: (address: string) => boolean
  /** False where the connection was opened for another host (SNI) whose certificate does not cover this one: 421. */
  readonly isDirected: (serverName: string, host: string) => boolean
  /** Bits of an IPv6 address that count as one client. */
  readonly ipv6Prefix: number
  /** Edits for answers given before a route is known. */
  readonly edits: HeaderEdits
  /** Pages of the operator's own before a route is known; null: the gateway's. */
  readonly pages: ErrorPages | null
  readonly limits: HttpLimits
  /** What waits for slow clients of the listener. */
  readonly unsent: UnsentBytes
  /** Called once for every exchange that ends. */
  readonly onFinish: (x: Exchange) => void
  readonly canned: (code: FailureCode) => Buffer
  /** Called for bytes that never became an exchange. */
  readonly onRefusedBytes: (code: FailureCode, address: string) => void
  /** Runs the pipeline for a new exchange. */
  readonly run: (x: Exchange) => void
}

export interface HttpLimits {
  /** Bytes of the request line and header fields together. */
  readonly maxHeaderBytes: number
  readonly maxHeaders: number
  /** Bytes of the request target. */
  readonly maxTargetBytes: number
  /** Milliseconds from the first byte of a request to the end of its head. */
  readonly headersMs: number
  /** Milliseconds a connection may idle between requests. */
  readonly idleMs: number
  /** Milliseconds after which a body slower than the minimum rate is refused. */
  readonly bodyGraceMs: number
  /** Bytes per second that a body must arrive with, after the grace. */
  readonly bodyMinRate: number
  /** Milliseconds without progress before an answer that the client does not read is cut. */
  readonly sendMs: number
  /** Bytes per second that a client must take over `sendMs` while something waits for it; 0 is no bound. */
  readonly sendMinRate: number
  readonly maxRequestsPerConnection: number
  readonly maxConnectionAgeMs: number
  /** HTTP/2: SETTINGS_MAX_CONCURRENT_STREAMS. */
  readonly maxStreams: number
  /** WebSocket: milliseconds without a frame in either direction. */
  readonly tunnelIdleMs: number
}
