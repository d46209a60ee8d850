/**
 * The running gateway: sockets and the plan they serve, exchanged at a reload as a whole or not at all, and drained at the
 * end. It knows no request.
 */
import { loadConfiguration } from './config/load.ts'
import type { Configuration, StoreConfig } from './config/shape.ts'
import { type Environment, readRedisUrl } from './config/secrets.ts'
import { ConfigurationError } from './errors.ts'
import type { AddressCaps } from './exchange/address-caps.ts'
import { closeTunnels, tunnelCount } from './exchange/tunnels.ts'
import { type LimitStore, makeStore } from './limits/store.ts'
import { Listener, type ListenerOptions } from './listen/listener.ts'
import { type FileWatch, watchFiles } from './listen/watch.ts'
import { type Log, makeLog } from './observe/log.ts'
import { GatewayMetrics } from './observe/metrics.ts'
import { makePlan, type Plan } from './plan.ts'
import { makeHealth } from './responders/health.ts'
import type { Service } from './upstream/service.ts'

export interface GatewayOptions {
  readonly configPath: string
  readonly env: Environment
  /** Called when the gateway has ended for good. */
  readonly onEnd?: () => void
}

interface Open {
  readonly listener: Listener
  readonly planned: ListenerOptions
}

/** How long the answers of a plan that was replaced may still use its services. */
const OLD_SERVICES_MS = 300_000

export class Gateway {
  readonly #options: GatewayOptions
  readonly #metrics = new GatewayMetrics()
  readonly #caps = new Map<string, AddressCaps>()
  #open = new Map<string, Open>()
  #plan: Plan | null = null
  #configuration: Configuration | null = null
  #log: Log | null = null
  #store: LimitStore | null = null
  #storeKey = ''
  #watch: FileWatch | null = null
  #reloading: Promise<boolean> | null = null
  #draining = false
  #ended: Promise<void> | null = null

  constructor(options: GatewayOptions) {
    this.#options = options
  }

  /** Loads, binds and serves. Rejects with a ConfigurationError; nothing stays bound then. */
  async start(): Promise<void> {
    // Watched before it is read, so that no change in between is missed.
    this.#watch = watchFiles([this.#options.configPath], () => void this.reload('file change'))
    try {
      await this.#apply()
    } catch (error) {
      this.#watch.close()
      await this.#store?.close()
      await this.#log?.close()
      throw error
    }
    this.#metrics.gauge('websockets_open', 'WebSockets open now.', tunnelCount)
    this.#metrics.gauge('connections_open', 'Connections open now, all listeners.', () => this.#connectionCount())
  }

  get log(): Log {
    return this.#log!
  }

