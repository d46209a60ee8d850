/** What outlives a plan about served certificates: those loaded before, their OCSP answers, and the watch on their end. */
import type { Metrics } from '../exchange/contracts.ts'
import { AcmePairs } from './acme-pair.ts'
import { type CertificateEnd, CertificateExpiry, type ServedCertificates } from './certificate-expiry.ts'
import { CertificateCache } from './certificates.ts'
import { Stapler } from './stapler.ts'

type Line = (message: string, more: Readonly<Record<string, unknown>>) => void

export class CertificateCare {
  readonly cache = new CertificateCache()
  readonly acmePairs = new AcmePairs(this.cache)
  readonly stapler: Stapler
  readonly #expiry: CertificateExpiry

  constructor(log: () => { readonly warn: Line; readonly error: Line }, metrics: Metrics) {
    this.stapler = new Stapler(log, metrics)
    this.#expiry = new CertificateExpiry(log)
  }

  /** From now on these are served; what nobody asked for since the last call is forgotten. */
  settle(served: readonly ServedCertificates[]): void {
    this.cache.settle()
    this.stapler.settle()
    this.#expiry.watch(served)
  }

  /** Those that end first, and how many there are in all. */
  get served(): { readonly ends: readonly CertificateEnd[]; readonly count: number } {
    return this.#expiry
  }

  /** Values of the metric on their ends: listener, first name and file, and Unix time. */
  get ends(): { labels: string[]; value: number }[] {
    return this.#expiry.ends.map(({ listener, name, file, expiresAt }) => ({
      labels: [listener, name, file],
      value: expiresAt.getTime() / 1000,
    }))
  }

  /** Why the gateway is not ready, as far as certificates go. */
  get troubles(): string[] {
    return this.#expiry.expired.map(
      ({ listener, name }) => `the certificate for ${name} on listener ${listener} has expired`,
    )
  }

  close(): void {
    this.stapler.close()
    this.#expiry.close()
  }
}
