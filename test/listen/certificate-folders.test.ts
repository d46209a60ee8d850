/** Folders of certificates: which files make a pair, what is told of the others, and what a reload reads again. */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { ConfigurationError } from '../../src/errors.ts'
import { pairsOf } from '../../src/listen/certificate-folders.ts'
import { CertificateCache, filesOf, loadCertificates } from '../../src/listen/certificates.ts'
import { encryptKey, makeCertificate, writePair } from '../kit/certificates.ts'

function problemsOf(load: () => unknown): readonly string[] {
  try {
    load()
  } catch (error) {
    return (error as ConfigurationError).problems
  }
  return []
}

t.test('pairs are found by their names, in order, and other files passed over', (t) => {
  const folder = t.testdir({
    'b.pem': '',
    'b.key': '',
    'a.crt': '',
    'a.key': '',
    '.hidden.pem': '',
    README: '',
    'z.example.com': { 'fullchain.pem': '', 'privkey.pem': '', 'chain.pem': '' },
    other: { 'x.pem': '' },
  })
  const problems: string[] = []
  const pairs = pairsOf({ folder }, (problem) => problems.push(problem))
  t.strictSame(problems, [])
  t.strictSame(
    pairs.map(({ cert, key }) => [cert.slice(folder.length + 1), key.slice(folder.length + 1)]),
    [
      ['a.crt', 'a.key'],
      ['b.pem', 'b.key'],
      ['z.example.com/fullchain.pem', 'z.example.com/privkey.pem'],
    ],
  )
  t.end()
})

t.test('a certificate without a key, an empty folder and none at all are told', (t) => {
  const folder = t.testdir({ 'lone.pem': '', empty: {} })
  const told = (place: string): string[] => {
    const problems: string[] = []
    pairsOf({ folder: place }, (problem) => problems.push(problem))
    return problems
  }
  t.match(told(folder), [/lone\.pem has no key beside it; put it there as lone\.key/, /holds no pair/])
  t.match(told(join(folder, 'empty')), [/empty holds no pair/])
  t.match(told(join(folder, 'absent')), [/absent cannot be read: it does not exist/])
  t.end()
})

t.test('a folder is loaded as a whole or not at all; a reload reads only what changed', async (t) => {
  const place = t.testdir({ all: {}, fresh: {} })
  const folder = join(place, 'all')
  for (const name of ['a', 'b']) writePair(folder, name, await makeCertificate({ names: [`${name}.example.com`] }))
  const cache = new CertificateCache()
  const config = { certificates: [{ folder }], profile: 'intermediate' as const }
  const load = () => {
    const loaded = loadCertificates(config, () => '', 'public', cache)
    cache.settle()
    return loaded
  }
  const first = load()
  t.strictSame(
    first.map(({ names }) => names),
    [['a.example.com'], ['b.example.com']],
  )
  t.strictSame(load(), first, 'the very same objects')
  t.equal(load()[0], first[0])

  const fresh = writePair(join(place, 'fresh'), 'n', await makeCertificate({ names: ['b.example.com'] }))
  renameSync(fresh.cert, join(folder, 'b.pem'))
  t.match(problemsOf(load), [/certificates\[0\]: .*b\.key is not the key of .*b\.pem/])
  renameSync(fresh.key, join(folder, 'b.key'))
  const second = load()
  t.equal(second[0], first[0], 'not read again')
  t.not(second[1]!.fingerprint256, first[1]!.fingerprint256)

  writeFileSync(join(folder, 'c.pem'), 'nothing')
  t.match(problemsOf(load), [/c\.pem has no key beside it/])
  rmSync(join(folder, 'c.pem'))
  t.ok(filesOf(config).includes(folder), 'the folder itself is watched')
  t.ok(filesOf(config).includes(join(folder, 'b.key')))
})

t.test('a certificate that was loaded before is refused once its time is over', async (t) => {
  const folder = t.testdir()
  const pair = writePair(folder, 'short', await makeCertificate({ to: 1.5 / 86_400 }))
  const cache = new CertificateCache()
  const config = { certificates: [pair], profile: 'intermediate' as const }
  t.equal(loadCertificates(config, () => '', 'public', cache).length, 1)
  await new Promise((resolve) => setTimeout(resolve, 2600))
  t.match(
    problemsOf(() => loadCertificates(config, () => '', 'public', cache)),
    [/short\.pem: expired at/],
  )
})

t.test('one passphrase opens the keys of a folder', async (t) => {
  const folder = t.testdir()
  const made = await makeCertificate()
  writePair(folder, 'one', { cert: made.cert, key: encryptKey(made.key, 'open sesame') })
  const passphrase = { env: 'PASS' }
  const config = { certificates: [{ folder, passphrase }], profile: 'intermediate' as const }
  t.equal(loadCertificates(config, () => 'open sesame', 'public').length, 1)
  t.match(
    problemsOf(() => loadCertificates(config, () => 'wrong', 'public')),
    [/the passphrase is wrong/],
  )
})
