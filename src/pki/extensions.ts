/** Extensions of certificates and signing requests (RFC 5280, 4.2), as DER. They know no key. */
import { isIPv4, isIPv6 } from 'node:net'
import { element, oid, sequence } from './der.ts'

const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  sequence(oid(id), ...(critical ? [element(0x01, Buffer.from([0xff]))] : []), element(0x04, value))

/** subjectAltName: DNS names and IP addresses. */
export function alternativeNames(names: readonly string[]): Buffer {
  const entries = names.map((name) => {
    const address = addressBytes(name)
    return address === null ? element(0x82, Buffer.from(name, 'latin1')) : element(0x87, address)
  })
  return extension('551d11', false, sequence(...entries))
}

/** Not an authority; signs handshakes; a server's. */
export function serverExtensions(names: readonly string[]): Buffer[] {
  return [
    extension('551d13', true, sequence()), // basicConstraints
    extension('551d0f', true, element(0x03, Buffer.from([7, 0x80]))), // keyUsage: digitalSignature
    extension('551d25', false, sequence(oid('2b06010505070301'))), // extKeyUsage: serverAuth
    alternativeNames(names),
  ]
}

/** id-pe-acmeIdentifier (RFC 8737, 3): SHA-256 of the key authorisation. */
export function acmeIdentifier(digest: Buffer): Buffer {
  return extension('2b0601050507011f', true, element(0x04, digest))
}

/** Null for what is no address. */
function addressBytes(name: string): Buffer | null {
  if (isIPv4(name)) return Buffer.from(name.split('.').map(Number))
  if (!isIPv6(name)) return null
  const [left, right] = new URL(`http://[${name}]/`).hostname.slice(1, -1).split('::')
  const groups = (half: string | undefined): number[] =>
    half === undefined || half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16))
  const [before, after] = [groups(left), groups(right)]
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}
