/**
 * Certificates that are ordered and renewed by themselves: looks every second for what is due, and keeps what outlives a plan.
 * It knows no listener; what it writes, the watch on files finds.
 */
import { ChallengeTable } from './challenge-table.ts'
import {
  type AcmeTimes,
  ManagedCertificate,
  type ManagedParts,
  type ManagedWish,
  wishId,
} from './managed-certificate.ts'

const TIMES: AcmeTimes = { lookMs: 1000, lockMs: 30_000, pauseFactor: 1 }

export class AcmeCare {
  readonly challenges = new ChallengeTable()
  readonly #parts: Omit<ManagedParts, 'challenges' | 'times'>
  readonly #times: AcmeTimes
  #managed = new Map<string, ManagedCertificate>()
  #timer: NodeJS.Timeout | undefined = undefined

  constructor(parts: Omit<ManagedParts, 'challenges' | 'times'>, times = TIMES) {
    this.#parts = parts
    this.#times = times
  }

  /** From now on these; what was wanted before and is the same goes on as it is. */
  settle(wishes: readonly ManagedWish[]): void {
    const next = new Map<string, ManagedCertificate>()
    for (const wish of wishes) {
      const id = wishId(wish)
      const known = next.get(id) ?? this.#managed.get(id)
      known?.adopt(wish)
      next.set(
        id,
        known ?? new ManagedCertificate(wish, { ...this.#parts, challenges: this.challenges, times: this.#times }),
      )
    }
    for (const [id, managed] of this.#managed) if (!next.has(id)) managed.close()
    this.#managed = next
    clearInterval(this.#timer)
    if (next.size > 0) this.#timer = setInterval(this.#look, this.#times.lookMs).unref()
  }

  /** Orders anew what has this name, whenever it is due. False where none has it. */
  renew(name: string): boolean {
    let found = false
    for (const managed of this.#managed.values()) {
      if (!managed.wish.names.includes(name)) continue
      managed.force()
      found = true
    }
    return found
  }

  /** Values of the metric: first name and Unix time of the next renewal or try. */
  get renewals(): { labels: string[]; value: number }[] {
    return [...this.#managed.values()].map(({ wish, dueAt }) => ({ labels: [wish.names[0]!], value: dueAt / 1000 }))
  }

  close(): void {
    clearInterval(this.#timer)
    for (const managed of this.#managed.values()) managed.close()
    this.#managed.clear()
  }

  readonly #look = (): void => {
    for (const managed of this.#managed.values()) void managed.look()
  }
}
