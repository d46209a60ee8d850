/** The bans that this process knows: the whole truth where counts are in memory, a copy where Redis has them. Bounded. */
import type { Ban, BanOutcome, SharedBans } from '../exchange/shared-bans.ts'

/** Beyond this a block of addresses, or the network in front, is the right means. */
export const MAX_BANS = 10_000
const MAX_SUBJECT = 128
const MAX_REASON = 160

export class BanList implements SharedBans {
  #list: ReadonlyMap<string, Ban> = new Map()
  #listener: (() => void) | null = null

  get list(): ReadonlyMap<string, Ban> {
    return this.#list
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  async ban(subject: string, durationMs: number, reason: string): Promise<BanOutcome> {
    return this.add({ subject, until: Date.now() + durationMs, reason }) ? 'done' : 'full'
  }

  async unban(subject: string): Promise<BanOutcome> {
    this.delete(subject)
    return 'done'
  }

  /** False where there is no place, or the subject is none. */
  add(ban: Ban): boolean {
    if (ban.subject === '' || ban.subject.length > MAX_SUBJECT) return false
    const now = Date.now()
    const next = new Map(this.#list)
    if (next.size >= MAX_BANS)
      for (const { subject, until } of this.#list.values()) if (until <= now) next.delete(subject)
    if (next.size >= MAX_BANS && !next.has(ban.subject)) return false
    next.set(ban.subject, { ...ban, reason: ban.reason.slice(0, MAX_REASON) })
    this.replace(next)
    return true
  }

  delete(subject: string): void {
    if (!this.#list.has(subject)) return
    const next = new Map(this.#list)
    next.delete(subject)
    this.replace(next)
  }

  replace(list: ReadonlyMap<string, Ban>): void {
    this.#list = list
    if (this.#listener !== null) this.#listener()
  }
}
