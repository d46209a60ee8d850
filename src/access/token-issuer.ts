/**
 * Judges the tokens of one provider, and remembers those that hold for a short time under a key that only this process has.
 * It knows no request.
 */
import { createHmac, randomBytes } from 'node:crypto'
import type { IssuerConfig } from '../config/issuers-shape.ts'
import { type Bearer, readBearer } from './claims.ts'
import type { VerifyingKey } from './jws.ts'
import { type TokenFault, verifyToken } from './jws.ts'
import { readTokenHead } from './token-form.ts'

/** A token that holds. */
export interface Verdict extends Bearer {
  /** Milliseconds since 1970. */
  readonly rememberedUntil: number
}

export type Judgement = Verdict | TokenFault | 'down' | 'busy'

export interface KeyFinder {
  find(algorithm: string, kid: string | null): Promise<VerifyingKey | null | 'down'>
  keepFresh(): void
}

export class TokenIssuer {
  readonly name: string
  readonly #config: IssuerConfig
  readonly #keys: KeyFinder
  readonly #now: () => number
  readonly #secret = randomBytes(32)
  // Insertion order is age: the first entry is the oldest.
  readonly #remembered = new Map<string, Verdict>()
  #verifying = 0

  /** `now`: milliseconds since 1970. */
  constructor(name: string, config: IssuerConfig, keys: KeyFinder, now: () => number = Date.now) {
    this.name = name
    this.#config = config
    this.#keys = keys
    this.#now = now
  }

  /** A name for a token that tells nothing outside this process and its life. */
  nameOf(token: string): string {
    return createHmac('sha256', this.#secret).update(token).digest('base64')
  }

  /** The verdict on a token that was verified a short while ago; null where it has to be verified. */
  recall(name: string): Verdict | null {
    const verdict = this.#remembered.get(name)
    if (verdict === undefined) return null
    // Else tokens that are known, and no others, would go on with a key that the provider withdrew.
    this.#keys.keepFresh()
    if (verdict.rememberedUntil > this.#now()) return verdict
    this.#remembered.delete(name)
    return null
  }

  /** Nothing that was verified before is known any more. */
  forget(): void {
    this.#remembered.clear()
  }

  /** `name` as `nameOf` tells it. */
  async judge(token: string, name: string): Promise<Judgement> {
    if (this.#verifying >= this.#config.maxVerifying) return 'busy'
    this.#verifying++
    try {
      return await this.#judge(token, name)
    } finally {
      this.#verifying--
    }
  }

  async #judge(token: string, name: string): Promise<Judgement> {
    const config = this.#config
    if (token.length > config.maxToken) return 'too-long'
    const head = readTokenHead(token, config.algorithms)
    if (typeof head === 'string') return head
    const key = await this.#keys.find(head.algorithm, head.kid)
    if (key === 'down') return 'down'
    if (key === null) return 'unknown-key'
    const now = this.#now()
    const claims = await verifyToken(token, key, {
      issuer: config.issuer,
      audience: config.audience,
      algorithms: [head.algorithm],
      skewMs: config.clockSkew,
      type: config.type ?? null,
      now,
    })
    if (typeof claims === 'string') return claims
    const expiresAt = (claims.exp as number) * 1000 + config.clockSkew
    const bearer = readBearer(claims, config, this.name, expiresAt)
    if (typeof bearer === 'string') return bearer
    const verdict = { ...bearer, rememberedUntil: Math.min(expiresAt, now + config.rememberFor) }
    if (config.rememberFor > 0) this.#remember(name, verdict)
    return verdict
  }

  #remember(name: string, verdict: Verdict): void {
    this.#remembered.delete(name)
    if (this.#remembered.size >= this.#config.remembered) {
      for (const oldest of this.#remembered.keys()) {
        this.#remembered.delete(oldest)
        break
      }
    }
    this.#remembered.set(name, verdict)
  }
}
