/**
 * The running gateway: sockets and the plan they serve, exchanged at a reload as a whole or not at all, and drained at the
 * end. It knows no request.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { AcmeCare } from './acme/care.ts'
import { type LoadedConfiguration, loadConfiguration } from './config/load.ts'
import { located } from './config/located.ts'
import { type RedisAccess, readRedisAccess } from './config/redis-access.ts'
import type { Environment } from './config/secrets.ts'
import type { Configuration, StoreConfig } from './config/shape.ts'
import { ConfigurationError } from './errors.ts'
import type { AddressCaps } from './exchange/address-caps.ts'
import { Maintenance } from './exchange/maintenance.ts'
import { closeTunnels, endTunnels, tunnelCount } from './exchange/tunnels.ts'
import { Bans } from './limits/bans.ts'
import { type LimitStore, makeStore } from './limits/store.ts'
import { CertificateCare } from './listen/certificate-care.ts'
import { type ListenerAddress, ListenerSet } from './listen/listener-set.ts'
import { type FileWatch, watchFiles } from './listen/watch.ts'
import { CurrentLog } from './observe/current-log.ts'
import { type Log, makeLog } from './observe/log.ts'
import { GatewayMetrics } from './observe/metrics.ts'
import { addGatewayGauges } from './plan/gateway-gauges.ts'
import { LimitReport } from './plan/limit-events.ts'
import { makePlan, type Plan } from './plan/plan.ts'
import { readinessOf, type StandingFacts } from './plan/readiness.ts'
import { addServiceGauges } from './plan/service-gauges.ts'
import { statusBook } from './plan/status.ts'
import { succeed, whenNamed } from './plan/succession.ts'
import { makeAdmin } from './responders/admin.ts'
import { serviceBook } from './upstream/service-view.ts'

export interface GatewayOptions {
  readonly configPath: string
  readonly env: Environment
  /** Called when the gateway has ended for good. */
  readonly onEnd?: () => void
}

/** Services and stores that a reload replaced: requests that were accepted before may still come to them. */
const RETIRE_MS = 600_000
/** A log whose reader hangs does not keep the process. */
const LOG_CLOSE_MS = 2000
/** Between two lines about the same trouble. */
const TROUBLE_MS = 60_000
const DAY_MS = 86_400_000
const ADMIN = 'listeners.admin.address'

