/**
 * Reads the header of HAProxy's PROXY protocol, versions 1 and 2, from the first bytes of a connection: strictly, and only
 * ever a whole one. It knows no socket, and not who may send it.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { normaliseAddress } from '../http/address.ts'

/** The whole header, bytes. The longest line of version 1 has 107; version 2 could promise 65,551. */
export const MAX_PROXY_HEADER_BYTES = 4096

export interface ProxyHeader {
  /** Bytes of the header: what follows is the client's. */
  readonly used: number
  /** Where the client's connection came from; '' where the sender does not say (UNKNOWN, LOCAL, UNSPEC, Unix sockets). */
  readonly address: string
  /** The port that the client reached; 0 where the sender does not say. */
  readonly port: number
}

const MAX_LINE_BYTES = 107
const LINE_START = Buffer.from('PROXY ', 'latin1')
const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const FIXED_BYTES = 16

/**
 * @param bytes All that has come, from the first byte of the connection on.
 * @returns 'more' while it may still become a header, 'bad' as soon as it cannot.
 */
export function readProxyHeader(bytes: Buffer): ProxyHeader | 'more' | 'bad' {
  if (bytes.length === 0) return 'more'
  if (beginsAs(bytes, LINE_START)) return readLine(bytes)
  return beginsAs(bytes, SIGNATURE) ? readBinary(bytes) : 'bad'
}

/** True while what is there agrees with the start. */
function beginsAs(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length)
  return bytes.compare(start, 0, length, 0, length) === 0
}

// --- version 1: one line of text ---

function readLine(bytes: Buffer): ProxyHeader | 'more' | 'bad' {
  const text = bytes.toString('latin1', 0, Math.min(bytes.length, MAX_LINE_BYTES))
  const end = text.search(/[\r\n]/)
  if (end === -1) return text.length < MAX_LINE_BYTES ? 'more' : 'bad'
  if (text[end] === '\n') return 'bad'
  if (end + 1 === text.length) return text.length < MAX_LINE_BYTES ? 'more' : 'bad'
  if (text[end + 1] !== '\n') return 'bad'
  const used = end + 2
  const line = text.slice(LINE_START.length, end)
  if (line === 'UNKNOWN' || line.startsWith('UNKNOWN ')) return { used, address: '', port: 0 }
  const parts = line.split(' ')
  if (parts.length !== 5) return 'bad'
  const [family, source, destination, sourcePort, port] = parts as [string, string, string, string, string]
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isBareIPv6 : null
  if (isAddress === null || !isAddress(source) || !isAddress(destination)) return 'bad'
  if (readPort(sourcePort) === -1 || readPort(port) === -1) return 'bad'
  return { used, address: normaliseAddress(source), port: readPort(port) }
}

/** A zone means something on the sender's machine only. */
const isBareIPv6 = (text: string): boolean => isIPv6(text) && !text.includes('%')

function readPort(text: string): number {
  const port = /^(?:0|[1-9]\d{0,4})$/.test(text) ? Number(text) : -1
  return port > 65535 ? -1 : port
}

// --- version 2: binary ---

const LOCAL = 0x20
const PROXY = 0x21
const UNSPECIFIED = 0x00
const TCP_IPV4 = 0x11
const TCP_IPV6 = 0x21
const UNIX_STREAM = 0x31
/** Bytes of both addresses and ports. Datagrams cannot have come by TCP, and have none. */
const ADDRESS_BYTES = new Map([
  [UNSPECIFIED, 0],
  [TCP_IPV4, 12],
  [TCP_IPV6, 36],
  [UNIX_STREAM, 216],
])

function readBinary(bytes: Buffer): ProxyHeader | 'more' | 'bad' {
  const command = bytes[12]
  if (command !== undefined && command !== LOCAL && command !== PROXY) return 'bad'
  if (bytes.length < FIXED_BYTES) return 'more'
  const used = FIXED_BYTES + bytes.readUInt16BE(14)
  if (used > MAX_PROXY_HEADER_BYTES) return 'bad'
  const family = bytes[13]!
  const addressBytes = ADDRESS_BYTES.get(family)
  if (command === PROXY && (addressBytes === undefined || used < FIXED_BYTES + addressBytes)) return 'bad'
  if (bytes.length < used) return 'more'
  // What follows LOCAL is to be skipped, whatever it is.
  if (command === LOCAL) return { used, address: '', port: 0 }
  const header = bytes.subarray(0, used)
  // An unspecified sender may write anything in place of addresses, so that no fields can be told there.
  if (family === UNSPECIFIED) return { used, address: '', port: 0 }
  if (!isSound(header, FIXED_BYTES + addressBytes!)) return 'bad'
  switch (family) {
    case TCP_IPV4:
      return { used, address: [...header.subarray(16, 20)].join('.'), port: header.readUInt16BE(26) }
    case TCP_IPV6:
      return { used, address: readIPv6(header, 16), port: header.readUInt16BE(50) }
    default:
      return { used, address: '', port: 0 }
  }
}

function readIPv6(bytes: Buffer, at: number): string {
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push(bytes.readUInt16BE(at + i).toString(16))
  return normaliseAddress(groups.join(':'))
}

const CRC32C = 0x03

/** Whether the fields behind the addresses (type, two bytes of length, value) fill the header exactly, and its sum is right. */
function isSound(header: Buffer, from: number): boolean {
  let sumAt = -1
  let at = from
  while (at < header.length) {
    if (at + 3 > header.length) return false
    const length = header.readUInt16BE(at + 1)
    if (header[at] === CRC32C) {
      if (length !== 4 || sumAt !== -1) return false
      sumAt = at + 3
    }
    at += 3 + length
  }
  if (at !== header.length) return false
  return sumAt === -1 || header.readUInt32BE(sumAt) === crc32c(header, sumAt)
}

/** Castagnoli's polynomial, reflected (RFC 9260, appendix A). */
const SUMS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1
  return sum
})

/** The sum of the header with the four bytes at `sumAt` taken for zeros. */
function crc32c(header: Buffer, sumAt: number): number {
  let sum = 0xffffffff
  for (let i = 0; i < header.length; i++) {
    const byte = i >= sumAt && i < sumAt + 4 ? 0 : header[i]!
    sum = SUMS[(sum ^ byte) & 0xff]! ^ (sum >>> 8)
  }
  return ~sum >>> 0
}
