/** Tokens in URLs: what goes in comes out, nothing else does, and their form tells nothing. */
import fc from 'fast-check'
import t from 'tap'
import { deriveKey, idOf, KeyRing, type RingKey } from '../../src/keys/key-ring.ts'
import { looksLikeToken, MOST_VALUE_BYTES, problemOfValue, UrlTokens } from '../../src/keys/url-token.ts'

const keyOf = (seed: string): RingKey => {
  const key = deriveKey(Buffer.from(seed), 'test', 32)
  return { id: idOf(key), created: '2026-11-22T00:00:00Z', key }
}
const old = keyOf('old')
const current = keyOf('current')
const ring = new KeyRing([current, old], current)
let now = 1_790_000_000_000
const tokens = new UrlTokens(ring, () => now)
const DAY = 86_400_000
const run = { seed: 7, numRuns: 300 }

t.test('open(seal(x)) is x', async () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, maxLength: 400, unit: 'grapheme' }),
      fc.stringMatching(/^[a-z]{1,20}$/),
      (value, kind) => {
        fc.pre(problemOfValue(value) === null)
        const token = tokens.seal(kind, value, DAY)
        const reading = tokens.open(kind, token)
        return looksLikeToken(token) && reading.kind === 'valid' && reading.value === value
      },
    ),
    run,
  )
})

t.test('every bit flip is refused, and so is every cut', async (t) => {
  for (const value of ['+491701234567', 'a'.repeat(60)]) {
    const token = tokens.seal('phone', value, DAY)
    const bytes = Buffer.from(token, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      if (tokens.open('phone', bytes.toString('base64url')).kind !== 'invalid') t.fail(`bit ${bit}`)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
    }
    t.equal(tokens.open('phone', bytes.toString('base64url')).kind, 'valid')
    for (let length = 0; length < token.length; length++) {
      if (tokens.open('phone', token.slice(0, length)).kind !== 'invalid') t.fail(`cut at ${length}`)
    }
    for (const other of [`${token}A`, `${token}=`, ` ${token.slice(1)}`, token.replace(/.$/, '+')]) {
      t.equal(tokens.open('phone', other).kind, 'invalid')
    }
  }
})

t.test('anything else is no token, whatever it is', async () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String(), fc.stringMatching(/^[A-Za-z0-9_-]{104}$/)), (text) => {
      return tokens.open('phone', text).kind === 'invalid'
    }),
    run,
  )
})

t.test('a token of one kind opens as no other', async (t) => {
  const token = tokens.seal('phone', '+491701234567', DAY)
  t.equal(tokens.open('email', token).kind, 'invalid')
  t.equal(tokens.open('phon', token).kind, 'invalid')
  t.equal(tokens.open('', token).kind, 'invalid')
})

t.test('the length says nothing within a class, and the same value never looks the same', async (t) => {
  const phones = ['1', '+4917', '+491701234567', '+999123456789012', 'ä'.repeat(13)]
  t.same([...new Set(phones.map((phone) => tokens.seal('phone', phone, DAY).length))], [104])
  t.equal(new Set(Array.from({ length: 200 }, () => tokens.seal('phone', '+491701234567', DAY).slice(7))).size, 200)
  t.equal(tokens.seal('x', 'a'.repeat(27), DAY).length, 188)
  t.ok(looksLikeToken(tokens.seal('x', 'a'.repeat(MOST_VALUE_BYTES), DAY)))
  for (const bad of ['', 'a\nb', '\0', '\u0085', '\ud800', 'a'.repeat(MOST_VALUE_BYTES + 1)])
    t.type(problemOfValue(bad), 'string')
})

t.test('tokens expire', async (t) => {
  const token = tokens.seal('phone', '+491701234567', DAY)
  now += DAY - 1
  t.equal(tokens.open('phone', token).kind, 'valid')
  now += 1000
  t.equal(tokens.open('phone', token).kind, 'expired')
  now -= DAY
})

t.test('rotation breaks no link; retirement breaks those of the key', async (t) => {
  const before = new UrlTokens(new KeyRing([old], old), () => now).seal('phone', '+491701234567', DAY)
  t.equal(tokens.open('phone', before).kind, 'valid')
  t.equal(new UrlTokens(new KeyRing([current], current), () => now).open('phone', before).kind, 'invalid')
  const other = keyOf('substituted')
  t.equal(new UrlTokens(new KeyRing([other], other), () => now).open('phone', before).kind, 'invalid')
})
