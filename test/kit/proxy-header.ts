/** Headers of the PROXY protocol, version 2, written byte by byte, right or wrong as a test asks. */

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')

/** Version and command, family and protocol, and whatever follows; its length is always right. */
export function binaryHeader(command: number, family: number, ...blocks: readonly Buffer[]): Buffer {
  const rest = Buffer.concat(blocks)
  const fixed = Buffer.from([command, family, rest.length >> 8, rest.length & 255])
  return Buffer.concat([SIGNATURE, fixed, rest])
}

/** Source, destination 198.51.100.1, source port 56324, destination port. */
export function ipv4Block(source: string, port: number): Buffer {
  const numbers = [...source.split('.').map(Number), 198, 51, 100, 1, 56324 >> 8, 56324 & 255, port >> 8, port & 255]
  return Buffer.from(numbers)
}

/** The source in 32 hex digits. */
export function ipv6Block(source: string, port: number): Buffer {
  return Buffer.concat([Buffer.from(source, 'hex'), Buffer.alloc(16, 1), Buffer.from([1, 0, port >> 8, port & 255])])
}

/** The header with the field that holds its CRC32c. */
export function crcField(header: Buffer): Buffer {
  const whole = Buffer.concat([header, Buffer.from('03000400000000', 'hex')])
  whole.writeUInt16BE(whole.length - 16, 14)
  whole.writeUInt32BE(crc32c(whole), whole.length - 4)
  return whole
}

/** Bit by bit, as RFC 9260 defines it; its check value for "123456789" is 0xe3069283. */
export function crc32c(bytes: Buffer): number {
  let sum = 0xffffffff
  for (const byte of bytes) {
    sum ^= byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1
  }
  return ~sum >>> 0
}
