/**
 * Reads the Forwarded field of RFC 7239 as it grew: from the right, where the proxy that sent it wrote, to the left, where
 * anybody may have. It knows which addresses are trusted only by asking.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { normaliseAddress } from './address.ts'
import { MAX_HOPS } from './forwarded.ts'

export interface ForwardedClient {
  readonly address: string
  /** What the element that names the client says of its scheme; '' where it says nothing that is known. */
  readonly scheme: 'http' | 'https' | ''
}

/** The longest sound element has four values and a host of 253 characters. */
const MAX_ELEMENT_CHARS = 1024
/** A pair and what separates it from the next: token "=" (token or quoted-string), RFC 7239, 4. */
const PAIR = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)|"((?:[^"\\]|\\.)*)")[ \t]*(?:;[ \t]*|$)/y
/** RFC 7239, 6: the port may be obfuscated. */
const NODE = /^(?:\[([0-9A-Fa-f:.]+)\]|(\d+\.\d+\.\d+\.\d+))(?::(?:\d{1,5}|_[0-9A-Za-z._-]+))?$/

/**
 * The client by the elements from right to left, for as long as who wrote the next one is trusted. An element that is
 * malformed, names nobody, `unknown` or an obfuscated name ends the reading: the last address that was believed counts.
 */
export function clientFromForwarded(
  list: string | null,
  peer: string,
  isTrusted: (address: string) => boolean,
): ForwardedClient {
  let address = peer
  let scheme: ForwardedClient['scheme'] = ''
  if (list === null) return { address, scheme }
  let end = list.length
  for (let hop = 0; hop < MAX_HOPS && end > 0 && isTrusted(address); hop++) {
    const start = elementStart(list, end)
    if (start === -1 || end - start > MAX_ELEMENT_CHARS) break
    const element = readElement(list.slice(start, end).trim())
    if (element === null) break
    address = element.address
    scheme = element.scheme
    end = start - 1
  }
  return { address, scheme }
}

/** Where the element that ends at `end` begins, commas in quotes left alone; -1 where a quote has no beginning. */
function elementStart(list: string, end: number): number {
  let isQuoted = false
  for (let at = end - 1; at >= 0; at--) {
    const char = list[at]
    if (char === '"') {
      let slashes = 0
      while (at - slashes > 0 && list[at - slashes - 1] === '\\') slashes++
      // Within quotes it stands for itself; outside, a quoted string cannot end like that.
      if (slashes % 2 === 1 && !isQuoted) return -1
      if (slashes % 2 === 0) isQuoted = !isQuoted
      at -= slashes
    } else if (char === ',' && !isQuoted) return at + 1
  }
  return isQuoted ? -1 : 0
}

function readElement(text: string): ForwardedClient | null {
  let node: string | null = null
  let proto: string | null = null
  for (let at = 0; at < text.length; at = PAIR.lastIndex) {
    PAIR.lastIndex = at
    const pair = PAIR.exec(text)
    if (pair === null) return null
    const name = pair[1]!.toLowerCase()
    const value = pair[2] ?? pair[3]!.replace(/\\(.)/g, '$1')
    if (name === 'for') {
      if (node !== null) return null
      node = value
    } else if (name === 'proto') {
      if (proto !== null) return null
      proto = value
    }
  }
  const address = node === null ? '' : readNode(node)
  return address === '' ? null : { address, scheme: readScheme(proto) }
}

function readNode(text: string): string {
  const found = NODE.exec(text)
  if (found === null) return ''
  const [, six, four] = found
  if (six !== undefined) return isIPv6(six) ? normaliseAddress(six) : ''
  return isIPv4(four!) ? four! : ''
}

/** `http` or `https` in any case; '' for anything else. */
export function readScheme(text: string | null): ForwardedClient['scheme'] {
  const scheme = text?.toLowerCase()
  return scheme === 'https' || scheme === 'http' ? scheme : ''
}
