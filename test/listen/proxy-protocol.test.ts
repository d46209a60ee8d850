/** The header of the PROXY protocol as HAProxy's specification writes it: what is read, what is refused, and how soon. */
import fc from 'fast-check'
import t from 'tap'
import { MAX_PROXY_HEADER_BYTES, readProxyHeader } from '../../src/listen/proxy-protocol.ts'
import { binaryHeader, crc32c, crcField, ipv4Block, ipv6Block } from '../kit/proxy-header.ts'

const line = (text: string): Buffer => Buffer.from(`PROXY ${text}\r\n`, 'latin1')

const LEGAL: readonly [string, Buffer, string, number][] = [
  ['TCP4', line('TCP4 192.0.2.7 198.51.100.1 56324 443'), '192.0.2.7', 443],
  ['TCP4, longest', line('TCP4 255.255.255.255 255.255.255.255 65535 65535'), '255.255.255.255', 65535],
  ['TCP4, port 0', line('TCP4 192.0.2.7 198.51.100.1 0 0'), '192.0.2.7', 0],
  ['TCP6', line('TCP6 2001:DB8:0::7 2001:db8::1 4124 443'), '2001:db8::7', 443],
  ['TCP6, mapped as inet_ntop writes it', line('TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 1 443'), '192.0.2.7', 443],
  [
    'TCP6, longest',
    line(`TCP6 ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535`),
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    65535,
  ],
  ['UNKNOWN, short', line('UNKNOWN'), '', 0],
  ['UNKNOWN, with what is to be ignored', line('UNKNOWN ffff::1 \0 PROXY TCP4 1.2.3.4'), '', 0],
  ['UNKNOWN, longest', line(`UNKNOWN ${'x'.repeat(91)}`), '', 0],
  ['v2 TCP over IPv4', binaryHeader(0x21, 0x11, ipv4Block('192.0.2.7', 443)), '192.0.2.7', 443],
  [
    'v2 TCP over IPv6',
    binaryHeader(0x21, 0x21, ipv6Block('20010db8000000000000000000000007', 443)),
    '2001:db8::7',
    443,
  ],
  ['v2 mapped', binaryHeader(0x21, 0x21, ipv6Block('00000000000000000000ffffc0000207', 8443)), '192.0.2.7', 8443],
  ['v2 LOCAL, empty', binaryHeader(0x20, 0x00), '', 0],
  ['v2 LOCAL, with addresses all the same', binaryHeader(0x20, 0x11, ipv4Block('192.0.2.7', 443)), '', 0],
  ['v2 LOCAL, of a family that is none', binaryHeader(0x20, 0xff, Buffer.from('anything')), '', 0],
  ['v2 UNSPEC', binaryHeader(0x21, 0x00), '', 0],
  ['v2 UNSPEC, with what is to be ignored', binaryHeader(0x21, 0x00, Buffer.from('anything')), '', 0],
  ['v2 Unix socket', binaryHeader(0x21, 0x31, Buffer.alloc(216, '/')), '', 0],
  [
    'v2 with fields that nobody knows',
    binaryHeader(0x21, 0x11, ipv4Block('192.0.2.7', 443), Buffer.from('040003abcee0ee0000', 'hex')),
    '192.0.2.7',
    443,
  ],
  [
    'v2 with its sum',
    crcField(binaryHeader(0x21, 0x11, ipv4Block('192.0.2.7', 443), Buffer.from('04000161', 'hex'))),
    '192.0.2.7',
    443,
  ],
  [
    'v2, as long as it may be',
    binaryHeader(
      0x21,
      0x11,
      ipv4Block('192.0.2.7', 443),
      Buffer.concat([Buffer.from([4, 0x0f, 0xe1]), Buffer.alloc(MAX_PROXY_HEADER_BYTES - 16 - 12 - 3)]),
    ),
    '192.0.2.7',
    443,
  ],
]

t.test('whole headers are read, and nothing behind them', (t) => {
  for (const [name, bytes, address, port] of LEGAL) {
    t.same(readProxyHeader(bytes), { used: bytes.length, address, port }, name)
    const more = Buffer.concat([bytes, Buffer.from('\x16\x03\x01 PROXY TCP4 9.9.9.9')])
    t.same(readProxyHeader(more), { used: bytes.length, address, port }, `${name}, with more behind it`)
  }
  t.end()
})

