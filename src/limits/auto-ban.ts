/** Bans addresses that go on while a limit refuses them. It counts refusals in this process, and bans on all nodes. */
import type { BanBook } from '../exchange/ban-book.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { MemoryCounter } from './memory-counter.ts'
import type { BanAfter, Rule } from './rule.ts'
import { windowRule } from './window.ts'

const MAX_KEYS = 50_000

export class AutoBan {
  readonly #bans: BanBook
  /** By limit; another setting is another counter. */
  readonly #counters = new Map<string, { readonly ban: BanAfter; readonly refusals: MemoryCounter }>()
  readonly #onBan: (x: Exchange, rule: Rule, subject: string) => void

  constructor(bans: BanBook, onBan: (x: Exchange, rule: Rule, subject: string) => void) {
    this.#bans = bans
    this.#onBan = onBan
  }

  /** Call it for each refusal that was meant. */
  onRefusal(x: Exchange, rule: Rule): void {
    const { ban } = rule
    // A trusted proxy that tells no client would be banned for all of them.
    if (ban === null || x.clientKey === '' || (x.isFromTrustedProxy && x.clientAddress === x.peer.address)) return
    const { refusals } = this.#counterOf(rule.name, ban)
    if (refusals.addNow(x.clientKey).remaining > 0) return
    refusals.clearNow(x.clientKey)
    const subject = x.clientKey
    void this.#bans
      .add({ subject, forMs: ban.forMs, reason: `${ban.after} refusals by the limit ${rule.name}` })
      .then((made) => {
        if (!('problem' in made)) this.#onBan(x, rule, made.subject)
      })
  }

  #counterOf(name: string, ban: BanAfter): { readonly refusals: MemoryCounter } {
    const known = this.#counters.get(name)
    if (known !== undefined && isSame(known.ban, ban)) return known
    const rule = windowRule({ name, points: ban.after, windowMs: ban.withinMs, blocks: [], onOutage: 'local' })
    const made = { ban, refusals: new MemoryCounter(rule, false, null, MAX_KEYS) }
    this.#counters.set(name, made)
    return made
  }
}

function isSame(a: BanAfter, b: BanAfter): boolean {
  return a.after === b.after && a.withinMs === b.withinMs
}
