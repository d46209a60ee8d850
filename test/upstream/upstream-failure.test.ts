/** Which failure of the table each error of the network is, and above all: which may be tried again. */
import t from 'tap'
import { upstreamFailure } from '../../src/upstream/upstream-failure.ts'

const error = (code: string, name = 'Error'): Error => Object.assign(new Error('detail'), { code, name })

t.test('before anything was sent, another try is safe', async (t) => {
  for (const [code, expected] of [
    ['ECONNREFUSED', 'upstream-unreachable'],
    ['EHOSTUNREACH', 'upstream-unreachable'],
    ['ENOTFOUND', 'upstream-unreachable'],
    ['ECONNRESET', 'upstream-unreachable'],
    ['EPIPE', 'upstream-unreachable'],
    ['ETIMEDOUT', 'upstream-connect-timeout'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'upstream-untrusted'],
    ['CERT_HAS_EXPIRED', 'upstream-untrusted'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'upstream-untrusted'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'upstream-untrusted'],
    ['CERT_REVOKED', 'upstream-untrusted'],
    ['CRL_HAS_EXPIRED', 'upstream-untrusted'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'upstream-unreachable'],
    ['SOMETHING_NEW', 'upstream-unreachable'],
  ] as const) {
    const failure = upstreamFailure(error(code), false)
    t.equal(failure.code, expected, code)
    t.equal(failure.retry, true, code)
  }
})

t.test('after it, no error of the network says that it is safe', async (t) => {
  for (const code of [
    ...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'ECONNRESET', 'EPIPE', 'ENOTFOUND'],
    ...['EADDRNOTAVAIL', 'ENOENT', 'SOMETHING_NEW', ''],
  ]) {
    const failure = upstreamFailure(error(code), true)
    t.equal(failure.retry, false, code)
    t.equal(failure.fault, 'upstream', code)
  }
})

t.test('the cause is kept for the log, and only its code is said', async (t) => {
  const cause = error('ECONNRESET')
  const failure = upstreamFailure(cause, true)
  t.equal(failure.cause, cause)
  t.equal(failure.detail, 'ECONNRESET')
})
