/** The section "tls" of the declaration: certificates, versions, client certificates. It knows no listener. */
import { z } from 'zod'
import { acme } from './acme-shape.ts'
import { count, duration, file, secret } from './shape-terms.ts'

const passphrase = secret.optional()

const certificate = z.union(
  [
    z.strictObject({
      cert: file.describe('PEM file: the certificate and its chain.'),
      key: file.describe('PEM file: the private key, readable by its owner only.'),
      passphrase: passphrase.describe('Passphrase of an encrypted key.'),
    }),
    z.strictObject({
      folder: file.describe(
        'Folder of pairs: `NAME.pem` (or `.crt`) beside `NAME.key`, or folders with `fullchain.pem` and `privkey.pem` as certbot has them.',
      ),
      passphrase: passphrase.describe('Passphrase of the encrypted keys in the folder.'),
    }),
  ],
  { error: 'must be { "cert": "path", "key": "path" } or { "folder": "path" }' },
)

const clientCertificates = z
  .strictObject({
    mode: z
      .enum(['optional', 'required'])
      .prefault('required')
      .describe('`required`: no connection without a valid one. `optional`: none is fine, an invalid one is not.'),
    ca: z
      .array(file)
      .min(1, 'is empty, so no certificate could be valid; name the file of the authority')
      .max(64)
      .describe('PEM files of the authorities that may have signed; no public authority counts.'),
    crl: z
      .array(file)
      .max(64)
      .prefault([])
      .describe(
        'PEM files of revocation lists, one for each authority. A list that has run out refuses everybody it could speak of.',
      ),
    forwardCertificate: z
      .boolean()
      .prefault(false)
      .describe('Send the whole certificate to services as `Client-Cert` (RFC 9440), besides subject and fingerprint.'),
  })
  .optional()
  .describe(
    'Ask clients for certificates (mutual TLS). Services get `X-Client-Cert-Subject` and `X-Client-Cert-Fingerprint`, which no client can forge. Default: none are asked for.',
  )

const settings = z.strictObject({
  certificates: z
    .array(certificate)
    .prefault([])
    .describe('Certificates, chosen by SNI from the names they carry; the first one serves clients without SNI.'),
  acme,
  profile: z
    .enum(['intermediate', 'modern'])
    .prefault('intermediate')
    .describe("Mozilla's TLS profiles, guidelines 6.0: `intermediate` is TLS 1.2 and 1.3, `modern` TLS 1.3 only."),
  selfSigned: z
    .boolean()
    .prefault(false)
    .describe('Allow the self-signed certificate on a listener that is not on loopback.'),
  strictSni: z
    .boolean()
    .prefault(false)
    .describe('End handshakes for names that no certificate carries, and those without a name.'),
  clientCertificates,
  ticketRotation: duration(
    '12 hours',
    'Age at which the key of session tickets is exchanged; tickets of the key before are not resumed. With `ticketSecret`: periods of the clock.',
    60_000,
  ),
  ticketSecret: secret
    .optional()
    .describe(
      'Secret of 32 characters or more, the same on every node, under which nodes share random keys of session tickets through `limits.store.redis`: sessions of one are then resumed by all. Default: every process has a key of its own.',
    ),
  ocspStapling: z
    .boolean()
    .prefault(true)
    .describe('Fetch and staple OCSP answers for certificates that name a responder (plain HTTP to that host).'),
  expiryWarning: z
    .array(count(0, 'Days.', 1, 400))
    .min(1)
    .max(10)
    .prefault([21, 7, 1])
    .describe('Days before the end of a certificate at which the log warns.'),
})

export const tls = settings.prefault({})

/** Their names. */
export const TLS_SETTINGS: ReadonlySet<string> = new Set(Object.keys(settings.shape))
