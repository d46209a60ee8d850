/** What outlives a plan, and what building one collects on the way. */
import type { ManagedWish } from '../acme/managed-certificate.ts'
import type { Environment } from '../config/secrets.ts'
import { ConfigurationError } from '../errors.ts'
import type { AcmeChallenges } from '../exchange/acme-challenges.ts'
import { AddressCaps } from '../exchange/address-caps.ts'
import type { Responder } from '../exchange/contracts.ts'
import type { Maintenance } from '../exchange/maintenance.ts'
import type { Bans } from '../limits/bans.ts'
import type { LimitEvents } from '../limits/limit-events.ts'
import type { LimitStore } from '../limits/store.ts'
import type { AcmePairs } from '../listen/acme-pair.ts'
import type { ServedCertificates } from '../listen/certificate-expiry.ts'
import type { CertificateCache } from '../listen/certificates.ts'
import type { Stapler } from '../listen/stapler.ts'
import type { Log } from '../observe/log.ts'
import type { GatewayMetrics } from '../observe/metrics.ts'
import type { Service } from '../upstream/service.ts'
import type { OpenIssuer } from './issuers.ts'

export interface Standing {
  readonly env: Environment
  readonly log: Log
  readonly metrics: GatewayMetrics
  readonly store: LimitStore
  readonly bans: Bans
  /** What is told of the decisions of limits. */
  readonly limitEvents: LimitEvents
  /** Services of the plan before, to be kept where nothing about them changed. */
  readonly services: ReadonlyMap<string, Service>
  /** Those of the plan before, with the keys that they know. */
  readonly issuers: ReadonlyMap<string, OpenIssuer>
  /** Bounds that are counted over reloads. */
  readonly caps: Map<string, AddressCaps>
  readonly adminResponder: Responder
  /** What is switched at run time. */
  readonly maintenance: Maintenance
  /** What was loaded before, so that a reload reads only what changed. */
  readonly certificates: CertificateCache
  readonly stapler: Stapler
  readonly acmePairs: AcmePairs
  readonly challenges: AcmeChallenges
}

/** Problems, files and notes of a plan that is being built. */
export class Findings {
  readonly problems: string[] = []
  /** For the watch. */
  readonly files: string[] = []
  readonly notes = new Set<string>()
  /** What listeners serve, for those who watch its time run out. */
  readonly certificates: ServedCertificates[] = []
  /** What is to be ordered from authorities. */
  readonly acme: ManagedWish[] = []

  /** Goes on after a mistake, so that all of them are told at once. Null where the work failed. */
  attempt<T>(work: () => T): T | null {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      this.problems.push(...error.problems)
      return null
    }
  }
}

/** The bound of this name; another maximum is another bound, and what was counted by the old one ends there. */
export function capsOf(standing: Standing, name: string, max: number): AddressCaps {
  const key = `${name} ${max}`
  let caps = standing.caps.get(key)
  if (caps === undefined) {
    caps = new AddressCaps(max)
    standing.caps.set(key, caps)
  }
  return caps
}
