/**
 * What a browser keeps while a person signs in at a provider, and after that: both sealed into cookies. A session ends with the
 * token that it was made of, after a pause, and by signing out. It knows no provider.
 */
import { randomBytes } from 'node:crypto'
import type { Principal } from '../exchange/access-contracts.ts'
import type { Counter, CounterStore } from '../exchange/contracts.ts'
import type { HeaderList } from '../http/headers.ts'
import { CookieSeal } from './cookie-seal.ts'
import { cookieIn, withoutCookie } from './cookies.ts'

const SESSION = '__Host-portcullis'
const TRANSACTION = '__Host-portcullis-sign-in'
const STRICT = 'Path=/; Secure; HttpOnly; SameSite=Strict'
/** The provider sends the browser back from another site. */
const LAX = 'Path=/; Secure; HttpOnly; SameSite=Lax'
/** What browsers keep of one cookie is 4096 bytes, its name and flags among them. */
const MOST_LENGTH = 3800
const TRANSACTION_MS = 600_000
const RENEW_AFTER = 0.1

/** One sign-in that is under way. */
export interface Transaction {
  readonly state: string
  readonly nonce: string
  /** Of PKCE. */
  readonly verifier: string
  /** Path to go to after it. */
  readonly next: string
}

export interface ProviderSession {
  readonly id: string
  readonly user: string
  readonly roles: readonly string[]
  readonly attributes: Readonly<Record<string, string>>
  /** Milliseconds since 1970. */
  readonly endsAt: number
  readonly seenAt: number
}

export interface ProviderSessionOptions {
  readonly store: Pick<CounterStore, 'counter'>
  readonly secret: Buffer
  /** Milliseconds. */
  readonly lifetimeMs: number
  readonly idleMs: number
  readonly now?: () => number
}

export class ProviderSessions {
  readonly #options: ProviderSessionOptions
  readonly #sessions: CookieSeal
  readonly #transactions: CookieSeal
  readonly #ended: Counter
  readonly #now: () => number

  constructor(options: ProviderSessionOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#sessions = new CookieSeal(() => options.secret, 'portcullis provider session')
    this.#transactions = new CookieSeal(() => options.secret, 'portcullis provider sign-in')
    const windowMs = options.lifetimeMs
    this.#ended = options.store.counter({ name: 'oidc-ended', points: 1, windowMs, blocks: [], onOutage: 'local' })
  }

  /** The Set-Cookie field of a new transaction. */
  beginTransaction(transaction: Transaction): string {
    const { state, nonce, verifier, next } = transaction
    const seal = this.#transactions.seal([state, nonce, verifier, next, this.#now()])
    return `${TRANSACTION}=${seal}; Max-Age=${TRANSACTION_MS / 1000}; ${LAX}`
  }

  /** The transaction that the browser began less than ten minutes ago; null: none. */
  transactionOf(headers: HeaderList): Transaction | null {
    const opened = this.#transactions.open(cookieIn(headers, TRANSACTION, MOST_LENGTH))
    if (opened === null) return null
    // What has our seal is of our making.
    const [state, nonce, verifier, next, beganAt] = opened as [string, string, string, string, number]
    const age = this.#now() - beganAt
    return age < 0 || age >= TRANSACTION_MS ? null : { state, nonce, verifier, next }
  }

  /** The Set-Cookie field that forgets it. */
  get endTransaction(): string {
    return `${TRANSACTION}=; Max-Age=0; ${LAX}`
  }

  /** The Set-Cookie field of a new session; null where it would be more than a browser keeps. */
  begin({ user, roles, attributes, expiresAt }: Principal): string | null {
    const now = this.#now()
    const endsAt = Math.min(expiresAt, now + this.#options.lifetimeMs)
    return this.#cookie({ id: randomBytes(12).toString('base64url'), user, roles, attributes, endsAt, seenAt: now })
  }

  /** The session that a request brings; null where there is none that still holds. */
  async read(headers: HeaderList): Promise<ProviderSession | null> {
    const opened = this.#sessions.open(cookieIn(headers, SESSION, MOST_LENGTH))
    if (opened === null) return null
    const [id, user, roles, attributes, endsAt, seenAt] = opened as [
      ...[string, string, string[], Record<string, string>, number, number],
    ]
    const now = this.#now()
    if (now >= endsAt || now >= seenAt + this.#options.idleMs) return null
    return (await this.#ended.get(id)) === null ? { id, user, roles, attributes, endsAt, seenAt } : null
  }

  /** The Set-Cookie field of a session that goes on; null while the one it has is good. */
  renew(session: ProviderSession): string | null {
    const now = this.#now()
    if (now - session.seenAt < this.#options.idleMs * RENEW_AFTER) return null
    return this.#cookie({ ...session, seenAt: now })
  }

  /** Ends a session for all who may hold its cookie. Resolves to the Set-Cookie field that forgets it. */
  async end(session: ProviderSession | null): Promise<string> {
    if (session !== null) await this.#ended.block(session.id, this.#options.lifetimeMs)
    return `${SESSION}=; Max-Age=0; ${STRICT}`
  }

  /** The fields without these cookies: a service behind must not learn them. */
  without(headers: HeaderList): HeaderList {
    return withoutCookie(withoutCookie(headers, SESSION), TRANSACTION)
  }

  #cookie({ id, user, roles, attributes, endsAt, seenAt }: ProviderSession): string | null {
    const seal = this.#sessions.seal([id, user, roles, attributes, endsAt, seenAt])
    return seal.length > MOST_LENGTH ? null : `${SESSION}=${seal}; ${STRICT}`
  }
}
