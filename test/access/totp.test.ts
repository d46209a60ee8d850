import t from 'tap'
import { readSecondFactor, recoveryHash } from '../../src/access/second-factor.ts'
import { codeAt, enrol, otpauthUri, STEP_MS } from '../../src/access/totp.ts'

// RFC 6238, appendix B, to six digits.
t.test('the codes are those of RFC 6238', (t) => {
  const sha1 = { secret: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ', algorithm: 'sha1' } as const
  const sha256 = { secret: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA', algorithm: 'sha256' } as const
  for (const [seconds, one, two] of [
    [59, '287082', '119246'],
    [1_111_111_109, '081804', '084774'],
    [1_111_111_111, '050471', '062674'],
    [1_234_567_890, '005924', '819424'],
    [2_000_000_000, '279037', '698825'],
    [20_000_000_000, '353130', '737706'],
  ] as const) {
    const step = Math.floor((seconds * 1000) / STEP_MS)
    t.equal(codeAt(sha1, step), one)
    t.equal(codeAt(sha256, step), two)
  }
  t.end()
})

t.test('an enrolment is a fresh secret, and recovery codes that are stored hashed', (t) => {
  const one = enrol()
  t.match(one.factor.secret, /^[A-Z2-7]{32}$/)
  t.not(enrol().factor.secret, one.factor.secret)
  t.equal(new Set(one.recoveryCodes).size, 8)
  for (const code of one.recoveryCodes) {
    t.match(code, /^([2-9A-HJKMNP-Z]{4}-){3}[2-9A-HJKMNP-Z]{4}$/)
    t.ok(one.factor.recovery.includes(recoveryHash(code.toLowerCase().replaceAll('-', ' '))), 'however it is typed')
  }
  t.same(readSecondFactor(one.factor), one.factor)
  t.equal(
    otpauthUri(one.factor, 'portcullis', 'zo\u00eb@x'),
    `otpauth://totp/portcullis:zo%C3%AB%40x?secret=${one.factor.secret}&issuer=portcullis&algorithm=SHA1&digits=6&period=30`,
  )
  t.end()
})
