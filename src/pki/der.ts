/**
 * DER, written by hand for the few fixed shapes that the gateway makes, and walked in bytes that OpenSSL has parsed before.
 * It knows no certificate.
 */

/** A DER element: tag, length, content (up to 65,535 bytes). */
export function element(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts)
  const size = value.length
  if (size < 0x80) return Buffer.concat([Buffer.from([tag, size]), value])
  if (size < 0x100) return Buffer.concat([Buffer.from([tag, 0x81, size]), value])
  return Buffer.concat([Buffer.from([tag, 0x82, size >> 8, size & 0xff]), value])
}

export const sequence = (...parts: readonly Buffer[]): Buffer => element(0x30, ...parts)
/** From the hex of its content. */
export const oid = (hex: string): Buffer => element(0x06, Buffer.from(hex, 'hex'))
export const bitString = (bytes: Buffer): Buffer => element(0x03, Buffer.from([0]), bytes)

/** Where the content of the DER element at `offset` starts and ends. */
export function derContent(der: Buffer, offset: number): { start: number; end: number } {
  const first = der.readUInt8(offset + 1)
  if (first < 0x80) return { start: offset + 2, end: offset + 2 + first }
  const bytes = first & 0x7f
  const start = offset + 2 + bytes
  return { start, end: start + der.readUIntBE(offset + 2, bytes) }
}