  /** Where the gateway listens: setting, host and port. */
  get addresses(): readonly { setting: string; host: string; port: number }[] {
    return [...this.#open.values()].map(({ planned, listener }) => ({
      setting: planned.setting,
      host: planned.host,
      port: listener.port,
    }))
  }

  /** All or nothing: a configuration with a mistake changes nothing. Resolves to whether it was applied. */
  reload(cause: string): Promise<boolean> {
    const before = this.#reloading ?? Promise.resolve(true)
    // One after the other, so that the last change wins.
    const run = before.then(() => this.#reload(cause))
    this.#reloading = run
    return run
  }

  async #reload(cause: string): Promise<boolean> {
    if (this.#draining) return false
    const log = this.#log!
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
    const { configuration, warnings } = loadConfiguration(configPath, { env })
    this.#log ??= makeLog(configuration.log)
    const log = this.#log
    const store = this.#storeFor(configuration.limits.store, log)
    let plan: Plan
    try {
      plan = makePlan(configuration, {
        env,
        log,
        metrics: this.#metrics,
        store,
        services: this.#plan?.services ?? new Map(),
        caps: this.#caps,
        adminResponder: makeHealth({ isReady: () => this.#readiness(), metrics: this.#metrics }),
      })
      await this.#swapSockets(plan)
    } catch (error) {
      if (store !== this.#store) await store.close()
      throw error
    }
    const before = this.#plan
    const storeBefore = this.#store
    this.#plan = plan
    this.#configuration = configuration
    this.#store = store
    if (storeBefore !== null && storeBefore !== store) void storeBefore.close()
    if (before !== null) retire(before.services, plan.services)
    this.#watch?.update([configPath, ...plan.files])
    for (const line of warnings) log.gateway.warn('Configuration', { warning: line })
    if (before === null) for (const note of plan.notes) log.gateway.warn(note)
    await store.whenSettled()
  }

  #storeFor(config: StoreConfig, log: Log): LimitStore {
    const url = readRedisUrl(config, this.#options.env)
    const key = JSON.stringify([url, config.redis])
    if (this.#store !== null && key === this.#storeKey) return this.#store
    this.#storeKey = key
    return makeStore(config, url, (level, message) => log.gateway[level](message), this.#metrics)
  }

  /** Binds what is new, then swaps what stays, then drains what is gone: a port that is taken changes nothing. */
  async #swapSockets(plan: Plan): Promise<void> {
    const next = new Map<string, Open>()
    const fresh: Listener[] = []
    try {
      for (const planned of plan.sockets) {
        const key = `${planned.tls === null ? 'http' : 'https'} ${planned.host} ${planned.port}`
        const now = this.#open.get(key)
        if (now !== undefined && planned.port !== 0) {
          next.set(key, { listener: now.listener, planned })
          continue
        }
        const listener = new Listener(planned)
        await listener.open()
        fresh.push(listener)
        next.set(planned.port === 0 ? `${key} ${planned.setting}` : key, { listener, planned })
      }
    } catch (error) {
      for (const listener of fresh) listener.destroy()
      throw error
    }
    for (const { listener, planned } of next.values()) if (!fresh.includes(listener)) listener.serve(planned)
    for (const [key, { listener }] of this.#open) if (!next.has(key)) listener.drain()
    this.#open = next
  }

  #connectionCount(): number {
    let count = 0
    for (const { listener } of this.#open.values()) count += listener.connectionCount
    return count
  }

  #readiness(): { ready: boolean; reasons: string[] } {
    const reasons: string[] = []
    if (this.#draining) reasons.push('draining')
    const denies = this.#configuration?.limits.store.onOutage === 'deny'
    if (denies && this.#store?.isUp === false) reasons.push('the limit store does not answer, and limits are set to deny')
    return { ready: reasons.length === 0, reasons }
  }

  // --- the end ---

  /**
   * Accepts no more, lets running requests end, closes WebSockets spread over a window, and then ends. A second call, or the
   * end of `drain.timeout`, cuts what is left.
   */
  drain(): Promise<void> {
    if (this.#ended !== null) {
      this.#cut()
      return this.#ended
    }
    this.#draining = true
    this.#ended = this.#drain()
    return this.#ended
  }

  async #drain(): Promise<void> {
    const { timeout, webSocketWindow } = this.#plan?.drain ?? { timeout: 0, webSocketWindow: 0 }
    const deadline = performance.now() + timeout
    this.#watch?.close()
    this.#log?.gateway.info('Draining', { connections: this.#connectionCount(), webSockets: tunnelCount() })
    // The admin listener stays to the last, so that readiness says what is going on.
    const admin = [...this.#open.values()].find(({ planned }) => planned.setting === 'listeners.admin.address')
    for (const { listener } of this.#open.values()) if (listener !== admin?.listener) listener.drain()
    void closeTunnels(Math.min(webSocketWindow, timeout / 2))
    const adminCount = (): number => admin?.listener.connectionCount ?? 0
    while (performance.now() < deadline && this.#connectionCount() > adminCount()) {
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    this.#cut()
    await Promise.all([...(this.#plan?.services.values() ?? [])].map((service) => service.destroy()))
    await this.#store?.close()
    this.#log?.gateway.info('Stopped')
    await this.#log?.close()
    this.#metrics.close()
    this.#options.onEnd?.()
  }

  #cut(): void {
    for (const { listener } of this.#open.values()) listener.destroy()
  }
}

const RELOAD_EVENT = { event: 'sys_reload', user: '-', address: '-', requestId: '-' } as const

/** Services that the new plan does not use end when their last answer has. */
function retire(before: ReadonlyMap<string, Service>, now: ReadonlyMap<string, Service>): void {
  for (const [name, service] of before) {
    if (now.get(name) === service) continue
    const timer = setTimeout(() => void service.destroy(), OLD_SERVICES_MS)
    timer.unref()
    void service.close().then(() => clearTimeout(timer), ignoreError)
  }
}

function ignoreError(): void {}
