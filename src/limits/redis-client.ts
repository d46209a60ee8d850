/**
 * Makes the client for one server, for a master that Sentinels name, or for a Cluster. It knows no circuit and sends
 * nothing of its own.
 */
import type { ConnectionOptions } from 'node:tls'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { RedisAccess } from '../config/redis-access.ts'
import type { StoreConfig } from '../config/shape.ts'
import { MasterWatch } from './master-watch.ts'

const RECONNECT_MAX_MS = 500
/** A connection on which nothing comes back for this long is replaced: after a cut network TCP alone would take minutes. */
const DEAD_SOCKET_MS = 1000
const REDIS_PORT = 6379

export interface RedisClient {
  readonly client: Redis | Cluster
  /** For log lines: where it is, never the user or the password. */
  readonly where: string
  /** Ends the client and what watches for it. */
  readonly disconnect: () => void
}

type RedisSettings = Partial<NonNullable<StoreConfig['redis']>>

export function makeClient(settings: RedisSettings, access: RedisAccess, timeoutMs: number): RedisClient {
  const { sentinel, cluster } = settings
  const options: RedisOptions = {
    ...commonOptions(timeoutMs),
    ...credentials(settings.username, access.password),
    ...(settings.database === undefined ? {} : { db: settings.database }),
  }
  const isTls = settings.tls !== undefined || access.url?.startsWith('rediss:') === true
  const tls = isTls ? tlsOptions(settings, access) : null
  if (tls !== null) options.tls = tls
  if (cluster !== undefined) {
    const { retryStrategy, enableOfflineQueue, ...redisOptions } = options
    const client = new Cluster(cluster.nodes.map(placeOf), {
      redisOptions,
      enableOfflineQueue: false,
      clusterRetryStrategy: retry,
      // A count is not sent twice: what a connection took with it is decided by the policy.
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      slotsRefreshTimeout: DEAD_SOCKET_MS,
      // Names stay names, so that certificates can be checked against them.
      dnsLookup: (address, callback) => callback(null, address),
    })
    return { client, where: `the Cluster at ${cluster.nodes[0]}`, disconnect: () => client.disconnect() }
  }
  if (sentinel !== undefined) {
    const client = new Redis({
      ...options,
      name: sentinel.master,
      sentinels: sentinel.nodes.map(placeOf),
      ...(sentinel.username === undefined ? {} : { sentinelUsername: sentinel.username }),
      ...(access.sentinelPassword === null ? {} : { sentinelPassword: access.sentinelPassword }),
      ...(tls === null ? {} : { enableTLSForSentinelMode: true }),
      ...(tls === null || !sentinel.tls ? {} : { sentinelTLS: tls }),
      sentinelRetryStrategy: retry,
      sentinelCommandTimeout: DEAD_SOCKET_MS,
    })
    const guard = {
      ...{ retryStrategy: retry, connectTimeout: DEAD_SOCKET_MS },
      ...credentials(sentinel.username, access.sentinelPassword),
      ...(tls === null || !sentinel.tls ? {} : { tls }),
    }
    const watch = new MasterWatch(
      client,
      sentinel.master,
      sentinel.nodes.map((node) => ({ ...guard, ...placeOf(node) })),
    )
    const disconnect = () => {
      watch.close()
      client.disconnect()
    }
    return { client, where: `the master ${sentinel.master} of the Sentinels`, disconnect }
  }
  const url = new URL(access.url!)
  Object.assign(options, serverOf(url))
  const client = new Redis(options)
  const where = url.protocol === 'unix:' ? url.pathname : url.host
  return { client, where, disconnect: () => client.disconnect() }
}

function commonOptions(timeoutMs: number): RedisOptions {
  return {
    enableOfflineQueue: false,
    // Commands without an answer fail with their connection and are never sent again: a count is not sent twice.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: retry,
    // After a failover the connection may end at a replica: leave it.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    connectTimeout: DEAD_SOCKET_MS,
    // No commandTimeout, a timer for each call: this bounds the handshake too, and calls have their deadline.
    socketTimeout: Math.max(DEAD_SOCKET_MS, 2 * timeoutMs),
    disconnectTimeout: 100,
    disableClientInfo: true,
  }
}

function retry(times: number): number {
  return Math.min(RECONNECT_MAX_MS, 50 * times)
}

function credentials(username: string | undefined, password: string | null): RedisOptions {
  return { ...(username === undefined ? {} : { username }), ...(password === null ? {} : { password }) }
}

function tlsOptions({ tls }: RedisSettings, { ca, cert, key, passphrase }: RedisAccess): ConnectionOptions {
  return {
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
    ...(passphrase === null ? {} : { passphrase }),
    ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
  }
}

/** What stands in a URL goes before what stands beside it. */
function serverOf(url: URL): RedisOptions {
  const database = url.protocol === 'unix:' ? url.searchParams.get('db') : url.pathname.slice(1)
  const shared = {
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    ...(database === null || database === '' ? {} : { db: Number(database) }),
  }
  if (url.protocol === 'unix:') return { ...shared, path: decodeURIComponent(url.pathname) }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return { ...shared, host, port: url.port === '' ? REDIS_PORT : Number(url.port) }
}

function placeOf(node: string): { host: string; port: number } {
  const at = node.lastIndexOf(':')
  return { host: node.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(node.slice(at + 1)) }
}
