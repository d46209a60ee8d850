/** How the gateway stands, put together from those who know. Only where values come from, and how many are shown. */
import { CertificateFiles } from '../acme/certificate-files.ts'
import { ownVersion } from '../config/own-version.ts'
import type { Configuration, LimitConfig } from '../config/shape.ts'
import type { BanBook } from '../exchange/ban-book.ts'
import type { ServiceView } from '../exchange/service-book.ts'
import {
  type CertificateView,
  type LimitView,
  type ListenerView,
  LONGEST_MS,
  type MinuteView,
  type Shown,
  type StatusBook,
  type StatusView,
} from '../exchange/status-view.ts'
import { tunnelCount } from '../exchange/tunnels.ts'
import { ruleText } from '../limits/rule-text.ts'
import { isTemporary } from '../listen/acme-pair.ts'
import type { CertificateEnd } from '../listen/certificate-expiry.ts'
import type { ListenerSet } from '../listen/listener-set.ts'
import type { GatewayMetrics } from '../observe/metrics.ts'
import { banView } from '../responders/bans.ts'
import { readinessOf, type StandingFacts } from './readiness.ts'

const MOST_SHOWN = 100
const MOST_NAMES = 5
const DAY_MS = 86_400_000

export interface StatusSources {
  readonly metrics: GatewayMetrics
  readonly bans: BanBook
  readonly listeners: ListenerSet
  readonly certificates: { readonly ends: readonly CertificateEnd[]; readonly count: number }
  readonly standing: () => StandingFacts
}

export function statusBook(sources: StatusSources): StatusBook {
  const version = ownVersion()
  const startedAt = Date.now() - process.uptime() * 1000
  return { now: () => viewOf(sources, version, startedAt) }
}

function viewOf(sources: StatusSources, version: string, startedAt: number): StatusView {
  const { metrics, bans, certificates } = sources
  const now = Date.now()
  const standing = sources.standing()
  const { plan, configuration, services, isStoreUp } = standing
  const { ready, reasons } = readinessOf(standing)
  const listeners = sources.listeners.overview.map(({ setting, host, port, isTls, connections }): ListenerView => {
    return { setting, address: `${host.includes(':') ? `[${host}]` : host}:${port}`, isTls, connections }
  })
  const limits = limitsOf(configuration, metrics)
  const ordered = new Set(plan?.acme.map(({ folder, names }) => new CertificateFiles(folder, names[0]!).cert))
  return {
    at: new Date(now).toISOString(),
    version,
    startedAt: new Date(startedAt).toISOString(),
    uptimeSeconds: Math.floor((now - startedAt) / 1000),
    ...{ ready, reasons, listeners },
    connections: sources.listeners.connectionCount,
    webSockets: tunnelCount(),
    lastMinute: minuteOf(metrics, (now - startedAt) / 1000),
    services: firstOf(services.all().toSorted(byTrouble), bounded),
    limits: {
      ...firstOf(limits, ([name, rule, refusals]) => ({ name, rule: ruleText(rule), refusals })),
      store: configuration?.limits.store.redis === undefined ? 'memory' : 'redis',
      isStoreUp,
      decisions: Object.fromEntries(
        metrics.counted('limit_decisions_total').map(({ labels: [name], value }) => [name, value]),
      ),
    },
    bans: firstOf(bans.all(), banView),
    certificates: {
      total: certificates.count,
      shown: certificates.ends.slice(0, MOST_SHOWN).map((each) => certificateView(each, ordered, now)),
    },
  }
}

function firstOf<T, V>(all: readonly T[], view: (each: T) => V): Shown<V> {
  return { total: all.length, shown: all.slice(0, MOST_SHOWN).map(view) }
}

/** A name may lead to hundreds of endpoints: those in trouble first. */
function bounded(service: ServiceView): ServiceView {
  if (service.endpoints.length <= MOST_SHOWN) return service
  const isIn = (state: string): number => (state === 'in' ? 1 : 0)
  const endpoints = service.endpoints.toSorted((one, other) => isIn(one.state) - isIn(other.state))
  return { ...service, endpoints: endpoints.slice(0, MOST_SHOWN) }
}

function byTrouble(one: ServiceView, other: ServiceView): number {
  return troubleOf(other) - troubleOf(one)
}

function troubleOf({ circuit, endpoints }: ServiceView): number {
  const out = endpoints.filter(({ state }) => state !== 'in' && state !== 'warming').length
  return (circuit === 'closed' ? 0 : 2) + (out === 0 ? 0 : 1)
}

function minuteOf(metrics: GatewayMetrics, uptimeSeconds: number): MinuteView {
  const { byStatus, times } = metrics.lastMinute([0.5, 0.95, 0.99])
  const requests = Object.values(byStatus).reduce((sum, each) => sum + each, 0)
  const [p50, p95, p99] = times.map((each) => (each === null ? null : Math.min(each * 1000, LONGEST_MS + 1))) as [
    number | null,
    number | null,
    number | null,
  ]
  const perSecond = Math.round((requests / Math.max(1, Math.min(60, uptimeSeconds))) * 10) / 10
  return { requests, perSecond, byStatus, p50, p95, p99 }
}

type Limit = readonly [name: string, rule: LimitConfig, refusals: LimitView['refusals']]

/** Those that refused most stand first. */
function limitsOf(configuration: Configuration | null, metrics: GatewayMetrics): Limit[] {
  if (configuration === null) return []
  const { store: _store, fields: _fields, bans: _bans, ...rules } = configuration.limits
  const refusals = new Map<string, Record<string, number>>()
  for (const { labels, value } of metrics.counted('limit_refusals_total')) {
    const [kind, limit] = labels as [string, string]
    const known = refusals.get(limit) ?? {}
    known[kind] = value
    refusals.set(limit, known)
  }
  const sumOf = ([, , counts]: Limit): number => Object.values(counts).reduce((sum, each) => sum + each, 0)
  return Object.entries(rules as Record<string, LimitConfig>)
    .map(([name, rule]): Limit => [name, rule, refusals.get(name) ?? {}])
    .sort((one, other) => sumOf(other) - sumOf(one))
}

function certificateView(end: CertificateEnd, ordered: ReadonlySet<string>, now: number): CertificateView {
  const { listener, certificate, expiresAt, warnDays } = end
  const { certFile, names, leaf } = certificate
  const daysLeft = Math.floor((expiresAt.getTime() - now) / DAY_MS)
  const state = daysLeft < 0 ? 'expired' : daysLeft <= Math.max(...warnDays) ? 'ends soon' : 'valid'
  return {
    listener,
    names: names.slice(0, MOST_NAMES),
    nameCount: names.length,
    issuer: issuerOf(leaf.issuer),
    source: isTemporary(certificate)
      ? 'temporary'
      : ordered.has(certFile)
        ? 'acme'
        : leaf.issuer === leaf.subject
          ? 'self-signed'
          : 'file',
    file: certFile,
    expiresAt: expiresAt.toISOString(),
    ...{ daysLeft, state },
  }
}

/** Its common name, else its organisation, else all of it. */
function issuerOf(issuer: string): string {
  const parts = issuer.split('\n')
  const found = parts.find((each) => each.startsWith('CN=')) ?? parts.find((each) => each.startsWith('O='))
  // RFC 4514, 2.4: what is special is written with a backslash.
  return (found?.replace(/^\w+=/, '') ?? parts.join(', ')).replaceAll(/\\(.)/g, '$1').slice(0, 200)
}
