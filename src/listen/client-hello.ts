/** Reads of a ClientHello only whether it is an authority's challenge (RFC 8737, 3). It knows no socket, and answers nothing. */

const HANDSHAKE = 22
const CLIENT_HELLO = 1
const ALPN = 16
const MOST_RECORD = 16_384
/** The list of exactly one protocol: `acme-tls/1`. */
const ACME_TLS = Buffer.from('\x00\x0b\x0aacme-tls/1', 'latin1')

/** The first bytes of a connection: `more` are needed, or they are a challenge, or they are not. One record at most is read. */
export function readHello(bytes: Buffer): 'more' | 'challenge' | 'other' {
  if (bytes.length > 0 && bytes[0] !== HANDSHAKE) return 'other'
  if (bytes.length < 5) return 'more'
  const end = 5 + bytes.readUInt16BE(3)
  if (end > 5 + MOST_RECORD) return 'other'
  if (bytes.length < end) return 'more'
  return isChallenge(bytes.subarray(5, end)) ? 'challenge' : 'other'
}

function isChallenge(hello: Buffer): boolean {
  // Type and length, version, random (RFC 8446, 4.1.2).
  let at = 4 + 2 + 32
  if (hello[0] !== CLIENT_HELLO || hello.length <= at) return false
  at += 1 + hello[at]! // session id
  if (at + 2 > hello.length) return false
  at += 2 + hello.readUInt16BE(at) // cipher suites
  if (at >= hello.length) return false
  at += 1 + hello[at]! // compression methods
  if (at + 2 > hello.length) return false
  const end = Math.min(hello.length, at + 2 + hello.readUInt16BE(at))
  at += 2
  while (at + 4 <= end) {
    const value = at + 4
    const next = value + hello.readUInt16BE(at + 2)
    if (next > end) return false
    if (hello.readUInt16BE(at) === ALPN) return hello.subarray(value, next).equals(ACME_TLS)
    at = next
  }
  return false
}
