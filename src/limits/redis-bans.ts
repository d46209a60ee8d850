/**
 * The bans that all processes share through Redis. Every process holds a copy and asks twice a second whether it is still
 * the right one: one small command, whatever the load, and it notices an outage even where nobody asks for anything. It
 * knows no addresses.
 *
 * Not by publish and subscribe: that is a second connection, a message that is lost in an outage, and a resync on top.
 */
import type { Ban, BanOutcome, SharedBans } from '../exchange/shared-bans.ts'
import { BanList, MAX_BANS } from './ban-list.ts'
import { BANS_SCRIPT } from './bans-script.ts'
import type { RedisLink } from './redis-link.ts'

const POLL_MS = 500
/** Bans and pardons that wait for Redis; beyond it the oldest are dropped. */
const MAX_PENDING = 1000
/** Bans told again in one call. */
const PER_CALL = 100

export class RedisBans implements SharedBans {
  readonly #link: RedisLink
  readonly #keys: readonly string[]
  readonly #copy = new BanList()
  #version = '0'
  /** What Redis is still to be told: the ban, or null for a pardon. */
  readonly #pending = new Map<string, Ban | null>()
  #isPolling = false
  readonly #timer: NodeJS.Timeout

  constructor(link: RedisLink, prefix: string) {
    this.#link = link
    // One place in a Cluster for both.
    this.#keys = [`${prefix}:{bans}`, `${prefix}:{bans}:version`]
    this.#timer = setInterval(this.#poll, POLL_MS)
    this.#timer.unref()
  }

  get list(): ReadonlyMap<string, Ban> {
    return this.#copy.list
  }

  onChange(listener: () => void): void {
    this.#copy.onChange(listener)
  }

  ban(subject: string, durationMs: number, reason: string): Promise<BanOutcome> {
    const until = Date.now() + durationMs
    if (!this.#copy.add({ subject, until, reason })) return Promise.resolve('full')
    return this.#tell(subject, this.#copy.list.get(subject)!)
  }

  unban(subject: string): Promise<BanOutcome> {
    this.#copy.delete(subject)
    return this.#tell(subject, null)
  }

  /** Redis is back, or there for the first time. */
  onRecovered(): void {
    const pending = [...this.#pending]
    this.#pending.clear()
    for (const [subject, ban] of pending) {
      if (ban === null || ban.until > Date.now()) void this.#tell(subject, ban)
    }
    this.#poll()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #tell(subject: string, ban: Ban | null): Promise<BanOutcome> {
    // Until Redis has it, so that no answer that is older takes it back.
    this.#pending.delete(subject)
    if (this.#pending.size >= MAX_PENDING) {
      const [oldest] = this.#pending.keys()
      if (oldest !== undefined) this.#pending.delete(oldest)
    }
    this.#pending.set(subject, ban)
    if (!this.#link.isUp) return Promise.resolve('later')
    return new Promise((resolve) => {
      this.#call(ban === null ? ['unban', subject] : ['ban', ...told(ban)], (status) => {
        if (status === null) return resolve('later')
        if (this.#pending.get(subject) === ban) this.#pending.delete(subject)
        if (status === 'full') this.#copy.delete(subject)
        // Others would take this one for all there are.
        if (status === 'first') this.#teachAgain()
        resolve(status === 'full' ? 'full' : 'done')
      })
    })
  }

  readonly #poll = (): void => {
    if (this.#isPolling || !this.#link.isUp) return
    this.#isPolling = true
    this.#call(['look'], this.#onLooked)
  }

  readonly #onLooked = (_status: string | null, [version = this.#version]: readonly string[]): void => {
    if (version === this.#version) this.#isPolling = false
    else if (version === '0') {
      this.#isPolling = false
      this.#teachAgain()
    } else this.#read(version, '0', new Map())
  }

  /** Page by page; what changes meanwhile has another version, and the next look finds it. */
  #read(version: string, from: string, list: Map<string, Ban>): void {
    this.#call(['page', from], (status, [, , redisNow, next, ...pairs]) => {
      if (status === null) {
        this.#isPolling = false
        return
      }
      const ahead = Date.now() - Number(redisNow)
      for (let i = 0; i + 1 < pairs.length; i += 2) {
        const [subject, value] = [pairs[i]!, pairs[i + 1]!]
        const gap = value.indexOf(' ')
        list.set(subject, { subject, until: Number(value.slice(0, gap)) + ahead, reason: value.slice(gap + 1) })
      }
      if (next !== '0' && list.size < 2 * MAX_BANS) return this.#read(version, next!, list)
      this.#isPolling = false
      this.#version = version
      for (const [subject, ban] of this.#pending) {
        if (ban === null) list.delete(subject)
        else list.set(subject, ban)
      }
      this.#copy.replace(list)
    })
  }

  /** `onAnswer`: null where Redis did not answer. */
  #call(act: readonly string[], onAnswer: (status: string | null, answer: readonly string[]) => void): void {
    this.#link.call('bans', BANS_SCRIPT, this.#keys, [String(MAX_BANS), ...act], (error, reply) => {
      if (error !== null) {
        this.#link.onFailed(error)
        return onAnswer(null, [])
      }
      const answer = (reply as Buffer[]).map(String)
      onAnswer(answer[1]!, answer)
    })
  }

  /** Redis has forgotten everything (restarted without persistence, emptied): what is in force stays so. */
  #teachAgain(): void {
    this.#version = '0'
    const now = Date.now()
    const bans = [...this.#copy.list.values()].filter(({ until }) => until > now)
    for (let i = 0; i < bans.length; i += PER_CALL) {
      this.#call(['ban', ...bans.slice(i, i + PER_CALL).flatMap(told)], () => {})
    }
  }
}

function told({ subject, until, reason }: Ban): [string, string, string] {
  return [subject, String(Math.max(1, Math.ceil(until - Date.now()))), reason]
}
