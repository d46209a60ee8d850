/** The settings of TLS towards clients: certificates, versions. It knows no listener. */
import { z } from 'zod'
import { file, secret } from './shape-terms.ts'

export const tls = z
  .strictObject({
    certificates: z
      .array(
        z.strictObject({
          cert: file.describe('PEM file: the certificate and its chain.'),
          key: file.describe('PEM file: the private key, readable by its owner only.'),
          passphrase: secret.optional().describe('Passphrase of an encrypted key.'),
        }),
      )
      .prefault([])
      .describe('Certificates, chosen by SNI from the names they carry; the first one serves clients without SNI.'),
    profile: z
      .enum(['intermediate', 'modern'])
      .prefault('intermediate')
      .describe("Mozilla's TLS profiles, guidelines 6.0: `intermediate` is TLS 1.2 and 1.3, `modern` TLS 1.3 only."),
    selfSigned: z
      .boolean()
      .prefault(false)
      .describe('Allow the self-signed certificate on a listener that is not on loopback.'),
  })
  .prefault({})
