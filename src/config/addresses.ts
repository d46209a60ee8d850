/** Addresses as the configuration writes them: address and port, CIDR blocks, loopback. Knows no listener. */
import { isIP, isIPv6 } from 'node:net'

export interface SocketAddress {
  readonly host: string
  readonly port: number
}

/** `0.0.0.0:8443`, `[::1]:9900`, `localhost:80`; null where the text is none of these. */
export function parseAddress(text: string): SocketAddress | null {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+|localhost)):(\d{1,5})$/.exec(text)
  if (found === null) return null
  const host = found[1] ?? (found[2] === 'localhost' ? '127.0.0.1' : found[2]!)
  const port = Number(found[3])
  if (isIP(host) === 0 || port > 65535 || (found[1] !== undefined && !isIPv6(host))) return null
  return { host, port }
}

/** An address, or a block of them in CIDR notation. */
export function isCidr(text: string): boolean {
  const [host = '', bits, more] = text.split('/')
  const family = isIP(host)
  if (family === 0 || more !== undefined) return false
  if (bits === undefined) return true
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
}

/** One spelling per address: `0:0::1` is `::1`. */
function canonical(host: string): string {
  return isIPv6(host) ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host
}

/** Reachable from this machine only (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3). */
export function isLoopback(host: string): boolean {
  const one = canonical(host)
  return one === '::1' || /^127\./.test(one) || /^::ffff:7f[0-9a-f]{2}:/.test(one)
}

/** True where the second of two sockets could not be opened. Port 0 is any free port, so it never clashes. */
export function clashes(one: SocketAddress, other: SocketAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false
  const a = canonical(one.host)
  const b = canonical(other.host)
  // Node opens `::` for both families.
  if (a === b || a === '::' || b === '::') return true
  return isIPv6(a) === isIPv6(b) && (a === '0.0.0.0' || b === '0.0.0.0')
}

/** As it is written in the configuration. */
export function addressText(address: SocketAddress): string {
  return isIPv6(address.host) ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}
