/** The command about certificates: what it tells, takes, makes, and refuses. */
import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { makeCertificate, writePair } from '../kit/certificates.ts'
import { publicListener, startGateway, testConfig } from '../kit/gateway.ts'

const BIN = resolve(import.meta.dirname, '../../bin/portcullis.js')

function run(cwd: string, ...words: string[]): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((done) => {
    const child = spawn(process.execPath, [BIN, 'certs', ...words], { cwd, env: { PATH: process.env.PATH } })
    let [out, err] = ['', '']
    child.stdout.on('data', (text) => {
      out += text
    })
    child.stderr.on('data', (text) => {
      err += text
    })
    child.on('close', (code) => done({ code, out, err }))
  })
}

t.test('import takes what the gateway would serve, whole or not at all', async (t) => {
  const folder = t.testdir({ certs: {} })
  const made = await makeCertificate({ names: ['a.example.com'] })
  writePair(folder, 'new', made)
  const taken = await run(folder, 'import', '--cert', 'new.pem', '--key', 'new.key', '--to', 'certs/chat')
  t.match(taken, { code: 0, out: /certs\/chat\.pem and certs\/chat\.key: a\.example\.com, until / })
  t.equal(statSync(join(folder, 'certs/chat.key')).mode & 0o777, 0o600)
  const before = readFileSync(join(folder, 'certs/chat.pem'), 'utf8')
  writePair(folder, 'old', await makeCertificate({ names: ['a.example.com'], from: -20, to: -1 }))
  const late = await run(folder, 'import', '--cert', 'old.pem', '--key', 'old.key', '--to', 'certs/chat')
  t.match(late, { code: 1, err: /^old\.pem: expired at / })
  const crossed = await run(folder, 'import', '--cert', 'new.pem', '--key', 'old.key', '--to', 'certs/chat')
  t.match(crossed, { code: 1, err: /old\.key is not the key of new\.pem/ })
  t.equal(readFileSync(join(folder, 'certs/chat.pem'), 'utf8'), before)
  t.same(readdirSync(join(folder, 'certs')).sort(), ['chat.key', 'chat.pem'], 'nothing is left lying around')
})

t.test('self-signed and csr make private keys and overwrite nothing', async (t) => {
  const folder = t.testdir()
  t.match(await run(folder, 'self-signed', '--names', 'a.example.com,127.0.0.1', '--to', 'own', '--days', '3'), {
    code: 0,
  })
  const leaf = new X509Certificate(readFileSync(join(folder, 'own.pem')))
  t.equal(leaf.subjectAltName, 'DNS:a.example.com, IP Address:127.0.0.1')
  t.equal(statSync(join(folder, 'own.key')).mode & 0o777, 0o600)
  const again = await run(folder, 'self-signed', '--names', 'a.example.com', '--to', 'own')
  t.match(again, { code: 1, err: /own\.key and own\.pem stands there/ })
  t.match(await run(folder, 'csr', '--names', 'a.example.com', '--to', 'asked'), { code: 0 })
  t.match(readFileSync(join(folder, 'asked.csr'), 'utf8'), /^-----BEGIN CERTIFICATE REQUEST-----\n/)
  t.equal(statSync(join(folder, 'asked.key')).mode & 0o777, 0o600)
  t.match(await run(folder, 'csr', '--names', 'b.example.com', '--to', 'asked'), { code: 1 })
})

t.test('called wrongly', async (t) => {
  const folder = t.testdir()
  t.match(await run(folder), { code: 2, err: /say what to do: list, renew, import, self-signed, csr/ })
  t.match(await run(folder, 'renew'), { code: 2, err: /takes one host name/ })
  t.match(await run(folder, 'csr', '--names', 'a.example.com'), { code: 2, err: /--to is missing/ })
  t.match(await run(folder, 'csr', '--names', 'A b', '--to', 'x'), { code: 2, err: /--names takes host names/ })
  t.match(await run(folder, 'self-signed', '--names', 'a', '--to', 'x', '--days', '4000'), { code: 2, err: /--days/ })
  t.match(await run(folder, 'import', '--to', 'x'), { code: 2, err: /--cert and --key/ })
  t.equal(existsSync(join(folder, 'x.key')), false)
})

t.test('list tells every certificate of a configuration, and what is wrong with it', async (t) => {
  const folder = t.testdir({ sites: {} })
  const good = writePair(folder, 'good', await makeCertificate({ names: ['a.example.com'], to: 30 }))
  writePair(
    join(folder, 'sites'),
    'late',
    await makeCertificate({ names: ['late.example.com'], from: -9, to: -1 }),
    0o644,
  )
  const acme = { names: ['b.example.com'], agreeToTerms: true, folder: join(folder, 'acme') }
  const tls = { certificates: [good, { folder: join(folder, 'sites') }], acme }
  const listeners = { public: publicListener({ hosts: ['b.example.com'], tls }), admin: { address: '127.0.0.1:9' } }
  writeFileSync(join(folder, 'gateway.json'), JSON.stringify(testConfig('http://127.0.0.1:9', { listeners })))
  const { code, out } = await run(folder, 'list', '--config', 'gateway.json')
  t.equal(code, 1, 'for scripts: something is wrong')
  t.match(
    out,
    /public {2}\S+good\.pem {2}file\n {2}a\.example\.com\n {2}until \S+Z \(29 days\) {2}ec prime256v1 {2}key file 0600\n/,
  )
  t.match(out, /late\.pem {2}folder \S+sites\n {2}late\.example\.com\n.*key file 0644\n {2}! expired at /)
  t.match(out, /fullchain\.pem {2}acme\n {2}-\n {2}none yet/)
  const rows = JSON.parse((await run(folder, 'list', '--config', 'gateway.json', '--json')).out)
  t.equal(rows.length, 3)
})

t.test('renew asks the running gateway', async (t) => {
  const gateway = await startGateway(testConfig('http://127.0.0.1:9'))
  t.teardown(() => gateway.close())
  const admin = `http://127.0.0.1:${gateway.adminPort}`
  const none = await run(gateway.folder, 'renew', 'a.example.com', '--admin', admin)
  t.match(none, { code: 1, err: /no certificate for a\.example\.com is ordered here/ })
  t.match(gateway.auditLines().at(-1), {
    event: 'crypt_renew',
    outcome: 'failure',
    object: 'certificate a.example.com',
  })
  const post = (body: string, type: string) =>
    fetch(`${admin}/certificates/renew`, { method: 'POST', body, headers: { 'content-type': type } })
  t.equal((await post('{"name":"a.example.com"}', 'text/plain')).status, 415, 'no form of another page')
  t.equal((await post('{"name":"a b"}', 'application/json')).status, 400)
  t.equal((await post('[', 'application/json')).status, 400)
  t.equal((await fetch(`${admin}/certificates/renew`)).status, 405)
})