export class Gateway {
  readonly #options: GatewayOptions
  readonly #metrics = new GatewayMetrics()
  readonly #caps = new Map<string, AddressCaps>()
  readonly #listeners = new ListenerSet((setting, code) => this.#onAcceptError(setting, code))
  readonly #certificates = new CertificateCare(() => this.#log!.gateway, this.#metrics)
  readonly #acme = new AcmeCare({
    log: () => this.#log!.gateway,
    metrics: this.#metrics,
    values: () => this.#store!.values,
  })
  /** What the present plan does not use any more; each ends by itself when its time has come. */
  readonly #retired = new Set<() => Promise<void>>()
  readonly #bans = new Bans(() => this.#endBanned())
  readonly #maintenance = new Maintenance()
  #limitReport: LimitReport | null = null
  #plan: Plan | null = null
  readonly #services = serviceBook(() => this.#plan?.services)
  readonly #status = statusBook({
    ...{ metrics: this.#metrics, bans: this.#bans, listeners: this.#listeners },
    certificates: this.#certificates.served,
    standing: () => this.#standing(),
  })
  #configuration: Configuration | null = null
  #log: CurrentLog | null = null
  #logKey = ''
  #store: LimitStore | null = null
  #storeKey = ''
  #watch: FileWatch | null = null
  #daily: NodeJS.Timeout | undefined = undefined
  /** The last of the start and the reloads, which run one after the other. Never rejects. */
  #changing: Promise<unknown> = Promise.resolve()
  #draining = false
  #ended: Promise<void> | null = null
  #troubleSaidAt = Number.NEGATIVE_INFINITY

  constructor(options: GatewayOptions) {
    this.#options = options
  }

  /** Loads, binds and serves. Rejects with a ConfigurationError; nothing stays bound then. */
  async start(): Promise<void> {
    // Watched before it is read, so that no change in between is missed.
    this.#watch = watchFiles([this.#options.configPath], () => void this.reload('file change'))
    const start = this.#apply()
    this.#changing = start.catch(ignoreError)
    try {
      await start
    } catch (error) {
      this.#watch.close()
      this.#certificates.close()
      await this.#log?.close()
      throw error
    }
    this.#record('sys_startup')
    addServiceGauges(this.#metrics, this.#services)
    addGatewayGauges(this.#metrics, this.#listeners, this.#certificates, this.#acme, () => this.#log?.dropped ?? 0)
  }

  /** Once started. */
  get log(): Log {
    return this.#log!
  }

  /** Where the gateway listens: setting, host and port. */
  get addresses(): readonly ListenerAddress[] {
    return this.#listeners.addresses
  }

  #record(event: 'sys_startup' | 'sys_shutdown'): void {
    this.#log?.audit.record({ ...OWN, event, outcome: 'success', object: this.#options.configPath })
  }

  /** After a rotation. */
  reopenLogs(): void {
    this.#log?.reopen()
  }

  /** For a process that is about to crash: the reason stands in the log too. */
  sayCrash(error: unknown): void {
    this.#log?.gateway.error('Crashed', { error })
  }

  /** All or nothing: a configuration with a mistake changes nothing. Resolves to whether it was applied. */
  reload(cause: string): Promise<boolean> {
    // One after the other, so that the last change wins.
    const run = this.#changing.then(() => this.#reload(cause))
    this.#changing = run
    return run
  }

  async #reload(cause: string): Promise<boolean> {
    const log = this.#log
    // A start that failed has told why, and ends the process.
    if (log === null || this.#plan === null) return false
    if (this.#draining) {
      log.gateway.info('Not reloaded: the gateway is stopping', { cause })
      return false
    }
    try {
      await this.#apply()
      this.#metrics.count('reload_total', 'applied')
      log.gateway.info('Reloaded', { cause })
      log.audit.record({ ...RELOAD_EVENT, outcome: 'success', object: this.#options.configPath })
      return true
    } catch (error) {
      this.#metrics.count('reload_total', 'refused')
      const problems = error instanceof ConfigurationError ? error.problems : [String(error)]
      log.gateway.error('Not reloaded: the running configuration stays', { cause, problems })
      log.audit.record({ ...RELOAD_EVENT, outcome: 'failure', object: this.#options.configPath })
      return false
    }
  }

  async #apply(): Promise<void> {
    const { configPath, env } = this.#options
    const loaded = loadConfiguration(configPath, { env })
    try {
      await this.#exchange(loaded)
    } catch (error) {
      throw located(error, loaded.source)
    }
  }

  async #exchange({ configuration, warnings }: LoadedConfiguration): Promise<void> {
    const { configPath, env } = this.#options
    const storeAccess = readRedisAccess(configuration.limits.store, env)
    const storeKey = storeKeyOf(configuration.limits.store, storeAccess)
    const logKey = JSON.stringify(configuration.log)
    const nextLog = logKey === this.#logKey ? null : makeLog(configuration.log)
    const isFirst = this.#log === null
    this.#log ??= new CurrentLog(nextLog!)
    const log = this.#log
    this.#limitReport ??= new LimitReport(this.#metrics, log.audit, log.gateway, this.#bans)
    let store = this.#store
    let plan: Plan
    try {
      if (store === null || storeKey !== this.#storeKey) {
        store = makeStore(
          configuration.limits.store,
          storeAccess,
          (level, text) => log.gateway[level](text),
          this.#metrics,
        )
      }
      plan = makePlan(configuration, {
        env,
        log,
        metrics: this.#metrics,
        ...{ store, bans: this.#bans, maintenance: this.#maintenance, limitEvents: this.#limitReport },
        services: this.#plan?.services ?? new Map(),
        issuers: this.#plan?.issuers ?? new Map(),
        caps: this.#caps,
        certificates: this.#certificates.cache,
        stapler: this.#certificates.stapler,
        acmePairs: this.#certificates.acmePairs,
        challenges: this.#acme.challenges,
        adminResponder: makeAdmin({
          isReady: () => readinessOf(this.#standing()),
          metrics: this.#metrics,
          ...{ bans: this.#bans, maintenance: this.#maintenance },
          ...{ renewals: this.#acme, services: this.#services },
          ...{ audit: log.audit, status: this.#status },
        }),
      })
      await whenNamed(plan.services)
      const changed = await this.#listeners.exchange(plan.sockets, plan.drain)
      if (!isFirst) this.#sayChanges(changed)
    } catch (error) {
      if (store !== this.#store) await store?.close()
      if (!isFirst) await nextLog?.close()
      throw error
    }
    if (!isFirst && nextLog !== null) log.replace(nextLog)
    this.#logKey = logKey
    const before = this.#plan
    const storeBefore = this.#store
    this.#plan = plan
    // The day begins anew with a plan: what a reload shortened is over at once.
    clearInterval(this.#daily)
    void plan.daily?.()
    this.#daily = setInterval(() => void this.#plan?.daily?.(), DAY_MS).unref()
    this.#configuration = configuration
    this.#store = store
    this.#storeKey = storeKey
    this.#maintenance.configure(configuration.maintenance.active, plan.maintained)
    this.#bans.configure(store.bans, configuration.limits.bans.exempt)
    if (storeBefore !== null && storeBefore !== store) this.#retire(() => storeBefore.close())
    succeed(before?.services, plan.services, (end) => this.#retire(end))
    this.#watch?.update([configPath, ...plan.files])
    this.#certificates.settle(plan.certificates)
    this.#acme.settle(plan.acme)
    for (const line of warnings) log.gateway.warn('Configuration', { warning: line })
    if (before === null) for (const note of plan.notes) log.gateway.warn(note)
    await store.whenSettled()
  }

  /** WebSockets that were open before their client was banned. */
  #endBanned(): void {
    endTunnels(1008, 'banned', ({ clientAddress, user }) => {
      return this.#bans.isAddressBanned(clientAddress) || this.#bans.isUserBanned(user)
    })
  }

  #sayChanges(changed: { opened: readonly ListenerAddress[]; closed: readonly ListenerAddress[] }): void {
    for (const [message, addresses] of Object.entries({
      Listening: changed.opened,
      'Listening no more': changed.closed,
    })) {
      for (const { setting, host, port } of addresses) {
        this.#log?.gateway.info(message, { setting, address: `${host}:${port}` })
      }
    }
  }

  /** Requests that wait in a stage of the old plan (for a body, for the store) still go where they were meant to. */
  #retire(end: () => Promise<void>): void {
    this.#retired.add(end)
    const timer = setTimeout(() => {
      this.#retired.delete(end)
      end().catch(ignoreError)
    }, RETIRE_MS)
    timer.unref()
  }

  /** Out of file descriptors, mostly: said now and then, since every further client causes it again. */
  #onAcceptError(setting: string, code: string): void {
    const now = performance.now()
    if (now - this.#troubleSaidAt < TROUBLE_MS) return
    this.#troubleSaidAt = now
    this.#log?.gateway.error('Connections cannot be accepted', { setting, code })
  }

  #standing(): StandingFacts {
    const { troubles: certificateTroubles } = this.#certificates
    const facts = { plan: this.#plan, configuration: this.#configuration, services: this.#services }
    return { ...facts, certificateTroubles, isDraining: this.#draining, isStoreUp: this.#store?.isUp !== false }
  }

  // --- the end ---

  /**
   * Accepts no more, lets running requests end, closes WebSockets spread over a window, and then ends. A second call, or the
   * end of `drain.timeout`, cuts what is left.
   */
  drain(): Promise<void> {
    if (this.#ended !== null) {
      this.#listeners.destroy()
      return this.#ended
    }
    this.#draining = true
    this.#ended = this.#drain()
    return this.#ended
  }

  async #drain(): Promise<void> {
    this.#watch?.close()
    clearInterval(this.#daily)
    this.#certificates.close()
    this.#acme.close()
    // A reload that is under way may still open sockets, which would then be left out.
    await this.#changing
    const { timeout, webSocketWindow } = this.#plan?.drain ?? { timeout: 0, webSocketWindow: 0 }
    const deadline = performance.now() + timeout
    const listeners = this.#listeners
    this.#log?.gateway.info('Draining', { connections: listeners.connectionCount, webSockets: tunnelCount() })
    // The admin listener stays to the last, so that readiness says what is going on.
    listeners.drain(ADMIN)
    const windowMs = Math.min(webSocketWindow, timeout / 2)
    const windowEnd = performance.now() + windowMs
    void closeTunnels(windowMs)
    while (performance.now() < deadline && listeners.connectionCount > listeners.connectionCountOf(ADMIN)) {
      await sleep(DRAIN_LOOK_MS)
      // Handshakes that were under way when the window began.
      if (performance.now() > windowEnd) void closeTunnels(0)
    }
    listeners.destroy()
    await Promise.all([...(this.#plan?.services.values() ?? [])].map((service) => service.destroy()))
    // What is retired has no requests any more.
    for (const end of this.#retired) end().catch(ignoreError)
    await this.#store?.close()
    this.#log?.gateway.info('Stopped')
    this.#record('sys_shutdown')
    if (this.#log !== null) await Promise.race([this.#log.close(), sleep(LOG_CLOSE_MS)])
    this.#metrics.close()
    this.#options.onEnd?.()
  }
}

const DRAIN_LOOK_MS = 25

const OWN = { user: '-', address: '-', requestId: '-' } as const
const RELOAD_EVENT = { ...OWN, event: 'sys_reload' } as const

/** The store is kept over a reload where this stays the same. */
function storeKeyOf(config: StoreConfig, access: RedisAccess | null): string {
  return JSON.stringify([access, config.redis])
}

function ignoreError(): void {}
