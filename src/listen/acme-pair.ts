/**
 * The certificate of names that are ordered by themselves: the one that stands there, the one that was good before, or a
 * self-signed one until the first is issued. It knows no authority.
 */
import type { TlsConfig } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import { serverExtensions } from '../pki/extensions.ts'
import { makeOwnCertificate } from '../pki/own-certificate.ts'
import { type CertificateCache, type LoadedCertificate, loadCertificates } from './certificates.ts'

/** Longer than any trouble with an authority should last. */
const TEMPORARY_DAYS = 90

export interface AcmePairPlace {
  readonly names: readonly string[]
  readonly cert: string
  readonly key: string
}

export class AcmePairs {
  readonly #cache: CertificateCache
  /** By certificate file. */
  readonly #served = new Map<string, LoadedCertificate>()

  constructor(cache: CertificateCache) {
    this.#cache = cache
  }

  /** Never throws for what stands in the files; `say` is told what is served instead, and why. */
  load(
    place: AcmePairPlace,
    profile: TlsConfig['profile'],
    listener: string,
    say: (note: string) => void,
  ): LoadedCertificate {
    const found = this.#read(place, profile, listener, say)
    const served = found ?? this.#stillGood(place) ?? temporary(place)
    if (found === null && isTemporary(served)) {
      say(
        `A temporary self-signed certificate serves ${place.names.join(', ')} until one is issued: browsers will warn`,
      )
    }
    this.#served.set(place.cert, served)
    return served
  }

  #read(
    { names, cert, key }: AcmePairPlace,
    profile: TlsConfig['profile'],
    listener: string,
    say: (note: string) => void,
  ): LoadedCertificate | null {
    try {
      const pairs = { certificates: [{ cert, key }], profile }
      const [loaded] = loadCertificates(pairs, () => '', listener, this.#cache)
      return loaded !== undefined && names.every((name) => loaded.names.includes(name)) ? loaded : null
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      const isFirst = error.problems.every((problem) => problem.includes('it does not exist'))
      if (!isFirst) for (const problem of error.problems) say(`A certificate will be ordered anew: ${problem}`)
      return null
    }
  }

  /** A renewal that is caught between its two files must not take a good certificate away. */
  #stillGood({ names, cert }: AcmePairPlace): LoadedCertificate | null {
    const served = this.#served.get(cert)
    const isGood = served !== undefined && served.expiresAt > new Date()
    return isGood && names.every((name) => served.names.includes(name)) ? served : null
  }
}

const ORGANISATION = 'portcullis temporary'

/** Does it only serve until one is issued? */
export function isTemporary({ issuer, subject }: LoadedCertificate): boolean {
  return issuer === null && subject.includes(ORGANISATION)
}

function temporary({ names, cert: certFile, key: keyFile }: AcmePairPlace): LoadedCertificate {
  const { certificate, cert, key } = makeOwnCertificate({
    organisation: ORGANISATION,
    commonName: names[0]!,
    days: TEMPORARY_DAYS,
    extensions: serverExtensions(names),
  })
  return {
    ...{ certFile, keyFile, names, cert, key },
    subject: certificate.subject.replaceAll('\n', ', '),
    expiresAt: certificate.validToDate,
    fingerprint256: certificate.fingerprint256,
    leaf: certificate,
    issuer: null,
  }
}
