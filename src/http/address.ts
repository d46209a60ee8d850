/** IP addresses: one spelling each, the part of it that counts as one client, and membership in CIDR blocks. */
import { BlockList, isIP, isIPv4 } from 'node:net'

/**
 * One spelling for one address: IPv4 as it is, IPv4-mapped IPv6 (RFC 4291, 2.5.5.2) as IPv4, other IPv6 lower-case and
 * compressed (RFC 5952), zone identifiers cut (RFC 4007). '' where the text is no address.
 */
export function normaliseAddress(text: string): string {
  if (isIPv4(text)) return text
  const groups = parseGroups(text)
  if (groups === null) return ''
  return isMapped(groups) ? dotted(groups[6]!, groups[7]!) : formatGroups(groups)
}

/**
 * What limits count as one client: an IPv4 address, or the first `ipv6Prefix` bits of an IPv6 address as CIDR text
 * (`2001:db8::/64`). '' where the text is no address.
 */
export function clientKey(address: string, ipv6Prefix: number): string {
  if (isIPv4(address)) return address
  const groups = parseGroups(address)
  if (groups === null) return ''
  if (isMapped(groups)) return dotted(groups[6]!, groups[7]!)
  for (let i = 0; i < 8; i++) {
    const bits = Math.min(16, Math.max(0, ipv6Prefix - i * 16))
    groups[i] = groups[i]! & (0xffff << (16 - bits)) & 0xffff
  }
  return `${formatGroups(groups)}/${ipv6Prefix}`
}

/**
 * The block of this many leading bits that an address lies in, in one spelling: `192.0.2.0/24`, `2001:db8::/64`, and the
 * address alone where all bits are meant. '' where the text is no address or has not so many bits.
 */
export function blockOf(address: string, bits: number): string {
  const normal = normaliseAddress(address)
  if (normal === '' || bits < 0) return ''
  if (normal.includes(':')) {
    if (bits > 128) return ''
    return bits === 128 ? normal : clientKey(normal, bits)
  }
  if (bits > 32) return ''
  if (bits === 32) return normal
  const [a, b, c, d] = normal.split('.').map(Number) as [number, number, number, number]
  const value = (((a << 24) | (b << 16) | (c << 8) | d) & (bits === 0 ? 0 : -1 << (32 - bits))) >>> 0
  return `${dotted(value >>> 16, value & 0xffff)}/${bits}`
}

/**
 * A test whether an address lies in one of the blocks (`10.0.0.0/8`, `2001:db8::/32`, or single addresses). Blocks of
 * IPv4-mapped addresses count as IPv4. Throws RangeError at load where a block is none.
 */
export function makeCidrMatcher(cidrs: readonly string[]): (address: string) => boolean {
  if (cidrs.length === 0) return () => false
  const list = new BlockList()
  for (const cidr of cidrs) addBlock(list, cidr)
  // Requests of one connection ask for the same address again and again.
  let lastAddress = ''
  let lastAnswer = false
  return (address) => {
    if (address === lastAddress) return lastAnswer
    const normal = normaliseAddress(address)
    if (normal === '') return false
    lastAnswer = list.check(normal, normal.includes(':') ? 'ipv6' : 'ipv4')
    lastAddress = address
    return lastAnswer
  }
}

function addBlock(list: BlockList, cidr: string): void {
  const slash = cidr.indexOf('/')
  const host = slash === -1 ? cidr : cidr.slice(0, slash)
  const family = isIP(host)
  const width = family === 4 ? 32 : 128
  const written = slash === -1 ? String(width) : cidr.slice(slash + 1)
  const bits = /^\d{1,3}$/.test(written) ? Number(written) : -1
  if (family === 0 || bits < 0 || bits > width) throw new RangeError(`${cidr} is not a CIDR block`)
  const normal = normaliseAddress(host)
  if (family === 6 && !normal.includes(':')) {
    if (bits < 96) throw new RangeError(`${cidr} holds more than IPv4-mapped addresses`)
    list.addSubnet(normal, bits - 96, 'ipv4')
  } else {
    list.addSubnet(normal, bits, family === 4 ? 'ipv4' : 'ipv6')
  }
}

/** The eight groups of an IPv6 address; null where it is none. */
function parseGroups(text: string): number[] | null {
  if (isIP(text) !== 6) return null
  const zone = text.indexOf('%')
  let rest = zone === -1 ? text : text.slice(0, zone)
  const lastColon = rest.lastIndexOf(':')
  const tail = rest.slice(lastColon + 1)
  if (tail.includes('.')) {
    const [a, b, c, d] = tail.split('.').map(Number) as [number, number, number, number]
    rest = `${rest.slice(0, lastColon + 1)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  }
  const gap = rest.indexOf('::')
  if (gap === -1) return rest.split(':').map(fromHex)
  const before = gap === 0 ? [] : rest.slice(0, gap).split(':').map(fromHex)
  const after =
    gap + 2 === rest.length
      ? []
      : rest
          .slice(gap + 2)
          .split(':')
          .map(fromHex)
  const zeros = new Array<number>(8 - before.length - after.length).fill(0)
  return [...before, ...zeros, ...after]
}

const fromHex = (text: string): number => Number.parseInt(text, 16)

function isMapped(groups: readonly number[]): boolean {
  for (let i = 0; i < 5; i++) if (groups[i] !== 0) return false
  return groups[5] === 0xffff
}

const dotted = (high: number, low: number): string => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`

/** RFC 5952, 4: the first longest run of two or more zero groups becomes `::`. */
function formatGroups(groups: readonly number[]): string {
  let bestStart = -1
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && groups[i + length] === 0) length++
    if (length > bestLength) {
      bestStart = i
      bestLength = length
    }
    if (length > 0) i += length - 1
  }
  const hex = groups.map((group) => group.toString(16))
  if (bestStart === -1) return hex.join(':')
  return `${hex.slice(0, bestStart).join(':')}::${hex.slice(bestStart + bestLength).join(':')}`
}
