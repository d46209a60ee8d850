import { execFile } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { ConfigurationError } from '../../src/errors.ts'
import { loadCertificates } from '../../src/listen/certificates.ts'
import { ensureSelfSigned, isSelfSignedAllowed } from '../../src/listen/self-signed.ts'
import { makeCertificate, writePair } from '../kit/certificates.ts'

const DAY_MS = 86_400_000

t.test('a missing pair is made, private, and good enough for the gateway itself', (t) => {
  const folder = join(t.testdir(), 'a', 'certs')
  const pair = ensureSelfSigned(folder)
  t.equal(pair.made, true)
  t.equal(statSync(pair.key).mode & 0o777, 0o600)
  t.equal(statSync(folder).mode & 0o777, 0o700)
  t.strictSame(readdirSync(folder).sort(), ['localhost.key', 'localhost.pem'], 'nothing is left behind')
  const config = { certificates: [pair], profile: 'modern' as const, selfSigned: false }
  const [one] = loadCertificates(config, () => '', 'public')
  t.strictSame(one!.names, ['localhost', '127.0.0.1', '::1'])
  const certificate = new X509Certificate(readFileSync(pair.cert))
  t.equal(certificate.ca, false)
  t.strictSame(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1'])
  t.equal(certificate.verify(certificate.publicKey), true)
  t.strictSame(certificate.publicKey.asymmetricKeyDetails, { namedCurve: 'prime256v1' })
  t.ok(certificate.validToDate.getTime() - certificate.validFromDate.getTime() <= 397 * DAY_MS)
  t.ok(certificate.validFromDate.getTime() < Date.now())
  t.equal(pair.expiresAt.getTime(), certificate.validToDate.getTime())
  t.end()
})

t.test('openssl finds no fault in it', async (t) => {
  const { cert } = ensureSelfSigned(t.testdir())
  try {
    const { stdout } = await promisify(execFile)('openssl', [
      'verify',
      '-x509_strict',
      '-purpose',
      'sslserver',
      '-CAfile',
      cert,
      cert,
    ])
    t.match(stdout, /: OK/)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    t.comment('openssl is not on this machine')
  }
})

t.test('a sound pair is kept', (t) => {
  const folder = t.testdir()
  const first = ensureSelfSigned(folder)
  const before = readFileSync(first.key, 'utf8')
  const second = ensureSelfSigned(folder)
  t.strictSame(second, { ...first, made: false })
  t.equal(readFileSync(first.key, 'utf8'), before)
  t.end()
})

t.test('it is made anew in its last 7 days, with a new key', async (t) => {
  for (const [days, anew] of [
    [6, true],
    [-1, true],
    [8, false],
  ] as const) {
    const folder = t.testdir()
    const old = await makeCertificate({ subject: 'O=portcullis self-signed, CN=localhost', from: -30, to: days })
    const { key } = writePair(folder, 'localhost', old)
    const pair = ensureSelfSigned(folder)
    t.equal(pair.made, anew, `${days} days left`)
    t.equal(readFileSync(key, 'utf8') !== old.key, anew)
  }
})

t.test('an own pair that is broken is made anew', (t) => {
  const breaks: [string, (key: string) => void][] = [
    ['damaged key', (key) => writeFileSync(key, 'x')],
    ['open key', (key) => chmodSync(key, 0o644)],
  ]
  for (const [name, damage] of breaks) {
    const folder = t.testdir()
    const { key } = ensureSelfSigned(folder)
    damage(key)
    t.equal(ensureSelfSigned(folder).made, true, name)
    t.equal(ensureSelfSigned(folder).made, false, name)
    t.equal(statSync(key).mode & 0o777, 0o600, name)
  }
  const folder = t.testdir({ one: {}, two: {} })
  const one = ensureSelfSigned(join(folder, 'one'))
  const two = ensureSelfSigned(join(folder, 'two'))
  writeFileSync(one.key, readFileSync(two.key))
  t.equal(ensureSelfSigned(join(folder, 'one')).made, true, 'key of another')
  const certificate = new X509Certificate(readFileSync(one.cert))
  t.equal(certificate.checkPrivateKey(createPrivateKey(readFileSync(one.key))), true)
  t.end()
})

t.test("somebody's own files under these names are never touched", async (t) => {
  const folder = t.testdir()
  const own = await makeCertificate({ subject: 'CN=localhost', from: -30, to: -1 })
  const pair = writePair(folder, 'localhost', own)
  t.equal(ensureSelfSigned(folder).made, false, 'expired, and the loading will say so')
  t.equal(readFileSync(pair.cert, 'utf8'), own.cert)

  const lone = t.testdir({ 'localhost.key': 'precious' })
  t.throws(() => ensureSelfSigned(lone), { name: 'ConfigurationError', message: /stands there without/ })
  t.equal(readFileSync(join(lone, 'localhost.key'), 'utf8'), 'precious')

  const damaged = t.testdir({ 'localhost.key': 'k', 'localhost.pem': 'c' })
  t.throws(() => ensureSelfSigned(damaged), { name: 'ConfigurationError', message: /is damaged; delete it/ })
})

t.test('a folder that cannot be made is a clear error', (t) => {
  const file = join(t.testdir({ certs: 'a file' }), 'certs')
  t.throws(() => ensureSelfSigned(file), ConfigurationError)
  t.throws(() => ensureSelfSigned(join(file, 'deeper')), { message: /the self-signed certificate cannot be made/ })
  t.end()
})

t.test('several processes at once make one pair', async (t) => {
  const folder = t.testdir()
  const code = `import { ensureSelfSigned } from ${JSON.stringify(join(import.meta.dirname, '../../src/listen/self-signed.ts'))}
    console.log(ensureSelfSigned(${JSON.stringify(folder)}).made)`
  const runs = Array.from({ length: 4 }, () =>
    promisify(execFile)(process.execPath, ['--input-type=module-typescript', '--eval', code]),
  )
  const said = (await Promise.all(runs)).map(({ stdout }) => stdout.trim())
  t.strictSame(said.sort(), ['false', 'false', 'false', 'true'])
  t.equal(ensureSelfSigned(folder).made, false, 'and it fits together')
})

t.test('the lock of a process that died is taken over', (t) => {
  const folder = t.testdir()
  const lock = join(folder, '.localhost.lock')
  mkdirSync(lock)
  const past = Date.now() / 1000 - 60
  utimesSync(lock, past, past)
  t.equal(ensureSelfSigned(folder).made, true)
  t.equal(existsSync(lock), false)
  t.end()
})

t.test('it stays on loopback unless the words are written out', (t) => {
  for (const address of ['127.0.0.1', '127.8.9.1', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1']) {
    t.equal(isSelfSignedAllowed(address, { selfSigned: false }), true, address)
  }
  for (const address of ['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', '::ffff:10.0.0.1', 'fe80::1', 'localhost', '']) {
    t.equal(isSelfSignedAllowed(address, { selfSigned: false }), false, address)
    t.equal(isSelfSignedAllowed(address, { selfSigned: true }), true, address)
  }
  t.end()
})
