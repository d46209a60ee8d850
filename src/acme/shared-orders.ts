/**
 * What nodes tell one another about one certificate: who orders it, the challenges that wait, the certificate, and until when
 * nobody tries again. It knows no authority and no file.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Challenge } from './challenge-table.ts'
import type { Issued } from './order.ts'
import type { SealedValues } from './sealed-values.ts'

const CHALLENGES_MS = 600_000
const CERTIFICATE_MS = 400 * 86_400_000
/** Looks for the lock in the time that it holds. */
const RENEWALS = 3

/** This node cannot show that it alone orders: its order ends here. The message says why, for people. */
export class LockLost extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'LockLost'
  }
}

export class SharedOrders {
  readonly #values: SealedValues
  readonly #place: string
  readonly #owner = randomBytes(16).toString('hex')
  readonly #spreadMs: number
  readonly #lockMs: number
  #renewing: NodeJS.Timeout | undefined = undefined
  /** Another node may have ordered since the lock was taken. */
  #isLost = false
  /** What was told of challenges, as it stands in the store; null for none. */
  #told: string | null = null

  /**
   * `id` names the certificate, the same on every node; `spreadMs`: within that every node has read what one has written;
   * `lockMs`: for so long a node that dies leaves its lock.
   */
  constructor(values: SealedValues, id: string, spreadMs: number, lockMs: number) {
    this.#values = values
    this.#place = `acme:${id}`
    this.#spreadMs = spreadMs
    this.#lockMs = lockMs
  }

  get isUp(): boolean {
    return this.#values.isUp
  }

  /** Did this node hold the lock, and may another one have had it since? */
  get isLost(): boolean {
    return this.#isLost
  }

  /** Whether this node orders now. The lock is renewed until `release`; that it still holds, only `prove` tells. */
  async lock(): Promise<boolean> {
    if ((await this.#swap(null, this.#owner, this.#lockMs)) !== 'done') return false
    this.#isLost = false
    this.#renew(this.#lockMs)
    return true
  }

  /**
   * Resolves where the lock is this node's now, and for `lifeMs` from now, whatever becomes of the store; else rejects with a
   * LockLost. Called before every step after which there is no way back.
   */
  async prove(lifeMs = this.#lockMs): Promise<void> {
    const outcome = this.#isLost ? 'differs' : await this.#swap(this.#owner, this.#owner, lifeMs)
    if (outcome === 'done') return this.#renew(lifeMs)
    this.#isLost ||= outcome === 'differs'
    clearInterval(this.#renewing)
    throw new LockLost(
      outcome === 'differs'
        ? 'the order was stopped: its lock in Redis is gone or another node holds it, which may order too'
        : 'the order was stopped: Redis does not answer, so it cannot be shown that no other node orders too',
    )
  }

  async release(): Promise<void> {
    clearInterval(this.#renewing)
    if (!this.#isLost) await this.#swap(this.#owner, null, 0)
  }

  /** Tells them, and waits until every node answers them. Rejects where they cannot be told, with a LockLost where others order. */
  async tellChallenges(challenges: readonly Challenge[]): Promise<void> {
    await this.prove()
    this.#told = await this.#values.put(`${this.#place}:challenges`, JSON.stringify(challenges), CHALLENGES_MS)
    if (this.#told === null) throw new Error('Redis does not take the challenges for the other nodes')
    await sleep(this.#spreadMs, undefined, { ref: false })
  }

  /** Takes away what this node told, and nothing that another one told since. */
  async forgetChallenges(): Promise<void> {
    const told = this.#told
    this.#told = null
    if (told !== null) await this.#values.swapPlain(`${this.#place}:challenges`, told, null, 0)
  }

  /** Null where Redis does not answer: what is known stays. */
  async challenges(): Promise<readonly Challenge[] | null> {
    const text = await this.#values.get(`${this.#place}:challenges`)
    return text === undefined ? null : text === null ? [] : (JSON.parse(text) as Challenge[])
  }

  async tellCertificate(issued: Issued): Promise<boolean> {
    return (await this.#values.put(`${this.#place}:certificate`, JSON.stringify(issued), CERTIFICATE_MS)) !== null
  }

  async certificate(): Promise<Issued | null> {
    const text = await this.#values.get(`${this.#place}:certificate`)
    return typeof text === 'string' ? (JSON.parse(text) as Issued) : null
  }

  async tellPause(state: string, lifeMs: number): Promise<void> {
    await this.#values.put(`${this.#place}:pause`, state, lifeMs)
  }

  /** As it was told; null for none. */
  async pause(): Promise<string | null> {
    return (await this.#values.get(`${this.#place}:pause`)) ?? null
  }

  #swap(expected: string | null, next: string | null, lifeMs: number) {
    return this.#values.swapPlain(`${this.#place}:lock`, expected, next, lifeMs)
  }

  /** Goes on where it cannot be asked for a while; what that means, the next proof says. */
  #renew(lifeMs: number): void {
    clearInterval(this.#renewing)
    this.#renewing = setInterval(async () => {
      if ((await this.#swap(this.#owner, this.#owner, lifeMs)) !== 'differs') return
      this.#isLost = true
      clearInterval(this.#renewing)
    }, lifeMs / RENEWALS).unref()
  }
}
