/**
 * Sessions of people: sealed into a cookie, so that nothing is kept here; ended by their age, by a pause, by signing out, and
 * by any change of the account. It knows no password and no page.
 */
import { randomBytes } from 'node:crypto'
import type { Counter, CounterStore } from '../exchange/contracts.ts'
import type { HeaderList } from '../http/headers.ts'
import type { Account } from './account.ts'
import { CookieSeal } from './cookie-seal.ts'
import { cookieIn, hasCookie, withoutCookie } from './cookies.ts'

/** `__Host-`: of this host only, over TLS only, for all paths (RFC 6265bis, 4.1.3.2). */
const COOKIE = '__Host-portcullis'
const FLAGS = 'Path=/; Secure; HttpOnly; SameSite=Strict'
const MOST_LENGTH = 1024
/** A session is written anew when so much of its pause has gone by: not with every answer. */
const RENEW_AFTER = 0.1

export interface SessionOptions {
  readonly store: Pick<CounterStore, 'counter'>
  /** Known to all gateways that share the accounts file. */
  readonly key: () => Buffer
  /** Milliseconds. */
  readonly lifetimeMs: number
  readonly idleMs: number
  readonly now?: () => number
}

/** What the seal holds. */
export interface Session {
  readonly id: string
  readonly user: string
  /** Of the account, when it began. */
  readonly revision: number
  readonly beganAt: number
  readonly seenAt: number
}

export class Sessions {
  readonly #options: SessionOptions
  readonly #seal: CookieSeal
  readonly #ended: Counter
  readonly #now: () => number

  constructor(options: SessionOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#seal = new CookieSeal(options.key, 'portcullis session')
    const windowMs = options.lifetimeMs
    this.#ended = options.store.counter({ name: 'sign-in-ended', points: 1, windowMs, blocks: [], onOutage: 'local' })
  }

  /** The Set-Cookie field of a new session. */
  begin(account: Account): string {
    const now = this.#now()
    const id = randomBytes(12).toString('base64url')
    return this.#cookie({ id, user: account.name, revision: account.revision, beganAt: now, seenAt: now })
  }

  /** The session that a request brings; null where there is none that still holds. */
  async read(headers: HeaderList): Promise<Session | null> {
    const session = this.#open(cookieIn(headers, COOKIE, MOST_LENGTH))
    if (session === null) return null
    const now = this.#now()
    const { lifetimeMs, idleMs } = this.#options
    if (now < session.beganAt - idleMs || now >= session.beganAt + lifetimeMs || now >= session.seenAt + idleMs)
      return null
    return (await this.#ended.get(session.id)) === null ? session : null
  }

  /** The Set-Cookie field of a session that goes on; null while the one it has is good. */
  renew(session: Session): string | null {
    const now = this.#now()
    if (now - session.seenAt < this.#options.idleMs * RENEW_AFTER) return null
    return this.#cookie({ ...session, seenAt: now })
  }

  /** Ends a session for all who may hold its cookie. Resolves to the Set-Cookie field that forgets it. */
  async end(session: Session | null): Promise<string> {
    if (session !== null) await this.#ended.block(session.id, this.#options.lifetimeMs)
    return `${COOKIE}=; Max-Age=0; ${FLAGS}`
  }

  /** Milliseconds since 1970 when it ends, whatever happens. */
  endOf(session: Session): number {
    return session.beganAt + this.#options.lifetimeMs
  }

  #cookie({ id, user, revision, beganAt, seenAt }: Session): string {
    return `${COOKIE}=${this.#seal.seal([id, user, revision, beganAt, seenAt])}; ${FLAGS}`
  }

  #open(seal: string | null): Session | null {
    const opened = this.#seal.open(seal)
    if (opened === null) return null
    // What has our seal is of our making.
    const [id, user, revision, beganAt, seenAt] = opened as [string, string, number, number, number]
    return { id, user, revision, beganAt, seenAt }
  }
}

/** The fields without our cookie: a service behind must not learn it. */
export function withoutSession(headers: HeaderList): HeaderList {
  return withoutCookie(headers, COOKIE)
}

/** True where a request brings a session, good or not. */
export function hasSession(headers: HeaderList): boolean {
  return hasCookie(headers, COOKIE)
}