t.test('no part of a header is read as one, or refused', (t) => {
  for (const [name, bytes] of LEGAL) {
    for (let end = 0; end < bytes.length; end++) {
      const found = readProxyHeader(bytes.subarray(0, end))
      if (found !== 'more') t.fail(`${name}, cut at ${end}: ${JSON.stringify(found)}`)
    }
  }
  t.pass()
  t.end()
})

const v4 = ipv4Block('192.0.2.7', 443)
const summed = crcField(binaryHeader(0x21, 0x11, v4))
const HOSTILE: readonly [string, Buffer][] = [
  ['a request', Buffer.from('GET / HTTP/1.1\r\n')],
  ['a TLS handshake', Buffer.from('16030100', 'hex')],
  ['lower case', Buffer.from('proxy TCP4 192.0.2.7 198.51.100.1 56324 443\r\n')],
  ['white space first', Buffer.from(' PROXY UNKNOWN\r\n')],
  ['an empty line first', Buffer.from('\r\nPROXY UNKNOWN\r\n')],
  ['two spaces', line('TCP4  192.0.2.7 198.51.100.1 56324 443')],
  ['a tab', line('TCP4\t192.0.2.7 198.51.100.1 56324 443')],
  ['a space at the end', line('TCP4 192.0.2.7 198.51.100.1 56324 443 ')],
  ['something at the end', line('TCP4 192.0.2.7 198.51.100.1 56324 443 x')],
  ['bare LF', Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\n')],
  ['bare CR', Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\rx')],
  ['bare LF in UNKNOWN', Buffer.from('PROXY UNKNOWN a\nb\r\n')],
  ['no end in 107 bytes', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(93)}`)],
  ['an end one byte too late', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`)],
  ['another family', line('TCP5 192.0.2.7 198.51.100.1 56324 443')],
  ['UDP4', line('UDP4 192.0.2.7 198.51.100.1 56324 443')],
  ['unknown in lower case', line('unknown')],
  ['UNKNOWN and more', line('UNKNOWNS')],
  ['nothing', line('')],
  ['IPv6 in TCP4', line('TCP4 2001:db8::7 2001:db8::1 56324 443')],
  ['IPv4 in TCP6', line('TCP6 192.0.2.7 198.51.100.1 56324 443')],
  ['a zone', line('TCP6 fe80::1%eth0 2001:db8::1 56324 443')],
  ['a name', line('TCP4 localhost 198.51.100.1 56324 443')],
  ['an octal number', line('TCP4 192.0.02.7 198.51.100.1 56324 443')],
  ['three numbers', line('TCP4 192.0.7 198.51.100.1 56324 443')],
  ['a number over 255', line('TCP4 192.0.256.7 198.51.100.1 56324 443')],
  ['a destination that is none', line('TCP4 192.0.2.7 x 56324 443')],
  ['a port over 65535', line('TCP4 192.0.2.7 198.51.100.1 65536 443')],
  ['a port with a leading zero', line('TCP4 192.0.2.7 198.51.100.1 0443 443')],
  ['a port with a sign', line('TCP4 192.0.2.7 198.51.100.1 +443 443')],
  ['no ports', line('TCP4 192.0.2.7 198.51.100.1')],
  ['v2, last byte of the signature', Buffer.from('0d0a0d0a000d0a515549540b', 'hex')],
  ['v2, version 1', binaryHeader(0x11, 0x11, v4)],
  ['v2, version 3', binaryHeader(0x31, 0x11, v4)],
  ['v2, command 2', binaryHeader(0x22, 0x11, v4)],
  ['v2, command 15', binaryHeader(0x2f, 0x11, v4)],
  ['v2, family 4', binaryHeader(0x21, 0x41, Buffer.alloc(300))],
  ['v2, protocol 3', binaryHeader(0x21, 0x13, v4)],
  ['v2, datagrams', binaryHeader(0x21, 0x12, v4)],
  ['v2, IPv4 of no protocol', binaryHeader(0x21, 0x10, v4)],
  ['v2, IPv4 too short', binaryHeader(0x21, 0x11, v4.subarray(1))],
  ['v2, IPv6 too short', binaryHeader(0x21, 0x21, Buffer.alloc(35))],
  ['v2, Unix too short', binaryHeader(0x21, 0x31, Buffer.alloc(215))],
  ['v2, longer than it may be', binaryHeader(0x21, 0x11, v4, Buffer.alloc(MAX_PROXY_HEADER_BYTES))],
  ['v2, the longest that it could promise', Buffer.from('0d0a0d0a000d0a515549540a2000ffff', 'hex')],
  ['v2, half a field', binaryHeader(0x21, 0x11, v4, Buffer.from('0400', 'hex'))],
  ['v2, a field longer than the header', binaryHeader(0x21, 0x11, v4, Buffer.from('04000261', 'hex'))],
  ['v2, a sum that is wrong', flip(summed, 16)],
  ['v2, a sum that is changed', flip(summed, summed.length - 1)],
  ['v2, a sum of two bytes', binaryHeader(0x21, 0x11, v4, Buffer.from('0300020000', 'hex'))],
  ['v2, two sums', crcField(summed)],
]

