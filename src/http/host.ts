/** Host and :authority: one strict reading, one spelling. Knows no list of served hosts until it is given one. */
import { isIPv4, isIPv6 } from 'node:net'
import { normaliseAddress } from './address.ts'

export interface Authority {
  /** Lower case, without port and without the root's dot; an IPv6 address in brackets and in its shortest form. */
  readonly host: string
  /** -1 where none was given. */
  readonly port: number
}

const NAME_AND_PORT = /^([0-9A-Za-z.-]{1,254})(?::([1-9]\d{0,4}))?$/
const LITERAL_AND_PORT = /^\[([0-9A-Fa-f:.]{2,45})\](?::([1-9]\d{0,4}))?$/
const NAME = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
/** What URL parsers would take for an IPv4 address in another notation (`127.1`, `0x7f.1`, `2130706433`). */
const ENDS_IN_NUMBER = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/

/**
 * Reads `host[:port]` (RFC 9110, 7.2; RFC 3986, 3.2.2): a DNS name, an IPv4 address in four decimal parts or an IPv6
 * literal. Null for anything else: user information, empty or too long names, odd characters, escapes, port 0.
 */
export function parseAuthority(text: string): Authority | null {
  const known = parsed.get(text)
  if (known !== undefined) return known
  const authority = readAuthority(text)
  // Every request names one; what clients name is bounded in count and in length.
  if (authority !== null && parsed.size < MAX_PARSED && text.length <= 64) parsed.set(text, authority)
  return authority
}

const parsed = new Map<string, Authority>()
const MAX_PARSED = 256

function readAuthority(text: string): Authority | null {
  const named = NAME_AND_PORT.exec(text)
  if (named !== null) {
    const host = readName(named[1]!)
    const port = readPort(named[2])
    return host === null || port === null ? null : { host, port }
  }
  const literal = LITERAL_AND_PORT.exec(text)
  if (literal === null || !isIPv6(literal[1]!)) return null
  const port = readPort(literal[2])
  return port === null ? null : { host: bracketed(literal[1]!), port }
}

/** The spelling that `parseAuthority` gives a host of the configuration; its `*.` is kept. Null where it is none. */
export function canonicalHost(text: string): string | null {
  if (text.startsWith('*.')) {
    const rest = canonicalHost(text.slice(2))
    return rest === null || rest.startsWith('[') || isIPv4(rest) || rest.startsWith('*') ? null : `*.${rest}`
  }
  if (isIPv6(text)) return text.includes('%') ? null : bracketed(text)
  const authority = parseAuthority(text)
  return authority === null || authority.port !== -1 ? null : authority.host
}

/** True when the set holds the host, or `*.` and one of its parent domains. Cost: one look-up per label. */
export function matchHost(hosts: ReadonlySet<string>, host: string): boolean {
  if (hosts.has(host)) return true
  for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
    if (hosts.has(`*${host.slice(dot)}`)) return true
  }
  return false
}

/**
 * True for what only this machine calls itself: `localhost`, 127.0.0.0/8, `[::1]`, and the address that is bound. `host` as
 * `parseAuthority` spells it.
 */
export function isLoopbackHost(host: string, bound: string): boolean {
  if (host === 'localhost' || host === '[::1]' || (host.startsWith('127.') && isIPv4(host))) return true
  return host === canonicalHost(bound)
}

function readName(text: string): string | null {
  const lower = text.toLowerCase()
  const host = lower.endsWith('.') ? lower.slice(0, -1) : lower
  if (host.length > 253) return null
  if (ENDS_IN_NUMBER.test(host)) return host === text && isIPv4(host) ? host : null
  return NAME.test(host) ? host : null
}

function readPort(text: string | undefined): number | null {
  if (text === undefined) return -1
  const port = Number(text)
  return port > 65535 ? null : port
}

function bracketed(address: string): string {
  const normal = normaliseAddress(address)
  return normal.includes(':') ? `[${normal}]` : `[::ffff:${normal}]`
}
