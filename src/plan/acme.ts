/** What is ordered by ACME, from the configuration: secrets resolved, files named. It asks nobody. */
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { AuthoritySettings } from '../acme/authority.ts'
import { CertificateFiles } from '../acme/certificate-files.ts'
import type { ManagedWish } from '../acme/managed-certificate.ts'
import { LETS_ENCRYPT, LETS_ENCRYPT_STAGING } from '../config/acme-shape.ts'
import { readSecret } from '../config/secrets.ts'
import type { Configuration, SecretReference, TlsConfig } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import type { LoadedCertificate } from '../listen/certificates.ts'
import type { Findings, Standing } from './standing.ts'

type AcmeConfig = NonNullable<TlsConfig['acme']>

const LEAST_SECRET = 32

/** The certificate to serve now; what is to be ordered goes into the findings. Throws a ConfigurationError. */
export function managedCertificate(
  listener: string,
  tls: TlsConfig,
  acme: AcmeConfig,
  all: Configuration,
  standing: Standing,
  findings: Findings,
): LoadedCertificate {
  const setting = `listeners.${listener}.tls.acme`
  const { names, email = null, challenge, folder } = acme
  const secret =
    all.limits.store.redis === undefined ? null : longSecret(acme.sharedSecret, `${setting}.sharedSecret`, standing)
  findings.acme.push({ names, authorities: authoritiesOf(acme, setting, standing), email, challenge, folder, secret })
  const { cert, key } = new CertificateFiles(folder, names[0]!)
  try {
    mkdirSync(dirname(cert), { recursive: true, mode: 0o700 })
  } catch (error) {
    const reason = (error as Error).message
    throw new ConfigurationError([`${setting}.folder: certificates cannot be kept there (${reason})`])
  }
  findings.files.push(cert, key)
  return standing.acmePairs.load({ names, cert, key }, tls.profile, listener, (note) => findings.notes.add(note))
}

/** Of 32 characters at least; null for none. Throws a ConfigurationError. */
export function longSecret(reference: SecretReference | undefined, setting: string, { env }: Standing): string | null {
  if (reference === undefined) return null
  const secret = readSecret(reference, env)
  if (secret.length >= LEAST_SECRET) return secret
  throw new ConfigurationError([`${setting}: is shorter than ${LEAST_SECRET} characters`])
}

function authoritiesOf(acme: AcmeConfig, setting: string, { env }: Standing): AuthoritySettings[] {
  const given = acme.authorities ?? [{ directory: acme.staging ? LETS_ENCRYPT_STAGING : LETS_ENCRYPT }]
  return given.map(({ directory, ca, eab }, i) => {
    const key = eab === undefined ? '' : readSecret(eab.key, env).replace(/=+$/, '')
    if (eab !== undefined && !/^[A-Za-z0-9_-]+$/.test(key)) {
      throw new ConfigurationError([`${setting}.authorities[${i}].eab.key: is not base64url, as the authority gave it`])
    }
    return {
      directory,
      ca: ca === undefined ? null : readFileSync(ca, 'latin1'),
      externalAccount: eab === undefined ? null : { keyId: eab.keyId, key },
    }
  })
}

/** Does any of them answer challenges on plain HTTP? */
export function asksOverHttp(wishes: readonly ManagedWish[]): boolean {
  return wishes.some(({ challenge }) => challenge === 'http-01')
}
