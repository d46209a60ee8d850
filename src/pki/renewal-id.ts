/** The name of a certificate when an authority is asked for its renewal time (RFC 9773, 4.1). It asks nobody. */
import type { X509Certificate } from 'node:crypto'
import { derContent } from './der.ts'

/** 2.5.29.35, with tag and length. */
const AUTHORITY_KEY_ID = Buffer.from('0603551d23', 'hex')

/** Null where the certificate does not name the key of its issuer. */
export function renewalId({ raw, serialNumber }: X509Certificate): string | null {
  const keyId = authorityKeyId(raw)
  if (keyId === null) return null
  // As DER has it: a leading zero where the first bit is set.
  const even = serialNumber.length % 2 === 0 ? serialNumber : `0${serialNumber}`
  const serial = Buffer.from(/^[89a-f]/i.test(even) ? `00${even}` : even, 'hex')
  return `${keyId.toString('base64url')}.${serial.toString('base64url')}`
}

/** Extension ::= SEQUENCE { OID, OCTET STRING { SEQUENCE { [0] keyIdentifier ... } } }; OpenSSL has parsed the same bytes before. */
function authorityKeyId(der: Buffer): Buffer | null {
  const at = der.indexOf(AUTHORITY_KEY_ID)
  if (at < 0) return null
  try {
    const value = derContent(der, at + AUTHORITY_KEY_ID.length)
    const inner = derContent(der, value.start)
    if (der.readUInt8(inner.start) !== 0x80) return null
    const id = derContent(der, inner.start)
    return id.end <= inner.end && id.end > id.start ? der.subarray(id.start, id.end) : null
  } catch {
    return null
  }
}
