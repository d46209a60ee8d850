/** Watches the time of served certificates run out: says so in good time, and tells whoever asks. It reads no file. */
import type { LoadedCertificate } from './certificates.ts'

/** What one listener serves. */
export interface ServedCertificates {
  readonly listener: string
  readonly certificates: readonly LoadedCertificate[]
  /** Days before the end at which to warn. */
  readonly warnDays: readonly number[]
}

interface ExpiryLog {
  warn(message: string, more: Readonly<Record<string, unknown>>): void
  error(message: string, more: Readonly<Record<string, unknown>>): void
}

/** One served certificate and its end. */
export interface CertificateEnd {
  readonly listener: string
  /** Its first name. */
  readonly name: string
  readonly file: string
  readonly expiresAt: Date
  readonly warnDays: readonly number[]
  readonly certificate: LoadedCertificate
}

const DAY_MS = 86_400_000
const LOOK_MS = 3_600_000
/** Of thousands, those that end first: more would make pages and metrics that nobody reads. */
const MOST_SHOWN = 100

export class CertificateExpiry {
  readonly #log: () => ExpiryLog
  readonly #now: () => number
  readonly #timer: NodeJS.Timeout
  #served: readonly ServedCertificates[] = []
  /** Fingerprint to the least number of days that was said. */
  #said = new Map<string, number>()

  /** `now` in milliseconds since 1970. Looks every hour, and keeps no process alive. */
  constructor(log: () => ExpiryLog, now: () => number = Date.now) {
    this.#log = log
    this.#now = now
    this.#timer = setInterval(() => this.look(), LOOK_MS)
    this.#timer.unref()
  }

  /** From now on these are served. What was said of a certificate before is not said again. */
  watch(served: readonly ServedCertificates[]): void {
    this.#served = served
    const present = new Set(served.flatMap(({ certificates }) => certificates.map((each) => each.fingerprint256)))
    for (const fingerprint of this.#said.keys()) if (!present.has(fingerprint)) this.#said.delete(fingerprint)
    this.look()
  }

  /** Says what has come under one more of its listener's limits since the last look. */
  look(): void {
    const now = this.#now()
    for (const { listener, certificates, warnDays } of this.#served) {
      for (const { fingerprint256, certFile, names, expiresAt } of certificates) {
        const days = (expiresAt.getTime() - now) / DAY_MS
        const due = days <= 0 ? 0 : Math.min(...warnDays.filter((each) => days <= each))
        if (due === Number.POSITIVE_INFINITY || due >= (this.#said.get(fingerprint256) ?? Number.POSITIVE_INFINITY))
          continue
        this.#said.set(fingerprint256, due)
        const more = { listener, certificate: certFile, name: names[0] ?? '', expires: expiresAt.toISOString() }
        if (due === 0) this.#log().error('A certificate has expired: clients refuse it', more)
        else this.#log().warn(`A certificate ends in ${Math.floor(days)} days`, more)
      }
    }
  }

  /** How many are served in all. */
  get count(): number {
    return this.#served.reduce((sum, { certificates }) => sum + certificates.length, 0)
  }

  /** Those that end first, soonest first. */
  get ends(): CertificateEnd[] {
    return this.#served
      .flatMap(({ listener, certificates, warnDays }) =>
        certificates.map((certificate) => ({
          ...{ listener, warnDays, certificate },
          name: certificate.names[0] ?? '',
          file: certificate.certFile,
          expiresAt: certificate.expiresAt,
        })),
      )
      .sort((one, other) => one.expiresAt.getTime() - other.expiresAt.getTime())
      .slice(0, MOST_SHOWN)
  }

  /** Served though they have expired. */
  get expired(): CertificateEnd[] {
    const now = this.#now()
    return this.ends.filter(({ expiresAt }) => expiresAt.getTime() <= now)
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
