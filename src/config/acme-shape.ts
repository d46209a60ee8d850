/** The section "tls.acme" of the declaration: certificates that are ordered and renewed by themselves. It knows no protocol. */
import { z } from 'zod'
import { file, host, secret } from './shape-terms.ts'

export const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory'
export const LETS_ENCRYPT_STAGING = 'https://acme-staging-v02.api.letsencrypt.org/directory'

const MOST_NAMES = 100

const directory = z
  .string()
  .max(512)
  .refine(
    (text) => URL.canParse(text) && new URL(text).protocol === 'https:' && new URL(text).username === '',
    `is not the URL of a directory; write for example "${LETS_ENCRYPT}"`,
  )
  .meta({ title: 'directory' })

const authority = z.strictObject({
  directory: directory.describe('URL of the directory (RFC 8555, 7.1.1); nothing but its host is asked.'),
  ca: file
    .optional()
    .describe(
      'PEM file of the authority that signed the certificate of the directory itself. Default: the public ones.',
    ),
  eab: z
    .strictObject({
      keyId: z.string().min(1).max(512).describe('Key identifier that the authority gave.'),
      key: secret.describe('MAC key that the authority gave, base64url.'),
    })
    .optional()
    .describe('External account binding (RFC 8555, 7.3.4), where the authority asks for it.'),
})

export const acme = z
  .strictObject({
    names: z
      .array(
        host
          .refine((text) => !text.startsWith('*.'), 'is a wildcard, which takes a DNS challenge; name each host')
          .refine((text) => !/^[\d.]+$|:/.test(text), 'is an address; certificates are ordered for names'),
      )
      .min(1, 'is empty; name the hosts')
      .max(MOST_NAMES)
      .describe('Host names of the certificate; the first one names its folder.'),
    agreeToTerms: z
      .literal(true, { error: 'must be written out as true: the authority asks for agreement to its terms of service' })
      .describe("Whoever writes `true` agrees to the authority's terms of service."),
    email: z
      .string()
      .regex(/^[^\s@<>,;:"]{1,64}@[A-Za-z0-9.-]{1,190}$/, 'is not an email address')
      .optional()
      .describe('Where the authority may write. Default: nowhere.'),
    challenge: z
      .enum(['tls-alpn-01', 'http-01'])
      .prefault('tls-alpn-01')
      .describe(
        'How the names are shown to be held: `tls-alpn-01` on port 443 of this listener, `http-01` on port 80, by its `redirectFrom`.',
      ),
    authorities: z
      .array(authority)
      .min(1, "is empty; leave it out for Let's Encrypt")
      .max(5)
      .optional()
      .describe("Authorities, in the order in which they are asked. Default: Let's Encrypt."),
    staging: z
      .boolean()
      .prefault(false)
      .describe(
        "Order from Let's Encrypt's staging: certificates that no client trusts, under generous limits, for trying out.",
      ),
    folder: file.prefault('certs/acme').describe('Folder of the certificates and account keys.'),
    sharedSecret: secret
      .optional()
      .describe(
        'Seals what nodes share through Redis (challenges, certificates with their keys); 32 characters or more, the same on every node. Required where `limits.store.redis` is set.',
      ),
  })
  .optional()
  .describe('Order this certificate from an authority by ACME (RFC 8555), and renew it. Default: nothing is ordered.')
