/**
 * Keeps a fresh OCSP answer for every served certificate that names a responder (RFC 6066, 8; RFC 6961 is not in TLS 1.3).
 * What cannot be fetched or verified is not stapled; a handshake never waits. It knows no listener.
 */
import { createHash } from 'node:crypto'
import { request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'
import type { Metrics } from '../exchange/contracts.ts'
import type { LoadedCertificate } from './certificates.ts'
import { judgeOcsp, ocspRequest, responderOf } from './ocsp.ts'

interface StaplerLog {
  warn(message: string, more: Readonly<Record<string, unknown>>): void
  error(message: string, more: Readonly<Record<string, unknown>>): void
}

const LOOK_MS = 30_000
const FETCH_MS = 10_000
const MOST_BYTES = 65_536
const MOST_AT_ONCE = 4
const FIRST_RETRY_MS = 60_000
const LONGEST_RETRY_MS = 3_600_000
/** Answers of a week are asked for again after half of it, but at least so often: a revocation should be seen soon. */
const LONGEST_KEEP_MS = 43_200_000

interface Entry {
  readonly certificate: LoadedCertificate
  readonly url: string
  answer: Buffer | null
  /** When the answer is void. Milliseconds since 1970. */
  voidAt: number
  dueAt: number
  failures: number
  running: boolean
}

export class Stapler {
  readonly #log: () => StaplerLog
  readonly #metrics: Metrics
  readonly #now: () => number
  readonly #timer: NodeJS.Timeout
  /** By SHA-256 of the certificate. */
  #entries = new Map<string, Entry>()
  #next = new Map<string, Entry>()
  #running = 0

  /** Looks every half minute for what is due, and keeps no process alive. `now` in milliseconds since 1970. */
  constructor(log: () => StaplerLog, metrics: Metrics, now: () => number = Date.now) {
    this.#log = log
    this.#metrics = metrics
    this.#now = now
    this.#timer = setInterval(() => this.look(), LOOK_MS)
    this.#timer.unref()
  }

  /** These will be served; it counts from the next `settle` on. */
  follow(certificates: readonly LoadedCertificate[]): void {
    for (const certificate of certificates) {
      const url = responderOf(certificate.leaf)
      if (url === null || certificate.issuer === null) continue
      const key = keyOf(certificate.leaf.raw)
      const entry = this.#entries.get(key)
      this.#next.set(key, entry ?? { certificate, url, answer: null, voidAt: 0, dueAt: 0, failures: 0, running: false })
    }
  }

  /** What was followed since the last call is served now; the rest is forgotten. */
  settle(): void {
    this.#entries = this.#next
    this.#next = new Map()
    this.look()
  }

  /** DER; null where there is none that is good and fresh. */
  answerFor(certificate: Buffer): Buffer | null {
    const entry = this.#entries.size === 0 ? undefined : this.#entries.get(keyOf(certificate))
    return entry === undefined || entry.voidAt <= this.#now() ? null : entry.answer
  }

  /** Asks for what is due. */
  look(): void {
    for (const entry of this.#entries.values()) {
      if (this.#running >= MOST_AT_ONCE) return
      if (!entry.running && entry.dueAt <= this.#now()) void this.#refresh(entry)
    }
  }

  close(): void {
    clearInterval(this.#timer)
    this.#entries.clear()
  }

  async #refresh(entry: Entry): Promise<void> {
    this.#running++
    entry.running = true
    const { certificate, url } = entry
    const { leaf, issuer, certFile } = certificate
    try {
      const answer = await fetchAnswer(url, await ocspRequest(leaf, issuer!))
      const verdict = await judgeOcsp(answer, leaf, issuer!, this.#now())
      this.#metrics.count('ocsp_total', verdict.status)
      entry.failures = 0
      entry.answer = verdict.status === 'good' ? answer : null
      entry.voidAt = verdict.nextUpdate
      const half = Math.max(0, (verdict.nextUpdate - this.#now()) / 2)
      entry.dueAt = this.#now() + Math.max(FIRST_RETRY_MS, Math.min(half, LONGEST_KEEP_MS) * spread())
      if (verdict.status === 'revoked')
        this.#log().error('A served certificate is revoked: replace it', { certificate: certFile })
    } catch (error) {
      this.#metrics.count('ocsp_total', 'failed')
      entry.dueAt = this.#now() + Math.min(FIRST_RETRY_MS * 2 ** entry.failures, LONGEST_RETRY_MS) * spread()
      entry.failures++
      // The first failure may be a moment's; then it is worth a line, and one more each day or so.
      if (entry.failures === 2 || entry.failures % 24 === 0) {
        const reason = (error as Error).message.slice(0, 160)
        this.#log().warn('No OCSP answer to staple can be had', { certificate: certFile, responder: url, reason })
      }
    } finally {
      entry.running = false
      this.#running--
      if (this.#entries.size > 0) this.look()
    }
  }
}

/** So that many nodes and certificates do not ask at the same moment: 0.8 to 1. */
const spread = (): number => 0.8 + Math.random() / 5

const keyOf = (certificate: Buffer): string => createHash('sha256').update(certificate).digest('base64')

/** Rejects with an Error where the responder does not answer 200 with a body under the cap in time. */
function fetchAnswer(url: string, body: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const request = (url.startsWith('https:') ? requestSecure : requestPlain)(url, {
      method: 'POST',
      headers: { 'content-type': 'application/ocsp-request', 'content-length': body.length, connection: 'close' },
      signal: AbortSignal.timeout(FETCH_MS),
      agent: false,
    })
    request.on('error', reject)
    request.on('response', (response) => {
      if (response.statusCode !== 200) {
        response.destroy()
        return reject(new Error(`the responder answers ${response.statusCode}`))
      }
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length <= MOST_BYTES) chunks.push(chunk)
        else response.destroy(new Error('the answer is too long'))
      })
      response.on('end', () => resolve(Buffer.concat(chunks)))
      response.on('error', reject)
    })
    request.end(body)
  })
}
