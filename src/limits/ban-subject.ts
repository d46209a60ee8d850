/** What may be banned, in one spelling each, and which look-ups find the ban of an address. It knows no list. */
import { blockOf, normaliseAddress } from '../http/address.ts'

/** Fewer bits would be a slip of the pen that bans a continent. */
const LEAST_BITS = { ipv4: 8, ipv6: 20 }
const USER = 'user:'
const MAX_SUBJECT = 128

/**
 * The one spelling of what may be banned: an address, a block of them (host bits cut), or `user:NAME`. A sentence's end
 * where it is none of these: `is not ...`.
 */
export function parseSubject(text: string): { readonly subject: string } | { readonly problem: string } {
  if (text.startsWith(USER)) {
    const isName = text.length > USER.length && text.length <= MAX_SUBJECT && !/[\x00-\x1f\x7f]/.test(text)
    return isName ? { subject: text } : { problem: 'is not the name of a user' }
  }
  const slash = text.indexOf('/')
  const host = slash === -1 ? text : text.slice(0, slash)
  const normal = normaliseAddress(host)
  const isIpv6 = normal.includes(':')
  const written = slash === -1 ? (isIpv6 ? '128' : '32') : text.slice(slash + 1)
  // The bits of a mapped block are not those of the IPv4 block that it is.
  const isMapped = !isIpv6 && host.includes(':') && slash !== -1
  if (normal === '' || isMapped || !/^\d{1,3}$/.test(written)) {
    return { problem: 'is not an address, a CIDR block or user:NAME' }
  }
  const subject = blockOf(normal, Number(written))
  if (subject === '') return { problem: 'is not a CIDR block' }
  const least = isIpv6 ? LEAST_BITS.ipv6 : LEAST_BITS.ipv4
  return Number(written) < least ? { problem: `is too wide; a ban covers a /${least} at most` } : { subject }
}

export const userSubject = (user: string): string => USER + user

/** The numbers of bits that bans have, by family: only blocks of these are looked up. */
export class BanWidths {
  readonly #ipv4 = new Set<number>()
  readonly #ipv6 = new Set<number>()

  /** Subjects in their one spelling. */
  constructor(subjects: Iterable<string>) {
    for (const subject of subjects) {
      if (subject.startsWith(USER)) continue
      const isIpv6 = subject.includes(':')
      const slash = subject.indexOf('/')
      const bits = slash === -1 ? (isIpv6 ? 128 : 32) : Number(subject.slice(slash + 1))
      const widths = isIpv6 ? this.#ipv6 : this.#ipv4
      widths.add(bits)
    }
  }

  /** The subjects under which an address may be banned. */
  *subjectsOf(address: string): IterableIterator<string> {
    for (const bits of address.includes(':') ? this.#ipv6 : this.#ipv4) yield blockOf(address, bits)
  }
}
