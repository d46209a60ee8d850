/**
 * The way to Redis and the circuit over it: up, or down until a probe succeeds. It knows no limits; what speaks to Redis
 * calls its scripts through it and asks `isUp` before.
 *
 * While the circuit is open nobody waits: the first command that fails or is late opens it, ends all other waits, and from
 * then on only the probe speaks to Redis. It speaks exactly as a step does (same script, a write), so a Redis that
 * answers PING and refuses writes (read-only replica, out of memory, missing right) stays down.
 */
import type { Cluster, Redis } from 'ioredis'
import type { Metrics } from '../exchange/contracts.ts'
import { Deadline, DeadlineError } from './deadline.ts'
import { ProbeKeys } from './probe-keys.ts'
import type { RedisClient } from './redis-client.ts'
import type { RedisScript } from './redis-script.ts'
import { type OnReply, ScriptCall } from './script-call.ts'
import { WINDOW_SCRIPT } from './window-script.ts'

/** For whom a call is: requests and sign-ins (`step`), the list of bans, shared values, or the probe. */
export type CallFor = 'step' | 'bans' | 'values' | 'probe'

export type StoreLog = (level: 'info' | 'warn', message: string) => void

/** One add to a limit that nobody reaches. */
const PROBE_ARGUMENTS = ['1,1', '1000000 1000000 1000 0 0']
const PROBE_MS = 200
/** A circuit that opens again this soon waits longer before it closes: at most PROBE_MAX_MS. */
const RELAPSE_MS = 10_000
const PROBE_MAX_MS = 1200
const CLOSE_MS = 500

export class RedisLink {
  readonly #redis: Redis | Cluster
  readonly #where: string
  readonly #disconnect: () => void
  readonly #probeKeys: ProbeKeys
  readonly #log: StoreLog
  readonly #metrics: Metrics
  readonly #deadline: Deadline
  readonly #onRecovered: () => void
  readonly #settled: Promise<void>
  #settle: () => void = () => {}
  #isUp = false
  /** An outage was logged and its end was not yet. */
  #isOutage = false
  #closed = false
  /** Answers that a probe still waits for. */
  #probing = 0
  #probeError: Error | null = null
  #probeTimer: NodeJS.Timeout | null = null
  #probeMs = PROBE_MS
  #downSince: number
  #upSince = Number.NEGATIVE_INFINITY
  #lastError = ''