function flip(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes)
  changed[at]! ^= 1
  return changed
}

t.test('anything else is refused', (t) => {
  for (const [name, bytes] of HOSTILE) t.equal(readProxyHeader(bytes), 'bad', name)
  t.end()
})

t.test('however it is cut, it is never taken for a header', (t) => {
  for (const [name, bytes] of HOSTILE) {
    for (let end = 0; end < bytes.length; end++) {
      const found = readProxyHeader(bytes.subarray(0, end))
      if (typeof found !== 'string') t.fail(`${name}, cut at ${end}`)
    }
  }
  t.pass()
  t.end()
})

t.test('the checksum is that of the specification', (t) => {
  t.equal(crc32c(Buffer.from('123456789')), 0xe3069283, 'the check value of CRC-32C')
  const header = crcField(binaryHeader(0x21, 0x11, v4))
  t.equal(typeof readProxyHeader(header), 'object')
  t.end()
})

t.test('whatever comes, it is settled within the bound, and settled for good', (t) => {
  const starts = [Buffer.from('PROXY '), Buffer.from('0d0a0d0a000d0a515549540a', 'hex'), Buffer.alloc(0)]
  const anything = fc
    .tuple(fc.constantFrom(...starts, ...LEGAL.map(([, bytes]) => bytes)), fc.uint8Array({ maxLength: 200 }), fc.nat())
    .map(([start, tail, at]) => {
      const bytes = Buffer.concat([start, tail])
      if (start.length > 16) bytes[at % start.length] = tail[0] ?? 0
      return bytes
    })
  fc.assert(
    fc.property(anything, fc.nat(), (bytes, cut) => {
      const whole = readProxyHeader(bytes)
      const part = readProxyHeader(bytes.subarray(0, cut % (bytes.length + 1)))
      // What was decided on a part is decided so on the whole.
      if (part === 'bad') return whole === 'bad'
      if (typeof part === 'object') return JSON.stringify(part) === JSON.stringify(whole)
      return typeof whole !== 'object' || (whole.used <= bytes.length && whole.used <= MAX_PROXY_HEADER_BYTES)
    }),
    { numRuns: 3000, seed: 5 },
  )
  fc.assert(
    fc.property(fc.constantFrom(...starts), fc.uint8Array({ minLength: 4096, maxLength: 4200 }), (start, tail) => {
      return readProxyHeader(Buffer.concat([start, tail])) !== 'more'
    }),
    { numRuns: 200, seed: 6 },
  )
  t.pass()
  t.end()
})

t.test('addresses come out as they went in', (t) => {
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 0, max: 65535 }), (address, port) => {
      const one = readProxyHeader(line(`TCP4 ${address} 192.0.2.1 1 ${port}`))
      const two = readProxyHeader(crcField(binaryHeader(0x21, 0x11, ipv4Block(address, port))))
      return (
        typeof one === 'object' &&
        typeof two === 'object' &&
        one.address === address &&
        two.address === address &&
        one.port === port &&
        two.port === port
      )
    }),
    { numRuns: 300, seed: 7 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (raw) => {
      const hex = Buffer.from(raw).toString('hex')
      const text = hex.match(/.{4}/g)!.join(':')
      const one = readProxyHeader(line(`TCP6 ${text} ::1 1 2`))
      const two = readProxyHeader(binaryHeader(0x21, 0x21, ipv6Block(hex, 2)))
      return typeof one === 'object' && typeof two === 'object' && one.address === two.address && one.address !== ''
    }),
    { numRuns: 300, seed: 8 },
  )
  t.pass()
  t.end()
})
