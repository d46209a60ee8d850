/**
 * One certificate that looks after itself: due, ordered (by one node of many), written, and tried again later where that
 * failed. It knows no listener.
 */
import { createHash, type X509Certificate } from 'node:crypto'
import type { Metrics } from '../exchange/contracts.ts'
import type { SharedValues } from '../exchange/shared-values.ts'
import { renewalId } from '../pki/renewal-id.ts'
import { accountKeyIn } from './account-key.ts'
import { AcmeError, Authority, type AuthoritySettings, membersOf } from './authority.ts'
import { CertificateFiles, leafOf, type Pause, pauseOf } from './certificate-files.ts'
import type { Challenge, ChallengeTable } from './challenge-table.ts'
import { type Commit, type Issued, order, type Present } from './order.ts'
import { pauseAfter, type RenewalWindow, renewalTime, windowOf } from './renewal-time.ts'
import { SealedValues } from './sealed-values.ts'
import { LockLost, SharedOrders } from './shared-orders.ts'

export interface ManagedWish {
  /** DNS names in lower case; the first one names the folder. */
  readonly names: readonly string[]
  /** In the order in which they are tried. At least one. */
  readonly authorities: readonly AuthoritySettings[]
  readonly email: string | null
  readonly challenge: Challenge['type']
  readonly folder: string
  /** What nodes share is sealed with it; null: this node is alone. */
  readonly secret: string | null
}

export interface AcmeTimes {
  readonly lookMs: number
  /** For so long a node that dies leaves its lock. */
  readonly lockMs: number
  /** Multiplies the pauses after failures; 1 but in tests. */
  readonly pauseFactor: number
}

interface AcmeLog {
  info(message: string, more: Readonly<Record<string, unknown>>): void
  warn(message: string, more: Readonly<Record<string, unknown>>): void
}

export interface ManagedParts {
  readonly log: () => AcmeLog
  readonly metrics: Metrics
  /** Of the present store. */
  readonly values: () => SharedValues
  readonly challenges: ChallengeTable
  readonly times: AcmeTimes
}

/** Between two looks for what another node was given. */
const SHARED_LOOKS = 15
const BUSY_MS = 3000
const SUGGESTION_MS = 6 * 3_600_000
const LEAST_SUGGESTION_MS = 60_000

/** The same on every node that wants the same. */
export function wishId({ names, challenge, authorities }: ManagedWish): string {
  const parts = [names, challenge, authorities.map(({ directory }) => directory)]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
}

export class ManagedCertificate {
  #wish: ManagedWish
  readonly #id: string
  readonly #parts: ManagedParts
  readonly #files: CertificateFiles
  readonly #share = Math.random()
  #leaf: X509Certificate | null
  #window: RenewalWindow | null = null
  #pause: Pause | null
  #isForced = false
  #isRunning = false
  #isClosed = false
  #isOutageSaid = false
  #isUnreadableSaid = false
  #busyUntil = 0
  #askAt = 0
  #looks = 0
  /** A certificate that other nodes could not be given yet. */
  #untold: Issued | null = null
  #shared: { readonly values: SharedValues; readonly secret: string; readonly orders: SharedOrders } | null = null

  constructor(wish: ManagedWish, parts: ManagedParts) {
    this.#wish = wish
    this.#id = wishId(wish)
    this.#parts = parts
    this.#files = new CertificateFiles(wish.folder, wish.names[0]!)
    this.#leaf = this.#current()
    this.#pause = this.#files.readPause()
  }

  get wish(): ManagedWish {
    return this.#wish
  }

