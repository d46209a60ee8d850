import { createPrivateKey } from 'node:crypto'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { SecretReference, TlsConfig } from '../../src/config/shape.ts'
import { ConfigurationError } from '../../src/errors.ts'
import type { CertificatePair } from '../../src/listen/certificate-folders.ts'
import { type LoadedCertificate, loadCertificates } from '../../src/listen/certificates.ts'
import { type CertificateWish, encryptKey, makeCertificate, writePair } from '../kit/certificates.ts'

type Pair = CertificatePair

const noSecret = (): string => {
  throw new Error('no secret is expected here')
}

function load(
  pairs: Pair[],
  resolve: (reference: SecretReference) => string = noSecret,
  profile: TlsConfig['profile'] = 'intermediate',
): LoadedCertificate[] {
  return loadCertificates({ certificates: pairs, profile }, resolve, 'public')
}

function problemsOf(pairs: Pair[], resolve: (reference: SecretReference) => string = noSecret): readonly string[] {
  try {
    load(pairs, resolve)
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems
    throw error
  }
  return []
}

t.test('good pairs of every accepted kind are loaded', async (t) => {
  for (const kind of ['P-256', 'P-384', 'P-521', 'Ed25519', 'RSA-2048'] as const) {
    const made = await makeCertificate({ kind, names: ['Chat.example.com', '*.example.org', '127.0.0.1', '::1'] })
    const pair = writePair(t.testdir(), kind, made)
    const [one] = load([pair])
    t.strictSame(one!.names, ['chat.example.com', '*.example.org', '127.0.0.1', '::1'], kind)
    t.equal(one!.certFile, pair.cert)
    t.equal(one!.keyFile, pair.key)
    t.match(one!.fingerprint256, /^(?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/)
    t.ok(one!.expiresAt.getTime() > Date.now() + 29 * 86_400_000)
    t.equal(one!.subject, 'CN=Chat.example.com')
    t.match(one!.cert, /^-----BEGIN CERTIFICATE-----/)
    t.match(one!.key, /^-----BEGIN PRIVATE KEY-----/)
    t.ok(one!.leaf.checkPrivateKey(createPrivateKey(one!.key)))
  }
})

t.test('a bad certificate or key is refused with its file named', async (t) => {
  const cases: [string, CertificateWish, RegExp][] = [
    ['expired', { from: -30, to: -1 }, /bad\.pem: expired at \d{4}-/],
    ['early', { from: 1, to: 30 }, /bad\.pem: is valid only from \d{4}-/],
    ['nameless', { names: [] }, /bad\.pem: names no host \(subjectAltName\)/],
    ['client only', { purposes: ['1.3.6.1.5.5.7.3.2'] }, /bad\.pem: is not meant for servers/],
    ['short RSA', { kind: 'RSA-1024' }, /bad\.pem: has an RSA key of 1024 bits; it takes 2048/],
    ['short RSA, key', { kind: 'RSA-1024' }, /bad\.key: has an RSA key of 1024 bits; it takes 2048/],
    ['SHA-1', { kind: 'RSA-SHA1' }, /bad\.pem: is signed with SHA-1; it takes SHA-256/],
    ['PSS with SHA-1', { kind: 'RSA-PSS-SHA1' }, /bad\.pem: is signed with RSA-PSS with SHA-1/],
  ]
  for (const [name, wish, expected] of cases) {
    const pair = writePair(t.testdir(), 'bad', await makeCertificate(wish))
    const problems = problemsOf([pair])
    t.ok(
      problems.some((each) => expected.test(each)),
      `${name}: ${problems.join(' | ')}`,
    )
    for (const each of problems) t.match(each, /^listeners\.public\.tls\.certificates\[0\]: /, name)
  }
})

t.test('a certificate for servers, or for any purpose, passes', async (t) => {
  for (const purpose of ['1.3.6.1.5.5.7.3.1', '2.5.29.37.0']) {
    const pair = writePair(t.testdir(), 'good', await makeCertificate({ purposes: ['1.3.6.1.5.5.7.3.2', purpose] }))
    t.strictSame(problemsOf([pair]), [])
  }
})

t.test('a curve that is not on the list is refused', async (t) => {
  const { generateKeyPairSync } = await import('node:crypto')
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
  const made = await makeCertificate()
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const problems = problemsOf([writePair(t.testdir(), 'bad', { cert: made.cert, key })])
  t.match(problems.join('\n'), /bad\.key: has a key on the curve secp256k1; it takes P-256, P-384 or P-521/)
})

t.test('a key of another certificate is refused', async (t) => {
  const [one, other] = [await makeCertificate(), await makeCertificate()]
  const problems = problemsOf([writePair(t.testdir(), 'mixed', { cert: one.cert, key: other.key })])
  t.equal(problems.length, 1)
  t.match(problems[0], /mixed\.key is not the key of .*mixed\.pem$/)
})

t.test('a key that others can read is refused with the command that helps', async (t) => {
  const made = await makeCertificate()
  for (const mode of [0o644, 0o640, 0o604, 0o660, 0o610]) {
    const pair = writePair(t.testdir(), 'open', made)
    chmodSync(pair.key, mode)
    const problems = problemsOf([pair])
    t.equal(problems.length, 1)
    t.match(problems[0], new RegExp(`open\\.key can be read by others \\(mode 0${mode.toString(8)}\\)`))
    t.ok(problems[0]!.endsWith(`run: chmod 0600 ${pair.key}`))
  }
  const pair = writePair(t.testdir(), 'closed', made)
  chmodSync(pair.key, 0o400)
  t.strictSame(problemsOf([pair]), [])
})

t.test('files that are missing, empty, folders or something else are refused', async (t) => {
  const folder = t.testdir()
  const made = await makeCertificate()
  const good = writePair(folder, 'good', made)
  const missing = { cert: join(folder, 'no.pem'), key: join(folder, 'no.key') }
  t.strictSame(
    problemsOf([missing]),
    [missing.cert, missing.key].map(
      (file) => `listeners.public.tls.certificates[0]: ${file} cannot be read: it does not exist`,
    ),
  )
  t.match(problemsOf([{ ...good, cert: folder }])[0], /cannot be read: it is a folder/)
  t.match(problemsOf([writePair(folder, 'empty', { cert: '', key: '' })]).join('\n'), /empty\.pem holds no certificate/)
  t.match(
    problemsOf([writePair(folder, 'swapped', { cert: made.key, key: made.cert })]).join('\n'),
    /swapped\.key holds no private key/,
  )
  const damaged = {
    cert: made.cert.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA'),
    key: made.key.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA'),
  }
  const problems = problemsOf([writePair(folder, 'damaged', damaged)]).join('\n')
  t.match(problems, /damaged\.pem: certificate 1 in the file is damaged/)
  t.match(problems, /damaged\.key is damaged/)
  t.match(
    problemsOf([writePair(folder, 'bundle', { cert: made.cert.repeat(11), key: made.key })])[0],
    /holds 11 certificates/,
  )
})

t.test('an encrypted key needs its passphrase, and the right one', async (t) => {
  const made = await makeCertificate()
  const pair = writePair(t.testdir(), 'locked', { cert: made.cert, key: encryptKey(made.key, 'correct horse') })
  const passphrase = { file: 'secrets/passphrase' }
  t.match(problemsOf([pair])[0], /locked\.key is encrypted; give its passphrase/)
  t.match(
    problemsOf([{ ...pair, passphrase }], () => 'wrong')[0],
    /locked\.key cannot be decrypted: the passphrase is wrong/,
  )
  const broken = problemsOf([{ ...pair, passphrase }], () => {
    throw new Error('secrets/passphrase does not exist')
  })
  t.match(broken[0], /locked\.key: its passphrase cannot be had: secrets\/passphrase does not exist/)
  const asked: SecretReference[] = []
  const [one] = load([{ ...pair, passphrase }], (reference) => {
    asked.push(reference)
    return 'correct horse'
  })
  t.strictSame(asked, [passphrase])
  t.equal(one!.key, made.key, 'decrypted once, at load')
  t.notMatch(problemsOf([{ ...pair, passphrase }], () => 'battery staple').join(), /battery staple/, 'never printed')
})

t.test('a chain is judged whole, and its order is told', async (t) => {
  const root = await makeCertificate({ names: [], subject: 'CN=root', authority: true })
  const middle = await makeCertificate({ names: [], subject: 'CN=middle', issuer: root, authority: true })
  const stale = await makeCertificate({
    names: [],
    subject: 'CN=stale',
    issuer: root,
    authority: true,
    from: -9,
    to: -1,
  })
  const weak = await makeCertificate({ names: [], subject: 'CN=weak', kind: 'RSA-1024', issuer: root, authority: true })
  const leaf = await makeCertificate({ names: ['chat.example.com'], issuer: middle })
  const folder = t.testdir()
  const chain = (...certs: string[]) => writePair(folder, 'chain', { cert: certs.join(''), key: leaf.key })
  t.strictSame(problemsOf([chain(leaf.cert, middle.cert, root.cert)]), [])
  t.match(problemsOf([chain(middle.cert, leaf.cert)]).join('\n'), /is number 2 in the file; it must come first/)
  t.match(problemsOf([chain(leaf.cert, stale.cert)])[0], /chain certificate 2 expired at/)
  t.match(problemsOf([chain(leaf.cert, weak.cert)])[0], /chain certificate 2 has an RSA key of 1024 bits/)
})

t.test('an old root at the end of a chain is not judged: no client looks at it', async (t) => {
  const root = await makeCertificate({ names: [], subject: 'CN=old root', authority: true, from: -9, to: -1 })
  const leaf = await makeCertificate({ names: ['chat.example.com'], issuer: root })
  t.strictSame(problemsOf([writePair(t.testdir(), 'chain', { cert: leaf.cert + root.cert, key: leaf.key })]), [])
})

t.test('every problem of every pair comes at once', async (t) => {
  const folder = t.testdir()
  const expired = writePair(folder, 'expired', await makeCertificate({ from: -30, to: -1 }))
  const good = writePair(folder, 'good', await makeCertificate())
  const open = writePair(folder, 'open', await makeCertificate({ names: ['b.example.com'] }))
  chmodSync(open.key, 0o644)
  const problems = problemsOf([expired, good, open, { cert: join(folder, 'x.pem'), key: good.key }])
  t.equal(problems.length, 3)
  t.match(problems[0], /certificates\[0\]: .*expired\.pem: expired at/)
  t.match(problems[1], /certificates\[2\]: .*open\.key can be read by others/)
  t.match(problems[2], /certificates\[3\]: .*x\.pem cannot be read/)
})

t.test('a certificate that could never be chosen is told', async (t) => {
  const folder = t.testdir()
  const wide = writePair(folder, 'wide', await makeCertificate({ names: ['a.example.com', 'b.example.com'] }))
  const narrow = writePair(folder, 'narrow', await makeCertificate({ names: ['b.example.com'] }))
  t.match(problemsOf([wide, narrow])[0], /narrow\.pem is never chosen: .*wide\.pem serves all its names/)
  t.strictSame(problemsOf([narrow, wide]), [], 'the narrow one first: both are of use')
})

t.test('what stands around the certificate is not served', async (t) => {
  const made = await makeCertificate()
  const pair = writePair(t.testdir(), 'both', made)
  writeFileSync(pair.cert, `a note\n${made.key}${made.cert}`)
  const [one] = load([pair])
  t.notMatch(one!.cert, /PRIVATE KEY|a note/)
  t.match(readFileSync(pair.cert, 'utf8'), /PRIVATE KEY/)
})