  /** `onRecovered` is called each time the store is back, and the first time it is there. */
  constructor(
    { client, where, disconnect }: RedisClient,
    timeoutMs: number,
    prefix: string,
    log: StoreLog,
    metrics: Metrics,
    onRecovered: () => void,
  ) {
    this.#where = where
    this.#disconnect = disconnect
    this.#redis = client
    this.#probeKeys = new ProbeKeys(client, prefix)
    this.#log = log
    this.#metrics = metrics
    this.#onRecovered = onRecovered
    this.#downSince = performance.now()
    this.#deadline = new Deadline(timeoutMs, () => this.trip(`no answer within ${timeoutMs} ms`))
    this.#settled = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.#redis.on('error', this.#onError)
    this.#redis.on('close', this.#onClose)
    this.#redis.on('ready', this.#onReady)
    this.#schedule()
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Resolves when the first connection stands, or it is known that it does not. */
  get settled(): Promise<void> {
    return this.#settled
  }

  /** Calls a script. `onReply` is told once, an error at the deadline at the latest. */
  call(whom: CallFor, script: RedisScript, keys: readonly string[], args: readonly string[], onReply: OnReply): void {
    this.#metrics.count('limit_store_calls_total', whom)
    new ScriptCall(this.#redis, this.#deadline, script, keys, args, onReply).send()
  }

  /** Opens the circuit: the store is down until a probe succeeds. */
  trip(reason: string): void {
    const now = performance.now()
    if (this.#isUp) {
      this.#isUp = false
      this.#downSince = now
      this.#probeMs = now - this.#upSince < RELAPSE_MS ? Math.min(PROBE_MAX_MS, this.#probeMs * 2) : PROBE_MS
    }
    this.#deadline.giveUp(reason)
    this.#announceOutage(reason)
    this.#schedule()
  }

  /** A call failed. At the deadline everything is done already. */
  onFailed(error: Error): void {
    if (!(error instanceof DeadlineError)) this.trip(reasonOf(error))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#isUp = false
    if (this.#probeTimer !== null) clearTimeout(this.#probeTimer)
    this.#deadline.giveUp('closed')
    this.#deadline.stop()
    this.#settle()
    // Between two attempts there is no socket whose end could be waited for.
    const hasSocket = this.#redis.status !== 'end' && this.#redis.status !== 'reconnecting'
    const ended = new Promise<void>((resolve) => {
      if (!hasSocket) return resolve()
      this.#redis.once('end', resolve)
      setTimeout(resolve, CLOSE_MS)
    })
    this.#disconnect()
    await ended
  }

  #announceOutage(reason: string): void {
    if (this.#closed || this.#isOutage) return
    this.#isOutage = true
    this.#settle()
    this.#metrics.count('limit_store_total', 'outage')
    this.#log('warn', `Redis at ${this.#where} is down (${reason}): each limit follows its onOutage until it is back`)
  }

  #recover(): void {
    this.#isUp = true
    this.#upSince = performance.now()
    this.#settle()
    if (this.#isOutage) {
      this.#isOutage = false
      const seconds = Math.ceil((this.#upSince - this.#downSince) / 1000)
      this.#metrics.count('limit_store_total', 'recovered')
      this.#log('info', `Redis at ${this.#where} is back after ${seconds} s: limits are shared again`)
    } else {
      this.#log('info', `Limits are shared through Redis at ${this.#where}`)
    }
    this.#onRecovered()
  }

  #schedule(): void {
    if (this.#closed || this.#isUp || this.#probeTimer !== null) return
    this.#probeTimer = setTimeout(this.#onProbeTimer, this.#probeMs)
    this.#probeTimer.unref()
  }

  readonly #onProbeTimer = (): void => {
    this.#probeTimer = null
    // A client ends for good where an attempt to connect fails in an unforeseen way (ioredis 6.0).
    if (this.#redis.status === 'end') this.#redis.connect().catch(() => {})
    this.#probe()
    this.#schedule()
  }

  #probe(): void {
    if (this.#isUp || this.#closed || this.#probing > 0 || this.#redis.status !== 'ready') return
    const keys = this.#probeKeys.current()
    if (keys.length === 0 || this.#isOutage) this.#probeKeys.refresh()
    this.#probing = keys.length
    this.#probeError = null
    for (const key of keys) this.call('probe', WINDOW_SCRIPT, [key], PROBE_ARGUMENTS, this.#onProbed)
  }

  /** Who must take writes takes them, or one of them does not. */
  readonly #onProbed = (error: Error | null): void => {
    this.#probing--
    this.#probeError ??= error
    if (this.#probing > 0 || this.#closed) return
    if (this.#probeError !== null) return this.#announceOutage(reasonOf(this.#probeError))
    if (!this.#isUp && this.#redis.status === 'ready') this.#recover()
  }

  readonly #onError = (error: Error): void => {
    this.#lastError = reasonOf(error)
  }

  readonly #onClose = (): void => {
    if (!this.#closed) this.trip(this.#lastError === '' ? 'the connection was closed' : this.#lastError)
    this.#lastError = ''
  }

  /** A new connection is probed at once, unless the circuit opens again and again: then at its slower pace. */
  readonly #onReady = (): void => {
    if (this.#probeMs === PROBE_MS) this.#probe()
  }
}

/** What may stand in a log line: bounded, one line. A Redis error repeats no key and no value but that of a command. */
function reasonOf(error: Error): string {
  const first = (error.message || (error as NodeJS.ErrnoException).code || error.name).split('\n', 1)[0]!
  return first.slice(0, 160)
}
