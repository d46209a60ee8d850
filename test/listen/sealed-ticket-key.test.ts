/** A sealed key opens with the secret it was sealed with, at its place, in its period, unchanged; and never else. */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { TICKET_KEY_BYTES, TicketKeySeal } from '../../src/listen/sealed-ticket-key.ts'

const SECRET = 'a secret of thirty-two characters'
const PLACE = 'portcullis:tickets:public:3600000'
const KEY = randomBytes(TICKET_KEY_BYTES)
const sealed = new TicketKeySeal(SECRET, PLACE).seal(KEY, 7)
const open = (text: string, period = 7) => new TicketKeySeal(SECRET, PLACE).open(text, period)
const changed = (change: (members: Record<string, unknown>) => void): string => {
  const members = JSON.parse(sealed) as Record<string, unknown>
  change(members)
  return JSON.stringify(members)
}

t.test('what was sealed opens, and shows nothing of the key but its public name', async (t) => {
  t.ok(KEY.equals(open(sealed) as Buffer))
  t.match(sealed, KEY.toString('hex', 0, 16))
  for (const part of [KEY.subarray(16, 32), KEY.subarray(32)]) {
    for (const coding of ['hex', 'base64', 'latin1'] as const)
      t.notOk(sealed.includes(part.toString(coding).slice(0, 14)))
  }
  t.not(new TicketKeySeal(SECRET, PLACE).seal(KEY, 7), sealed, 'no nonce twice')
})

t.test('another secret, place or period: refused, each by its name', async (t) => {
  t.equal(new TicketKeySeal('another one of thirty-two letters', PLACE).open(sealed, 7), 'other-secret')
  for (const place of [
    'other:tickets:public:3600000',
    'portcullis:tickets:agents:3600000',
    'portcullis:tickets:public:1',
  ]) {
    t.equal(new TicketKeySeal(SECRET, place).open(sealed, 7), 'other-place', place)
  }
  t.equal(open(sealed, 8), 'other-period', 'an older one, put back')
  t.equal(open(sealed, 6), 'other-period')
})

t.test('who writes what should stand there changes the seal', async (t) => {
  t.equal(
    open(
      changed((each) => (each.period = 8)),
      8,
    ),
    'tampered',
  )
  t.equal(open(changed((each) => (each.name = '00'.repeat(16)))), 'tampered')
  const foreign = new TicketKeySeal(SECRET, 'other:tickets:public:3600000').seal(KEY, 7)
  t.equal(open(JSON.stringify({ ...JSON.parse(foreign), place: PLACE })), 'tampered', 'of another prefix')
  const stranger = new TicketKeySeal('another one of thirty-two letters', PLACE).seal(KEY, 7)
  t.equal(open(JSON.stringify({ ...JSON.parse(stranger), secret: JSON.parse(sealed).secret })), 'tampered')
})

t.test('any byte changed, any text: refused, and nothing throws', async (t) => {
  const bytes = Buffer.from(JSON.parse(sealed).sealed as string, 'base64')
  for (let at = 0; at < bytes.length; at++) {
    const other = Buffer.from(bytes)
    other[at]! ^= 1 << (at % 8)
    t.equal(open(changed((each) => (each.sealed = other.toString('base64')))), 'tampered', `byte ${at}`)
  }
  for (const length of [0, 1, bytes.length - 1, bytes.length + 1]) {
    const other = Buffer.concat([bytes, bytes]).subarray(0, length).toString('base64')
    t.equal(open(changed((each) => (each.sealed = other))), 'malformed', `${length} bytes`)
  }
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), fc.constant(' '.repeat(2000))), (text) => open(text) === 'malformed'),
    { seed: 9, numRuns: 2000 },
  )
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.string({ minLength: 1, maxLength: 3 }), (at, put) => {
      const text = sealed.slice(0, at) + put + sealed.slice(at + put.length)
      const opened = open(text)
      // JSON may spell the same in two ways; never another key.
      return typeof opened === 'string' || KEY.equals(opened)
    }),
    { seed: 9, numRuns: 3000 },
  )
})
