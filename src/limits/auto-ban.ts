/**
 * Bans addresses that go on while a limit refuses them. Each process counts what it refuses and, once a second, adds it to
 * what all others refused: no refusal costs a call of its own. Knows no store's kind.
 */
import type { BanBook } from '../exchange/ban-book.ts'
import type { Claim, ClaimStates, ClaimWaiter } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { BoundedMap } from './bounded-map.ts'
import type { BanAfter, Rule } from './rule.ts'

/** Clients of which it is known how often they were refused. */
const MAX_KEYS = 50_000
/** Clients told of in one second; the refusals of further ones wait for their next. */
const MAX_TOLD = 10_000
const TELL_MS = 1000
/** What the store said is held true: a ban that is given or ended elsewhere begins anew. */
const TRUST_MS = 2000

/** The last refusal of a client, for those who are told of the ban. */
export interface Offender {
  readonly rule: Rule
  readonly ban: BanAfter
  /** What is banned. */
  readonly subject: string
  readonly address: string
  readonly requestId: string
  readonly route: string
}

export class AutoBan {
  readonly #bans: BanBook
  readonly #onBan: (offender: Offender) => void
  readonly #tallies = new BoundedMap<Tally>(MAX_KEYS)
  /** Those with refusals of which the store does not know. */
  readonly #untold = new Set<Tally>()
  #timer: NodeJS.Timeout | null = null

  constructor(bans: BanBook, onBan: (offender: Offender) => void) {
    this.#bans = bans
    this.#onBan = onBan
  }

  /** Call it for each refusal that was meant. */
  onRefusal(x: Exchange, rule: Rule): void {
    const { ban } = rule
    // A trusted proxy that tells no client would be banned for all of them.
    if (ban === null || x.clientKey === '' || (x.isFromTrustedProxy && x.clientAddress === x.peer.address)) return
    const id = `${rule.name} ${x.clientKey}`
    let tally = this.#tallies.get(id)
    // Of another setting, before a reload.
    if (tally === undefined || tally.ban.refusals !== ban.refusals) {
      tally = new Tally(ban, x.clientKey)
      this.#tallies.set(id, tally)
    }
    tally.last = {
      rule,
      ban,
      subject: x.clientKey,
      address: x.clientAddress,
      requestId: x.id,
      route: x.route?.name ?? '-',
    }
    tally.untold++
    if (tally.refusals(performance.now()) >= ban.after) return this.#end(tally)
    if (this.#untold.size >= MAX_TOLD) return
    this.#untold.add(tally)
    this.#timer ??= setTimeout(this.#tell, TELL_MS).unref()
  }

  readonly #tell = (): void => {
    this.#timer = null
    const all = [...this.#untold]
    this.#untold.clear()
    for (const tally of all) {
      const telling = new Telling(tally, this.#end)
      const states = tally.ban.store.claim([tally.claim()], telling)
      if (states !== null) telling.onStates(states)
    }
  }

  readonly #end = (tally: Tally): void => {
    const offender = tally.last!
    const { ban, rule, subject } = offender
    tally.reset()
    this.#untold.delete(tally)
    void ban.refusals.clear(tally.key)
    void this.#bans
      .add({ subject, forMs: ban.forMs, reason: `${ban.after} refusals by the limit ${rule.name}` })
      .then((made) => {
        if (!('problem' in made)) this.#onBan(offender)
      })
  }
}

/** How often one client was refused by one limit. */
class Tally {
  readonly ban: BanAfter
  readonly key: string
  /** Here, since it was told. */
  untold = 0
  last: Offender | null = null
  /** Everywhere, as the store said. */
  #told = 0
  #toldUntil = 0

  constructor(ban: BanAfter, key: string) {
    this.ban = ban
    this.key = key
  }

  refusals(now: number): number {
    return this.untold + (now < this.#toldUntil ? this.#told : 0)
  }

  /** What the store is still to be told. */
  claim(): Claim {
    const claim = { counter: this.ban.refusals, key: this.key, points: this.untold, own: null }
    this.untold = 0
    return claim
  }

  /** True where they are too many. */
  onTold({ used, resetMs, allowed }: { used: number; resetMs: number; allowed: boolean }): boolean {
    this.#told = used
    this.#toldUntil = performance.now() + Math.min(resetMs, TRUST_MS)
    return !allowed || used >= this.ban.after
  }

  reset(): void {
    this.untold = 0
    this.#told = 0
  }
}

class Telling implements ClaimWaiter {
  readonly #tally: Tally
  readonly #onOver: (tally: Tally) => void

  constructor(tally: Tally, onOver: (tally: Tally) => void) {
    this.#tally = tally
    this.#onOver = onOver
  }

  onStates([state]: ClaimStates): void {
    if (state !== null && state !== undefined && this.#tally.onTold(state)) this.#onOver(this.#tally)
  }
}
