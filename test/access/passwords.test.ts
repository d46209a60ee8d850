import { argon2Sync } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { hashPassword, isOutdated, unmatchableHash, verifyPassword } from '../../src/access/passwords.ts'
import { DEFAULT_COST, parseHash } from '../../src/access/scheme.ts'

const SALT = 'MDEyMzQ1Njc4OWFiY2RlZg' // 16 bytes
const TAG = 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY' // 32 bytes

t.test('a hash is argon2id with the parameters of OWASP and verifies only its own password', async (t) => {
  const hash = await hashPassword('Correct horse 7 battery')
  t.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  t.equal(await verifyPassword(hash, 'Correct horse 7 battery'), true)
  t.equal(await verifyPassword(hash, 'Correct horse 7 batterz'), false)
  t.equal(await verifyPassword(hash, ''), false)
  t.not(await hashPassword('Correct horse 7 battery'), hash, 'salted')
})

t.test('a hash made elsewhere verifies', async (t) => {
  const salt = Buffer.from(SALT, 'base64')
  const parameters = { message: 'pass word', nonce: salt, parallelism: 2, tagLength: 32, memory: 8192, passes: 5 }
  const tag = argon2Sync('argon2id', parameters).toString('base64').replace(/=+$/, '')
  t.equal(await verifyPassword(`$argon2id$v=19$m=8192,t=5,p=2$${SALT}$${tag}`, 'pass word'), true)
})

t.test('the same password typed composed and decomposed is the same', async (t) => {
  const hash = await hashPassword('Gr\u00fc\u00dfe 1234567')
  t.equal(await verifyPassword(hash, 'Gru\u0308\u00dfe 1234567'), true)
})

const REFUSED: [string, string][] = [
  ['clear text', 'hunter2hunter2'],
  ['empty', ''],
  ['half a bcrypt hash', '$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lru'],
  ['bcrypt with cost 4', '$2b$04$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW'],
  ['bcrypt with cost 31', '$2b$31$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW'],
  ['the broken bcrypt', '$2x$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW'],
  ['md5 crypt', '$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/'],
  ['sha512 crypt', '$6$saltsalt$abcdefghijklmnopqrstuvwxyz'],
  ['des crypt', 'rqXexS6ZhobKA'],
  ['a bare digest', '5f4dcc3b5aa765d61d8327deb882cf99'],
  ['apr1', '$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/'],
  ['sha1 htpasswd', '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g='],
  ['argon2i', `$argon2i$v=19$m=19456,t=2,p=1$${SALT}$${TAG}`],
  ['argon2d', `$argon2d$v=19$m=19456,t=2,p=1$${SALT}$${TAG}`],
  ['no version', `$argon2id$m=19456,t=2,p=1$${SALT}$${TAG}`],
  ['old version', `$argon2id$v=16$m=19456,t=2,p=1$${SALT}$${TAG}`],
  ['4 GiB', `$argon2id$v=19$m=4194304,t=1,p=1$${SALT}$${TAG}`],
  ['just over the most memory', `$argon2id$v=19$m=262145,t=1,p=1$${SALT}$${TAG}`],
  ['memory and passes together too dear', `$argon2id$v=19$m=262144,t=5,p=1$${SALT}$${TAG}`],
  ['too many passes', `$argon2id$v=19$m=19456,t=17,p=1$${SALT}$${TAG}`],
  ['endless passes', `$argon2id$v=19$m=19456,t=4294967295,p=1$${SALT}$${TAG}`],
  ['too many lanes', `$argon2id$v=19$m=19456,t=2,p=5$${SALT}$${TAG}`],
  ['no lane', `$argon2id$v=19$m=19456,t=2,p=0$${SALT}$${TAG}`],
  ['no pass', `$argon2id$v=19$m=19456,t=0,p=1$${SALT}$${TAG}`],
  ['tiny memory', `$argon2id$v=19$m=8,t=2,p=1$${SALT}$${TAG}`],
  ['weak memory with many passes', `$argon2id$v=19$m=4096,t=16,p=1$${SALT}$${TAG}`],
  ['one pass too few', `$argon2id$v=19$m=19456,t=1,p=1$${SALT}$${TAG}`],
  ['leading zeros', `$argon2id$v=19$m=019456,t=2,p=1$${SALT}$${TAG}`],
  ['hexadecimal', `$argon2id$v=19$m=0x4c00,t=2,p=1$${SALT}$${TAG}`],
  ['negative', `$argon2id$v=19$m=-19456,t=2,p=1$${SALT}$${TAG}`],
  ['other order', `$argon2id$v=19$t=2,m=19456,p=1$${SALT}$${TAG}`],
  ['more parameters', `$argon2id$v=19$m=19456,t=2,p=1,keyid=abc$${SALT}$${TAG}`],
  ['short salt', `$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc$${TAG}`],
  ['short tag', `$argon2id$v=19$m=19456,t=2,p=1$${SALT}$MDEyMzQ1Njc4OWFiY2RlZg`],
  ['padded', `$argon2id$v=19$m=19456,t=2,p=1$${SALT}==$${TAG}=`],
  ['base64 with spare bits', `$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZh$${TAG}`],
  ['base64url', `$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2Rl-_$${TAG}`],
  ['no tag', `$argon2id$v=19$m=19456,t=2,p=1$${SALT}`],
  ['something behind', `$argon2id$v=19$m=19456,t=2,p=1$${SALT}$${TAG}$x`],
  ['a line break behind', `$argon2id$v=19$m=19456,t=2,p=1$${SALT}$${TAG}\n`],
  ['endless', `$argon2id$v=19$m=19456,t=2,p=1$${SALT}$${'A'.repeat(100_000)}`],
]

