import fc from 'fast-check'
import t from 'tap'
import { readCredentials } from '../../src/access/credentials.ts'

const encode = (text: string | Buffer) => Buffer.from(text as string).toString('base64')
const read = (value: string) => readCredentials(['authorization', value])

t.test('user and password are read; the password may hold colons', (t) => {
  t.same(read(`Basic ${encode('ada:pass:word')}`), { user: 'ada', password: 'pass:word' })
  t.same(read(`bAsIc   ${encode('ada:pass')}`), { user: 'ada', password: 'pass' })
  t.same(read('Basic dGVzdDoxMjPCow=='), { user: 'test', password: '123\u00a3' }, 'the example of RFC 7617, 2.1')
  t.same(
    read(`Basic ${encode('u\u0308ber:gru\u0308n')}`),
    { user: '\u00fcber', password: 'gr\u00fcn' },
    'one normal form',
  )
  t.same(read(`Basic ${encode(`${'\u{1f600}'.repeat(32)}:${'p'.repeat(1024)}`)}`), {
    user: '\u{1f600}'.repeat(32),
    password: 'p'.repeat(1024),
  })
  t.end()
})

t.test('no field, and two of them', (t) => {
  t.equal(readCredentials([]), 'missing')
  const one = `Basic ${encode('ada:pass')}`
  t.equal(readCredentials(['authorization', one, 'authorization', one]), 'repeated')
  t.equal(readCredentials(['authorization', one, 'x', 'y', 'authorization', '']), 'repeated')
  t.end()
})

t.test('what is not acceptable Basic is malformed', (t) => {
  const table: [string, string][] = [
    ['empty', ''],
    ['other scheme', 'Bearer abc'],
    ['digest', 'Digest username="ada"'],
    ['scheme only', 'Basic'],
    ['scheme and space', 'Basic '],
    ['no space', `Basic${encode('ada:pass')}`],
    ['tab', `Basic\t${encode('ada:pass')}`],
    ['many spaces', `Basic      ${encode('ada:pass')}`],
    ['something behind', `Basic ${encode('ada:pass')} x`],
    ['a parameter behind', `Basic ${encode('ada:pass')}, realm="x"`],
    ['not base64', 'Basic ada:pass'],
    ['base64url', `Basic ${encode(Buffer.from([0x61, 0x3a, 0xc3, 0xbf, 0xc3, 0xbf])).replace(/[+/]/g, '_')}`],
    ['no padding', `Basic ${encode('ada:pas').replace(/=+$/, '')}!`],
    ['wrong padding', `Basic ${encode('ada:pass').slice(0, -1)}`],
    ['spare bits', 'Basic YWRhOnBhc3N=='],
    ['no colon', `Basic ${encode('adapass')}`],
    ['no user', `Basic ${encode(':pass')}`],
    ['no password', `Basic ${encode('ada:')}`],
    ['NUL in the user', `Basic ${encode('a\0da:pass')}`],
    ['line break in the user', `Basic ${encode('ada\r\nx:pass')}`],
    ['escape in the user', `Basic ${encode('ada\x1b[2J:pass')}`],
    ['C1 control in the user', `Basic ${encode('ada\u0085:pass')}`],
    ['DEL in the password', `Basic ${encode('ada:pa\x7fss')}`],
    ['invalid UTF-8', `Basic ${encode(Buffer.from([0x61, 0x3a, 0xff]))}`],
    ['overlong UTF-8', `Basic ${encode(Buffer.from([0x61, 0x3a, 0xc0, 0xaf]))}`],
    ['surrogate', `Basic ${encode(Buffer.from([0x61, 0x3a, 0xed, 0xa0, 0x80]))}`],
    ['user too long', `Basic ${encode(`${'a'.repeat(65)}:pass`)}`],
    ['password too long', `Basic ${encode(`ada:${'p'.repeat(1025)}`)}`],
    ['endless', `Basic ${'A'.repeat(1_000_000)}`],
  ]
  for (const [about, value] of table) t.equal(read(value), 'malformed', about)
  t.end()
})

t.test('whatever bytes come, the reader does not throw, and gives back only what was sent', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const found = read(`Basic ${encode(Buffer.from(bytes))}`)
      if (typeof found === 'string') return true
      return Buffer.from(bytes).toString('utf8').normalize('NFC') === `${found.user}:${found.password}`
    }),
    { seed: 3, numRuns: 1000 },
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      read(value)
      return true
    }),
    { seed: 4, numRuns: 500 },
  )
  t.end()
})
