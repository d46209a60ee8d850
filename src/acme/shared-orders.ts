/**
 * What nodes tell one another about one certificate: who orders it, the challenges that wait, the certificate, and until when
 * nobody tries again. It knows no authority and no file.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Challenge } from './challenge-table.ts'
import type { Issued } from './order.ts'
import type { SealedValues } from './sealed-values.ts'

/** A node that dies leaves its lock for so long. */
const LOCK_MS = 30_000
const RENEW_MS = 10_000
const CHALLENGES_MS = 600_000
const CERTIFICATE_MS = 400 * 86_400_000

export class SharedOrders {
  readonly #values: SealedValues
  readonly #place: string
  readonly #owner = randomBytes(16).toString('hex')
  readonly #spreadMs: number
  #renewing: NodeJS.Timeout | undefined = undefined

  /** `id` names the certificate, the same on every node; `spreadMs`: within that every node has read what one has written. */
  constructor(values: SealedValues, id: string, spreadMs: number) {
    this.#values = values
    this.#place = `acme:${id}`
    this.#spreadMs = spreadMs
  }

  get isUp(): boolean {
    return this.#values.isUp
  }

  /** Whether this node orders now. It is renewed until `release`. */
  async lock(): Promise<boolean> {
    const key = `${this.#place}:lock`
    if ((await this.#values.swapPlain(key, null, this.#owner, LOCK_MS)) !== 'done') return false
    clearInterval(this.#renewing)
    this.#renewing = setInterval(() => {
      void this.#values.swapPlain(key, this.#owner, this.#owner, LOCK_MS)
    }, RENEW_MS).unref()
    return true
  }

  async release(): Promise<void> {
    clearInterval(this.#renewing)
    await this.#values.swapPlain(`${this.#place}:lock`, this.#owner, null, 0)
  }

  /** Tells them, and waits until every node answers them. None takes them away. Rejects where they cannot be told. */
  async tellChallenges(challenges: readonly Challenge[]): Promise<void> {
    const isTold = await this.#values.put(`${this.#place}:challenges`, JSON.stringify(challenges), CHALLENGES_MS)
    if (challenges.length === 0) return
    if (!isTold) throw new Error('Redis does not take the challenges for the other nodes')
    await sleep(this.#spreadMs, undefined, { ref: false })
  }

  /** Null where Redis does not answer: what is known stays. */
  async challenges(): Promise<readonly Challenge[] | null> {
    const text = await this.#values.get(`${this.#place}:challenges`)
    return text === undefined ? null : text === null ? [] : (JSON.parse(text) as Challenge[])
  }

  async tellCertificate(issued: Issued): Promise<boolean> {
    return this.#values.put(`${this.#place}:certificate`, JSON.stringify(issued), CERTIFICATE_MS)
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
}