t.test('hashes that are refused, and why', async (t) => {
  for (const [about, hash] of REFUSED) {
    const said = parseHash(hash)
    t.type(said, 'string', about)
    if (hash !== '') t.notOk(String(said).includes(hash), `${about}: the hash is not repeated`)
    t.equal(await verifyPassword(hash, hash), false, `${about}: right for nothing`)
  }
})

t.test('every parameter set that OWASP lists is accepted, and the bounds themselves', (t) => {
  for (const parameters of [
    'm=47104,t=1',
    'm=19456,t=2',
    'm=12288,t=3',
    'm=9216,t=4',
    'm=7168,t=5',
    'm=262144,t=4',
    'm=65536,t=16',
  ]) {
    t.type(parseHash(`$argon2id$v=19$${parameters},p=1$${SALT}$${TAG}`), 'object', parameters)
  }
  t.end()
})

t.test('a password that is empty or too long is refused, not cut', async (t) => {
  await t.rejects(hashPassword(''), { name: 'ConfigurationError' })
  await t.rejects(hashPassword('x'.repeat(1025)), { name: 'ConfigurationError' })
  await t.rejects(hashPassword('\u20ac'.repeat(342)), { name: 'ConfigurationError' })
  const hash = await hashPassword('x'.repeat(1024))
  t.equal(await verifyPassword(hash, 'x'.repeat(1024)), true)
  t.equal(await verifyPassword(hash, 'x'.repeat(1025)), false)
})

t.test('a hash for unknown users costs the same and is matched by nothing', async (t) => {
  const hash = unmatchableHash(DEFAULT_COST)
  const parsed = parseHash(hash)
  if (typeof parsed === 'string') return t.fail(parsed)
  t.match(parsed, DEFAULT_COST)
  t.not(unmatchableHash(DEFAULT_COST), hash)
  for (const guess of ['', 'password', hash]) t.equal(await verifyPassword(hash, guess), false)
})

t.test('no text makes the reader of hashes throw, and none is repeated', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const said = parseHash(`$argon2id$v=19${text}`)
      return typeof said === 'object' || text.length < 8 || !said.includes(text)
    }),
    { seed: 7, numRuns: 500 },
  )
  t.end()
})

t.test('weak schemes are refused by their name', (t) => {
  for (const [hash, name] of [
    ['{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', /\{SHA\}/],
    ['$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/', /apr1: MD5/],
    ['$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/', /MD5 crypt/],
    ['rqXexS6ZhobKA', /DES crypt/],
    ['{PLAIN}secret', /clear text/],
    ['5f4dcc3b5aa765d61d8327deb882cf99', /bare digest/],
    ['$6$saltsalt$abcdefghijklmnopqrstuvwxyz', /SHA-512 crypt/],
  ] as const) {
    t.match(parseHash(hash), name)
  }
  t.end()
})

// A well-known test vector.
const BCRYPT = '$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW'

t.test('bcrypt is read, checked beside the event loop, and known to be outdated', async (t) => {
  t.match(parseHash(BCRYPT), { scheme: 'bcrypt', cost: 12 })
  t.equal(await verifyPassword(BCRYPT, 'secret'), true)
  t.equal(await verifyPassword(BCRYPT.replace('$2b$', '$2y$'), 'secret'), true)
  t.equal(await verifyPassword(BCRYPT, 'Secret'), false)
  t.equal(await verifyPassword(BCRYPT, 'x'.repeat(73)), false, 'what bcrypt would cut is never right')
  t.equal(isOutdated(BCRYPT, DEFAULT_COST), true)
  t.equal(isOutdated(unmatchableHash(DEFAULT_COST), DEFAULT_COST), false)
  t.equal(isOutdated(unmatchableHash(DEFAULT_COST), { ...DEFAULT_COST, passes: 3 }), true)
})
