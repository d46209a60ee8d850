/** Finds the admin listener's address in a file that may be wrong otherwise: a health check must not fail for that. */
import { addressText, parseAddress } from './addresses.ts'
import { ConfigDocument } from './document.ts'
import { readBounded } from './file-reader.ts'

const DEFAULT = '127.0.0.1:9900'

/** `127.0.0.1:9900`, `[::1]:9900`; the default where the file does not say. */
export function readAdminAddress(path: string): string {
  const bytes = readBounded(path, { maxBytes: 4 * 1024 ** 2, isSecret: false })
  if (typeof bytes === 'string') return DEFAULT
  const document = new ConfigDocument(bytes.toString('utf8').replace(/^\ufeff/, ''))
  const text = document.valueAt(['listeners', 'admin', 'address'])
  const address = typeof text === 'string' ? parseAddress(text) : null
  return address === null ? DEFAULT : addressText(address)
}
