/** The settings of a forward proxy on the way to a service. It knows no service. */
import { z } from 'zod'
import { file, secret } from './shape-terms.ts'

const url = z
  .string()
  .refine((text) => {
    if (!URL.canParse(text)) return false
    const { protocol, pathname, search, hash, username, password, port } = new URL(text)
    const isPlain = `${search}${hash}${username}${password}` === '' && pathname === '/' && !text.endsWith('?')
    return (protocol === 'http:' || protocol === 'https:') && isPlain && (port !== '' || /:(?:80|443)\/?$/.test(text))
  }, 'is not the URL of a proxy; write scheme, host and port only, for example "http://proxy:3128"; user and password belong into "auth"')
  .meta({ title: 'URL' })

export const proxy = z
  .strictObject({
    url: url.describe('Where the proxy is; `https` for TLS to the proxy.'),
    auth: z
      .strictObject({
        user: z
          .string()
          .min(1)
          .max(256)
          .regex(/^[^:\x00-\x1f\x7f]+$/, 'has a colon or control characters, which Basic authentication cannot carry')
          .meta({ title: 'user' })
          .describe('Name of the user.'),
        password: secret.describe('Its password.'),
      })
      .optional()
      .describe('Basic authentication at the proxy.'),
    ca: file
      .optional()
      .describe('PEM file of the authorities that may have signed the proxy certificate; default: the public ones.'),
  })
  .optional()
  .describe(
    'Explicit forward proxy (HTTP CONNECT) on the way to every endpoint. No connection is opened past it, and names are resolved by it.',
  )
