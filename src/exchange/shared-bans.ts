/** What features see of the bans that all gateway processes share: a list, and how to change it. It knows no store. */

export interface Ban {
  /** Who is banned: an address, a block, what else the rules know. At most 128 characters. */
  readonly subject: string
  /** Epoch milliseconds, by the clock of this machine. */
  readonly until: number
  /** At most 160 characters, free of secrets. */
  readonly reason: string
}

/** `later`: in force here, and told to the shared store as soon as it is back. `full`: there are too many, nothing was done. */
export type BanOutcome = 'done' | 'later' | 'full'

/** The bans in force, the same in all gateway processes: a change elsewhere is here within about half a second. */
export interface SharedBans {
  /** By subject, bounded. May hold some that have just ended: look at `until`. Replaced as a whole by a change. */
  readonly list: ReadonlyMap<string, Ban>
  /** Told after each change, those of other processes among them. One listener: the last one. */
  onChange(listener: () => void): void
  /** Bans, or bans anew. In force here when it returns, elsewhere when it resolves and a moment more. Never rejects. */
  ban(subject: string, durationMs: number, reason: string): Promise<BanOutcome>
  /** Never rejects; a subject that is not banned is `done` too. */
  unban(subject: string): Promise<BanOutcome>
}
