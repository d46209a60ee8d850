/**
 * The bans as requests and operators meet them: who is kept out, found in a few look-ups however many there are. It knows
 * neither where the list is shared nor any socket; whoever holds some is told when the list has changed.
 */
import type { BanBook, BanRequest } from '../exchange/ban-book.ts'
import type { Ban, SharedBans } from '../exchange/shared-bans.ts'
import { makeCidrMatcher } from '../http/address.ts'
import { BanWidths, parseSubject, userSubject } from './ban-subject.ts'

/** A ban without an end has one after a hundred years. */
const NO_END_MS = 100 * 365 * 86_400_000
/** Changes that come close together are one for those who are told. */
const TELL_MS = 50

export class Bans implements BanBook {
  readonly #onChange: () => void
  readonly #now: () => number
  #shared: SharedBans | null = null
  #isExempt: (address: string) => boolean = () => false
  /** Null: to be made from the list anew. */
  #widths: BanWidths | null = null
  #telling: NodeJS.Timeout | null = null

  /** `onChange` is called after bans were added or ended, here or on another node. */
  constructor(onChange: () => void, now: () => number = Date.now) {
    this.#onChange = onChange
    this.#now = now
  }

  /** At each load: the store's list, and which addresses are never banned. What held before holds in a new store too. */
  configure(shared: SharedBans, exempt: readonly string[]): void {
    this.#isExempt = makeCidrMatcher(exempt)
    const before = this.#shared
    if (before === shared) return
    this.#shared = shared
    this.#widths = null
    shared.onChange(this.#onListChange)
    const now = this.#now()
    for (const { subject, until, reason } of before?.list.values() ?? []) {
      if (until > now) void shared.ban(subject, until - now, reason)
    }
  }

  /** Costs nothing where nobody is banned. */
  isAddressBanned(address: string): boolean {
    const list = this.#shared?.list
    if (list === undefined || list.size === 0) return false
    this.#widths ??= new BanWidths(list.keys())
    for (const subject of this.#widths.subjectsOf(address)) {
      if (this.#isRunning(list.get(subject))) return !this.#isExempt(address)
    }
    return false
  }

  isUserBanned(user: string): boolean {
    return user !== '' && this.#isRunning(this.#shared?.list.get(userSubject(user)))
  }

  all(): Ban[] {
    const bans = [...(this.#shared?.list.values() ?? [])]
    return bans.filter((ban) => this.#isRunning(ban)).sort((a, b) => a.until - b.until)
  }

  async add({ subject: text, forMs, reason }: BanRequest): Promise<Ban | { readonly problem: string }> {
    const parsed = parseSubject(text)
    if ('problem' in parsed) return parsed
    const shared = this.#shared
    if (shared === null) return { problem: 'cannot be banned yet' }
    const clean = reason.replace(/[\x00-\x1f\x7f]+/g, ' ')
    const outcome = await shared.ban(parsed.subject, forMs === 0 ? NO_END_MS : forMs, clean)
    const made = shared.list.get(parsed.subject)
    if (outcome === 'full' || made === undefined) return { problem: 'cannot be banned: there are too many bans' }
    return made
  }

  async remove(text: string): Promise<boolean> {
    const parsed = parseSubject(text)
    if ('problem' in parsed || !this.#isRunning(this.#shared?.list.get(parsed.subject))) return false
    await this.#shared?.unban(parsed.subject)
    return true
  }

  readonly #onListChange = (): void => {
    this.#widths = null
    this.#telling ??= setTimeout(this.#tell, TELL_MS).unref()
  }

  readonly #tell = (): void => {
    this.#telling = null
    this.#onChange()
  }

  #isRunning(ban: Ban | undefined): boolean {
    return ban !== undefined && ban.until > this.#now()
  }
}