  /** Epoch milliseconds of the next order. */
  get dueAt(): number {
    if (this.#isForced) return 0
    const due = this.#leaf === null ? 0 : renewalTime(this.#leaf, this.#window, this.#share)
    return Math.max(due, this.#pause?.until ?? 0)
  }

  /** Settings that do not make it another certificate (its id stays), and perhaps other files. */
  adopt(wish: ManagedWish): void {
    this.#wish = wish
    this.#leaf = this.#current()
  }

  force(): void {
    this.#isForced = true
    this.#busyUntil = 0
  }

  close(): void {
    this.#isClosed = true
    this.#parts.challenges.set(this.#id, [])
  }

  /** Never rejects; one at a time. */
  async look(): Promise<void> {
    if (this.#isClosed) return
    const orders = this.#orders()
    if (orders !== null && this.#isListening(orders)) await this.#lookAround(orders).catch(ignoreError)
    if (this.#isRunning || this.#isClosed || Date.now() < this.#busyUntil) return
    this.#isRunning = true
    try {
      await this.#askForWindow()
      if (Date.now() >= this.dueAt) await this.#work(orders)
    } catch (error) {
      await this.#onFailed(error as Error, orders)
    } finally {
      this.#isRunning = false
    }
  }

  /** What other nodes tell: challenges to answer, a certificate to serve. */
  async #lookAround(orders: SharedOrders): Promise<void> {
    const challenges = await orders.challenges()
    if (challenges !== null && this.#isListening(orders)) this.#parts.challenges.set(this.#id, challenges)
    if (this.#untold !== null && orders.isUp && (await orders.tellCertificate(this.#untold))) this.#untold = null
    if (this.#looks++ % SHARED_LOOKS === 0) await this.#take(orders)
  }

  /** Who lost its order to another node answers for that one, though its own has not ended yet. */
  #isListening(orders: SharedOrders): boolean {
    return !this.#isRunning || orders.isLost
  }

  async #work(orders: SharedOrders | null): Promise<void> {
    if (orders === null) {
      await this.#order(async (challenges) => this.#parts.challenges.set(this.#id, challenges), noFence)
      return
    }
    if (!orders.isUp) {
      this.#busyUntil = Date.now() + BUSY_MS
      if (!this.#isOutageSaid) this.#say('warn', 'Certificates wait for Redis, so that one node orders for all', {})
      this.#isOutageSaid = true
      return
    }
    this.#isOutageSaid = false
    const paused = pauseOf((await orders.pause()) ?? '')
    if (!this.#isForced && paused !== null && paused.until > Date.now()) {
      this.#pause = paused
      return
    }
    if ((!this.#isForced && (await this.#take(orders))) || !(await orders.lock())) {
      this.#busyUntil = Date.now() + BUSY_MS
      return
    }
    try {
      // Its last holder may have been given it meanwhile.
      if (!this.#isForced && (await this.#take(orders))) return
      const present: Present = (challenges) => {
        this.#parts.challenges.set(this.#id, challenges)
        return orders.tellChallenges(challenges)
      }
      const issued = await this.#order(present, (lifeMs) => orders.prove(lifeMs))
      if (await orders.tellCertificate(issued)) return
      this.#untold = issued
      this.#say('warn', 'Other nodes get the certificate later: Redis does not take it now', {})
    } finally {
      this.#parts.challenges.set(this.#id, [])
      await orders.forgetChallenges()
      await orders.release()
    }
  }

  /** From the first authority that gives it; the others are asked where one fails. */
  async #order(present: Present, commit: Commit): Promise<Issued> {
    const { names, email, challenge, authorities } = this.#wish
    const reasons: string[] = []
    let retryAfterMs = 0
    for (const settings of authorities) {
      const authority = new Authority(settings, accountKeyIn(this.#files.accountKey(settings.directory)))
      try {
        const knowsRenewal = (await authority.find('renewalInfo')) !== null
        const replaces = knowsRenewal && this.#leaf !== null ? renewalId(this.#leaf) : null
        const issued = await order(authority, { names, email, challenge, replaces }, present, commit)
        const leaf = leafOf(issued)
        if (leaf === null) throw new AcmeError('', 'the authority sends a certificate that does not fit its key')
        const from = new URL(settings.directory).host
        this.#keep(issued, leaf)
        this.#parts.metrics.count('acme_orders_total', 'issued')
        this.#say('info', 'A certificate was issued', { authority: from, expiresAt: leaf.validToDate.toISOString() })
        return issued
      } catch (error) {
        if (!(error instanceof AcmeError)) throw error
        retryAfterMs = Math.max(retryAfterMs, error.retryAfterMs)
        reasons.push(`${new URL(settings.directory).host}: ${error.message}`)
        this.#parts.metrics.count('acme_orders_total', error.type === 'rateLimited' ? 'rate-limited' : 'failed')
      } finally {
        this.#parts.challenges.set(this.#id, [])
        authority.close()
      }
    }
    throw new AcmeError('', reasons.join('; '), retryAfterMs)
  }

  /** What another node was given, where it is better than what stands here. */
  async #take(orders: SharedOrders): Promise<boolean> {
    const issued = await orders.certificate()
    const leaf = issued === null ? null : leafOf(issued)
    if (issued === null || leaf === null || !this.#fits(leaf)) return false
    if (this.#leaf !== null && leaf.validToDate <= this.#leaf.validToDate) return false
    this.#keep(issued, leaf)
    this.#parts.metrics.count('acme_orders_total', 'taken-over')
    this.#say('info', 'A certificate was taken over from another node', { expiresAt: leaf.validToDate.toISOString() })
    return true
  }

  #keep(issued: Issued, leaf: X509Certificate): void {
    this.#files.write(issued)
    this.#leaf = leaf
    this.#window = null
    this.#askAt = 0
    this.#isForced = false
    this.#pause = null
    this.#files.writePause(null)
  }

  async #onFailed(error: Error, orders: SharedOrders | null): Promise<void> {
    const failures = (this.#pause?.failures ?? 0) + 1
    const retryAfterMs = error instanceof AcmeError ? error.retryAfterMs : 0
    const waitMs = Math.max(pauseAfter(failures, 0, Math.random()) * this.#parts.times.pauseFactor, retryAfterMs)
    const pause = { failures, until: Math.round(Date.now() + waitMs) }
    this.#isForced = false
    this.#pause = pause
    this.#say('warn', 'No certificate could be had', {
      reason: error.message,
      nextTry: new Date(pause.until).toISOString(),
    })
    // Where the order was stopped here, another node may well be about it.
    if (error instanceof LockLost) this.#parts.metrics.count('acme_orders_total', 'stopped')
    else await orders?.tellPause(JSON.stringify(pause), waitMs)
    try {
      // A gateway that is started again and again must not ask again and again.
      this.#files.writePause(pause)
    } catch (failed) {
      this.#say('warn', 'The folder of certificates cannot be written', { reason: (failed as Error).message })
    }
  }

  /** Asks the authority when it wants the certificate renewed (RFC 9773); what it does not answer, two thirds of the life do. */
  async #askForWindow(): Promise<void> {
    const id = this.#leaf === null ? null : renewalId(this.#leaf)
    if (id === null || Date.now() < this.#askAt) return
    this.#askAt = Date.now() + SUGGESTION_MS
    const [settings] = this.#wish.authorities
    const authority = new Authority(settings!, accountKeyIn(this.#files.accountKey(settings!.directory)))
    try {
      const url = await authority.find('renewalInfo')
      if (url === null) return
      const answer = await authority.get(`${url}/${id}`)
      this.#window = answer.status === 200 ? windowOf(membersOf(answer.body)) : null
      const againMs = answer.retryAfterMs === 0 ? SUGGESTION_MS : answer.retryAfterMs
      this.#askAt = Date.now() + Math.max(LEAST_SUGGESTION_MS, Math.min(againMs, 4 * SUGGESTION_MS))
    } catch (error) {
      // Nobody's certificate ends for want of a suggestion.
      if (!(error instanceof AcmeError)) throw error
    } finally {
      authority.close()
    }
  }

  /** What stands on disk; null where that serves other names or is over. */
  #current(): X509Certificate | null {
    const leaf = this.#files.read()
    return leaf !== null && this.#fits(leaf) ? leaf : null
  }

  #fits(leaf: X509Certificate): boolean {
    const names = (leaf.subjectAltName ?? '').split(', ').map((each) => each.replace(/^DNS:/, '').toLowerCase())
    return leaf.validToDate.getTime() > Date.now() && this.#wish.names.every((name) => names.includes(name))
  }

  /** Null for a node that is alone. Another store or secret makes another one. */
  #orders(): SharedOrders | null {
    const { secret } = this.#wish
    if (secret === null) return null
    const values = this.#parts.values()
    if (this.#shared?.values !== values || this.#shared.secret !== secret) {
      const { lookMs, lockMs } = this.#parts.times
      const sealed = new SealedValues(values, secret, () => this.#sayUnreadable())
      this.#isUnreadableSaid = false
      this.#shared = { values, secret, orders: new SharedOrders(sealed, this.#id, 2.5 * lookMs, lockMs) }
    }
    return this.#shared.orders
  }

  /** Once for each store and secret: it is looked at every second. */
  #sayUnreadable(): void {
    if (this.#isUnreadableSaid) return
    this.#isUnreadableSaid = true
    this.#parts.metrics.count('acme_orders_total', 'unreadable')
    const reason = 'another "sharedSecret" there, or somebody changed it'
    this.#say('warn', 'What stands in Redis about a certificate does not open, and is not used', { reason })
  }

  #say(level: 'info' | 'warn', message: string, more: Readonly<Record<string, unknown>>): void {
    this.#parts.log()[level](message, { names: this.#wish.names, ...more })
  }
}

/** A node that is alone has nobody to be kept apart from. */
async function noFence(): Promise<void> {}

function ignoreError(): void {}
