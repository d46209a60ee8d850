/** Revocation lists (RFC 5280, 5), as far as a listener has to know them before OpenSSL uses them: whose they are. */
import type { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { derContent } from '../pki/der.ts'

export interface RevocationList {
  /** Is it the list of this authority? By its name, as it is encoded; the signature is OpenSSL's to check. */
  isOf(authority: X509Certificate): boolean
}

/** One PEM block; null where it is damaged. */
export function readList(block: string): RevocationList | null {
  try {
    // OpenSSL parses it here, so the structure that is read below is sound.
    createSecureContext({ crl: block })
    const issuer = issuerOf(Buffer.from(block.replace(/-----[^-]+-----/g, ''), 'base64'))
    return { isOf: ({ raw }) => raw.includes(issuer) }
  } catch {
    return null
  }
}

const INTEGER = 0x02

/** TBSCertList ::= SEQUENCE { version INTEGER OPTIONAL, signature, issuer Name, ... }: the whole Name element. */
function issuerOf(der: Buffer): Buffer {
  let at = derContent(der, derContent(der, 0).start).start
  if (der[at] === INTEGER) at = derContent(der, at).end
  at = derContent(der, at).end
  return der.subarray(at, derContent(der, at).end)
}
