/**
 * OCSP messages (RFC 6960): asks for the state of one certificate, and judges the answer. It opens no
 * connection.
 */
import type { X509Certificate } from 'node:crypto'
import { BasicOCSPResponse, Certificate, OCSPRequest, OCSPResponse, type SingleResponse } from 'pkijs'

/** What an answer says, once its signature has been verified. */
export interface OcspVerdict {
  readonly status: 'good' | 'revoked' | 'unknown'
  /** Milliseconds since 1970. */
  readonly thisUpdate: number
  /** When a newer answer is to be had; at the latest then this one is void. */
  readonly nextUpdate: number
}

/** Where a certificate names no responder: null. Only http and https. */
export function responderOf(certificate: X509Certificate): string | null {
  for (const line of (certificate.infoAccess ?? '').split('\n')) {
    const found = /^OCSP - URI:"?(https?:\/\/[\x21\x23-\x7e]+?)"?$/.exec(line)
    if (found !== null && URL.canParse(found[1]!)) return found[1]!
  }
  return null
}

/** The request for a certificate, DER. By SHA-1 as everybody's responder is asked (RFC 5019, 2.1.1): a name, not a signature. */
export async function ocspRequest(certificate: X509Certificate, issuer: X509Certificate): Promise<Buffer> {
  const request = new OCSPRequest()
  await request.createForCertificate(parse(certificate), { hashAlgorithm: 'SHA-1', issuerCertificate: parse(issuer) })
  return Buffer.from(request.toSchema(true).toBER())
}

/** An answer that says nothing before this time has gone by is void; RFC 5019 requires nextUpdate, some leave it out. */
const DEFAULT_LIFE_MS = 86_400_000
/** Clocks differ. */
const SKEW_MS = 300_000

/** Throws an Error whose message says what is wrong: not signed by or for the issuer, for another certificate, out of its time. */
export async function judgeOcsp(
  answer: Buffer,
  certificate: X509Certificate,
  issuer: X509Certificate,
  now: number,
): Promise<OcspVerdict> {
  const leaf = parse(certificate)
  const authority = parse(issuer)
  const outer = OCSPResponse.fromBER(answer)
  const code = outer.responseStatus.valueBlock.valueDec
  if (code !== 0) throw new Error(`the responder refuses (status ${code})`)
  if (outer.responseBytes === undefined) throw new Error('the answer is empty')
  const basic = BasicOCSPResponse.fromBER(outer.responseBytes.response.valueBlock.valueHexView)
  const isSigned = await basic.verify({ trustedCerts: [authority], issuerCerts: [authority] })
  if (!isSigned) throw new Error('the answer is not signed for this authority')
  const { isForCertificate, status } = await basic.getCertificateStatus(leaf, authority)
  if (!isForCertificate) throw new Error('the answer is for another certificate')
  const ours = basic.tbsResponseData.responses.filter((each: SingleResponse) =>
    each.certID.serialNumber.isEqual(leaf.serialNumber),
  )
  const thisUpdate = Math.max(...ours.map((each) => each.thisUpdate.getTime()))
  const nextUpdate = Math.min(...ours.map((each) => each.nextUpdate?.getTime() ?? thisUpdate + DEFAULT_LIFE_MS))
  if (!(thisUpdate - SKEW_MS <= now)) throw new Error('the answer is from the future')
  if (!(nextUpdate > now)) throw new Error('the answer is too old')
  return { status: status === 0 ? 'good' : status === 1 ? 'revoked' : 'unknown', thisUpdate, nextUpdate }
}

const parse = ({ raw }: X509Certificate): Certificate => Certificate.fromBER(raw)
