/** The values that all processes share through Redis: one script call each, none while the circuit is open. */
import { isStorable, type SharedValues, type SwapOutcome } from '../exchange/shared-values.ts'
import type { RedisLink } from './redis-link.ts'
import { VALUES_SCRIPT } from './values-script.ts'

export class RedisValues implements SharedValues {
  readonly #link: RedisLink
  readonly #prefix: string

  constructor(link: RedisLink, prefix: string) {
    this.#link = link
    this.#prefix = `${prefix}:value:`
  }

  get isUp(): boolean {
    return this.#link.isUp
  }

  async get(key: string): Promise<string | null | undefined> {
    isStorable(key, null)
    const reply = await this.#call(key, ['get'])
    if (reply === undefined) return undefined
    return reply === null ? null : String(reply)
  }

  async swap(key: string, expected: string | null, next: string | null, lifeMs: number): Promise<SwapOutcome> {
    if (!isStorable(key, next)) return 'failed'
    const reply = await this.#call(key, ['swap', told(expected), told(next), lifeOf(lifeMs)])
    if (reply === undefined) return 'failed'
    return Number(reply) === 1 ? 'done' : 'differs'
  }

  async put(key: string, value: string, lifeMs: number): Promise<boolean> {
    if (!isStorable(key, value)) return false
    return (await this.#call(key, ['put', value, lifeOf(lifeMs)])) !== undefined
  }

  /** Undefined where Redis does not answer. */
  #call(key: string, args: readonly string[]): Promise<unknown> {
    if (!this.#link.isUp) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      this.#link.call('values', VALUES_SCRIPT, [this.#prefix + key], args, (error, reply) => {
        if (error !== null) this.#link.onFailed(error)
        resolve(error === null ? reply : undefined)
      })
    })
  }
}

const told = (value: string | null): string => (value === null ? '-' : `=${value}`)
const lifeOf = (lifeMs: number): string => String(Math.max(1, Math.ceil(lifeMs)))
