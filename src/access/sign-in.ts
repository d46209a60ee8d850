/**
 * The sign-in stage: Basic authentication (RFC 7617) over TLS against the accounts, slowed by the lockout and bounded by
 * the verifier. A wrong password and an unknown user take the same way and get the same answer. It never logs a
 * password, nor a user name that no account has.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { Failure } from '../errors.ts'
import { type AuditLog, DONE, type Metrics, type Stage, type Step, WAIT } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { withoutFields } from '../http/headers.ts'
import type { Accounts } from './accounts.ts'
import { readCredentials } from './credentials.ts'
import type { Lockout } from './lockout.ts'
import type { Verifier } from './verifier.ts'

export interface SignInOptions {
  readonly accounts: Accounts
  readonly verifier: Verifier
  readonly lockout: Lockout
  readonly audit: AuditLog
  readonly metrics: Metrics
  /** Shown by browsers; letters, digits, space and dash. */
  readonly realm: string
}

type Outcome =
  | { readonly kind: 'right' | 'remembered' | 'busy' }
  | { readonly kind: 'wrong'; readonly lockedMs: number }
  | { readonly kind: 'locked'; readonly waitMs: number }

/** One check that runs, and everybody who waits for it: a browser that opens six connections spends one attempt. */
interface Shared {
  readonly waiting: Exchange[]
}

const RIGHT: Outcome = { kind: 'right' }
const REMEMBERED: Outcome = { kind: 'remembered' }
const BUSY: Outcome = { kind: 'busy' }

export function makeSignIn(options: SignInOptions): Stage {
  const { accounts, verifier, lockout, audit, metrics } = options
  const challenge = `Basic realm="${options.realm.replace(/[^A-Za-z0-9 -]/g, '')}", charset="UTF-8"`
  const nameKey = randomBytes(32)
  const running = new Map<string, Shared>()

  function signIn(x: Exchange): Step {
    if (!x.peer.secure) return refuse(x, 'https-required', 'plain')
    const found = readCredentials(x.headers)
    if (found === 'repeated') return refuse(x, 'bad-header', 'malformed', 'more than one Authorization field')
    if (typeof found === 'string') {
      x.answerHeaders.push('www-authenticate', challenge)
      return refuse(x, 'sign-in-required', found, found === 'missing' ? '' : 'malformed Authorization field')
    }
    const hash = accounts.hashOf(found.user)
    const address = x.clientKey === '' ? x.clientAddress : x.clientKey
    const key = verifier.keyOf(found.user, found.password, hash ?? accounts.unknownHash)
    const shareKey = `${address} ${key}`
    const shared = running.get(shareKey)
    if (shared !== undefined) {
      shared.waiting.push(x)
      return WAIT
    }
    const first: Shared = { waiting: [x] }
    running.set(shareKey, first)
    decide(first, found.user, found.password, hash, key, address)
      .then((outcome) => {
        running.delete(shareKey)
        conclude(first, outcome, hash === null ? hidden(found.user) : found.user)
      })
      .catch((error) => {
        running.delete(shareKey)
        for (const each of first.waiting) each.fail(new Failure('internal', 'sign-in broke', error))
      })
    return WAIT
  }

  async function decide(
    shared: Shared,
    user: string,
    password: string,
    hash: string | null,
    key: string,
    address: string,
  ): Promise<Outcome> {
    // Before the queue: who is locked must not take places in it. And before the cache: locked is locked.
    const waitMs = await lockout.lockedForMs(user, address)
    if (waitMs > 0) return { kind: 'locked', waitMs }
    if (hash !== null && verifier.remembers(key)) return REMEMBERED
    return verifier
      .run(() => attempt(shared, user, password, hash, key, address))
      .then((outcome) => (outcome === 'busy' ? BUSY : outcome))
  }

  async function attempt(
    shared: Shared,
    user: string,
    password: string,
    hash: string | null,
    key: string,
    address: string,
  ): Promise<Outcome> {
    if (shared.waiting.every(hasLeft)) return BUSY
    const begun = await lockout.begin(user, address)
    if (typeof begun === 'number') return { kind: 'locked', waitMs: begun }
    let isRight = false
    try {
      isRight = await verifier.verify(key, hash ?? accounts.unknownHash, password)
    } catch (error) {
      begun.onAbandon()
      throw error
    }
    if (isRight && hash !== null) {
      await begun.onSuccess()
      return RIGHT
    }
    return { kind: 'wrong', lockedMs: await begun.onFailure() }
  }

  function conclude(shared: Shared, outcome: Outcome, user: string): void {
    const first = shared.waiting[0]!
    if (outcome.kind === 'right') {
      record(first, 'authn_login_success', 'success', user, '')
    } else if (outcome.kind === 'wrong') {
      record(first, 'authn_login_fail', 'failure', user, user.startsWith('?') ? 'unknown user' : 'wrong password')
      if (outcome.lockedMs > 0) {
        record(first, 'authn_login_lock', 'failure', user, `locked for ${Math.ceil(outcome.lockedMs / 60_000)} minutes`)
      }
    } else if (outcome.kind === 'locked') {
      record(first, 'authn_login_lock', 'failure', user, 'attempt while locked')
    }
    for (const x of shared.waiting) answer(x, outcome, user)
  }

  function answer(x: Exchange, outcome: Outcome, user: string): void {
    metrics.count('sign_in_total', outcome.kind)
    if (x.finished) return
    switch (outcome.kind) {
      case 'right':
      case 'remembered':
        x.user = user
        // The password was meant for the gateway: a service behind it must not learn it.
        x.headers = withoutFields(x.headers, (name) => name === 'authorization')
        x.resume()
        return
      case 'wrong':
        x.answerHeaders.push('www-authenticate', challenge)
        return x.refuse('sign-in-failed')
      case 'locked':
        x.answerHeaders.push('retry-after', String(Math.ceil(outcome.waitMs / 1000)))
        return x.refuse('locked-out')
      case 'busy':
        return x.refuse('sign-in-busy')
    }
  }

  function refuse(
    x: Exchange,
    code: 'https-required' | 'bad-header' | 'sign-in-required',
    label: string,
    detail = '',
  ): Step {
    metrics.count('sign_in_total', label)
    x.refuse(code, detail)
    return DONE
  }

  function record(x: Exchange, event: string, outcome: 'success' | 'failure', user: string, reason: string): void {
    const line = { event, outcome, user, address: x.clientAddress, requestId: x.id, object: 'transcripts' }
    audit.record(reason === '' ? line : { ...line, reason })
  }

  /** A mark by which attempts at the same unknown name can be told together: it may be a password in the wrong field. */
  function hidden(user: string): string {
    return `?${createHmac('sha256', nameKey).update(user).digest('hex').slice(0, 8)}`
  }

  return signIn
}

function hasLeft(x: Exchange): boolean {
  return x.finished
}
