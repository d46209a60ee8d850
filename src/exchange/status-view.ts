/** What an operator sees of a running gateway at one moment: plain values, bounded, free of secrets. It knows nobody who shows it. */
import type { ServiceView } from './service-book.ts'

/** Of many: those that matter most, and how many there are in all. */
export interface Shown<T> {
  readonly total: number
  readonly shown: readonly T[]
}

export const LONGEST_MS = 60_000

export interface ListenerView {
  readonly setting: string
  /** Host and port. */
  readonly address: string
  readonly isTls: boolean
  readonly connections: number
}

/** Requests of the last 60 seconds, those to the admin listener left out. */
export interface MinuteView {
  readonly requests: number
  readonly perSecond: number
  /** `2xx` and so on; only those that came. */
  readonly byStatus: Readonly<Record<string, number>>
  /** Milliseconds within which so many were answered, WebSockets left out; null: none was. Over `LONGEST_MS`: longer than is measured. */
  readonly p50: number | null
  readonly p95: number | null
  readonly p99: number | null
}

export interface LimitView {
  readonly name: string
  readonly rule: string
  /** Refusals since the start by kind, those that ran dry among them. */
  readonly refusals: Readonly<Record<string, number>>
}

export interface BanView {
  readonly subject: string
  /** Null: until it is taken back. */
  readonly until: string | null
  readonly reason: string
}

export interface CertificateView {
  readonly listener: string
  /** The first ones. */
  readonly names: readonly string[]
  readonly nameCount: number
  readonly issuer: string
  readonly source: 'file' | 'acme' | 'temporary' | 'self-signed'
  readonly file: string
  readonly expiresAt: string
  /** Whole days; negative where it is over. */
  readonly daysLeft: number
  readonly state: 'valid' | 'ends soon' | 'expired'
}

export interface StatusView {
  readonly at: string
  readonly version: string
  readonly startedAt: string
  readonly uptimeSeconds: number
  readonly ready: boolean
  readonly reasons: readonly string[]
  readonly connections: number
  readonly webSockets: number
  readonly listeners: readonly ListenerView[]
  readonly lastMinute: MinuteView
  readonly services: Shown<ServiceView>
  readonly limits: Shown<LimitView> & {
    readonly store: 'memory' | 'redis'
    readonly isStoreUp: boolean
    /** What was decided since the start. */
    readonly decisions: Readonly<Record<string, number>>
  }
  readonly bans: Shown<BanView>
  readonly certificates: Shown<CertificateView>
}

/** Whoever can tell how things stand. */
export interface StatusBook {
  now(): StatusView
}
