/** One call of a script: by its digest, and with its whole text where a server does not know it. It knows no limits. */
import { type Cluster, Command, type Redis } from 'ioredis'
import { type Deadline, type DeadlineError, Waiting } from './deadline.ts'
import type { RedisScript } from './redis-script.ts'

/** What Redis answered, or why it did not: an error of Redis, of the connection, or a DeadlineError. */
export type OnReply = (error: Error | null, reply: unknown) => void

export class ScriptCall extends Waiting {
  readonly #redis: Redis | Cluster
  readonly #deadline: Deadline
  readonly #script: RedisScript
  readonly #keys: readonly string[]
  readonly #args: readonly string[]
  readonly #onReply: OnReply
  #isTextSent = false

  constructor(
    redis: Redis | Cluster,
    deadline: Deadline,
    script: RedisScript,
    keys: readonly string[],
    args: readonly string[],
    onReply: OnReply,
  ) {
    super()
    this.#redis = redis
    this.#deadline = deadline
    this.#script = script
    this.#keys = keys
    this.#args = args
    this.#onReply = onReply
  }

  send(): void {
    this.#deadline.add(this)
    this.#write('evalsha', this.#script.digest)
  }

  onGivenUp(error: DeadlineError): void {
    this.#onReply(error, null)
  }

  #write(name: string, script: string): void {
    const args = [script, String(this.#keys.length), ...this.#keys, ...this.#args]
    // Not ioredis's own callback: behind it whole requests outlive the collections of the young, batch upon batch.
    const answer = this.#redis.sendCommand(new Command(name, args)) as Promise<unknown>
    answer.then(this.#onValue, this.#onError)
  }

  readonly #onValue = (reply: unknown): void => {
    if (this.#deadline.remove(this)) this.#onReply(null, reply)
  }

  readonly #onError = (error: Error): void => {
    // A fresh server, a new master, SCRIPT FLUSH: nothing was done, so it may be asked again. EVAL leaves the script there.
    if (!this.#isTextSent && error.message.startsWith('NOSCRIPT')) {
      // Whoever was given up is decided already, and counted nowhere.
      if (!this.#deadline.isWaiting(this)) return
      this.#isTextSent = true
      return this.#write('eval', this.#script.text)
    }
    if (this.#deadline.remove(this)) this.#onReply(error, null)
  }
}
