/**
 * Leaves a master that the Sentinels replaced, also where the old one lives on and keeps its connections.
 *
 * Not ioredis's failoverDetector, which reads no message: it leaves the new master too when the next Sentinel tells of it,
 * and for any other master of the same Sentinels; told while it asks for the master it ends the client for good; and it
 * writes each failed attempt to reach a Sentinel to standard error (ioredis 6.0).
 */
import { isIP } from 'node:net'
import { Redis, type RedisOptions } from 'ioredis'

const CHANNEL = '+switch-master'

export class MasterWatch {
  readonly #client: Redis
  readonly #master: string
  readonly #watchers: readonly Redis[]
  /** Told while there was no connection to judge. */
  #told: { readonly host: string; readonly port: number } | null = null

  /** Connects to every Sentinel and stays there; `sentinels` are the options of each. */
  constructor(client: Redis, master: string, sentinels: readonly RedisOptions[]) {
    this.#client = client
    this.#master = master
    client.on('ready', this.#judge)
    this.#watchers = sentinels.map((options) => {
      const watcher = new Redis({
        ...options,
        autoResubscribe: false,
        enableReadyCheck: false,
        disableClientInfo: true,
      })
      // One that is away is asked again; the others tell.
      watcher.on('error', () => {})
      watcher.on('ready', () => void watcher.subscribe(CHANNEL).catch(() => {}))
      watcher.on('message', this.#onMessage)
      return watcher
    })
  }

  close(): void {
    this.#client.off('ready', this.#judge)
    for (const watcher of this.#watchers) watcher.disconnect()
  }

  /** `<master name> <old host> <old port> <new host> <new port>` (Redis Sentinel, Pub/Sub messages). */
  readonly #onMessage = (_channel: string, message: string): void => {
    const [name, , , host, port] = message.split(' ')
    if (name !== this.#master || host === undefined || port === undefined) return
    this.#told = { host, port: Number(port) }
    if (this.#client.status === 'ready') this.#judge()
  }

  readonly #judge = (): void => {
    const told = this.#told
    const { remoteAddress, remotePort, writableEnded } = this.#client.stream
    // One that is being left says nothing of the next.
    if (told === null || writableEnded) return
    this.#told = null
    const isThere = remotePort === told.port && (isIP(told.host) === 0 || remoteAddress === told.host)
    if (!isThere) this.#client.disconnect(true)
  }
}
