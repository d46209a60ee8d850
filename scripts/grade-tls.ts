/**
 * Starts the gateway as it is by default, with a certificate of a test authority, and has testssl and sslscan look at it. Ends
 * with 1 where the grade is not A+, where a finding of LOW or above is not among those that docs/tls.md explains, where
 * sslscan sees a protocol below TLS 1.2, or where the hybrid group is not offered.
 *
 *   npm run grade
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificate, writePair } from '../test/kit/certificates.ts'
import { freePort } from '../test/kit/upstream.ts'
import { until } from '../test/kit/wait.ts'

/** What testssl finds that is not the listener's: the rows of docs/tls.md, "What the scanners say". */
const EXPLAINED: ReadonlySet<string> = new Set(['cert_revocation', 'DNS_CAArecord', 'HTTP_status_code'])
const SEVERE: ReadonlySet<string> = new Set(['LOW', 'MEDIUM', 'HIGH', 'CRITICAL', 'FATAL', 'WARN'])

interface Finding {
  readonly id: string
  readonly severity: string
  readonly finding: string
}

const folder = mkdtempSync(join(tmpdir(), 'portcullis-grade-'))
const testssl = process.argv[2]
if (testssl === undefined) throw new Error('call it by: npm run grade')

const authority = await makeCertificate({ subject: 'CN=A test authority', authority: true, to: 300 })
const leaf = await makeCertificate({ names: ['localhost'], issuer: authority, to: 80 })
const ca = join(folder, 'ca.pem')
writeFileSync(ca, authority.cert)
const pair = writePair(folder, 'leaf', { cert: leaf.cert + authority.cert, key: leaf.key })
const port = await freePort()
writeFileSync(
  join(folder, 'gateway.json'),
  JSON.stringify({
    listeners: {
      public: { address: `127.0.0.1:${port}`, hosts: ['localhost'], tls: { certificates: [pair] } },
      admin: { address: '127.0.0.1:0' },
    },
    services: { chat: { endpoints: [`http://127.0.0.1:${await freePort()}`] } },
    routes: [{ path: '/*', service: 'chat', profiles: ['internet'], purpose: 'rating', headers: 'page' }],
    log: { access: 'off' },
  }),
)

const program = join(import.meta.dirname, '../bin/portcullis.js')
const gateway = spawn(process.execPath, [program, 'start', '--config', join(folder, 'gateway.json')], { cwd: folder })
let said = ''
gateway.stderr.on('data', (data) => (said += data))
const problems: string[] = []
try {
  await until(() => said.includes('"listeners.public.address"'), 'the start of the gateway')
  lookWithTestssl(testssl)
  lookWithSslscan()
} finally {
  gateway.kill('SIGTERM')
  await once(gateway, 'exit')
  rmSync(folder, { recursive: true, force: true })
}
for (const problem of problems) console.error(problem)
process.exitCode = problems.length === 0 ? 0 : 1

function lookWithTestssl(path: string): void {
  const out = join(folder, 'findings.json')
  const options = [
    '--quiet',
    '--color',
    '0',
    '--warnings',
    'batch',
    '--add-ca',
    ca,
    '--jsonfile',
    out,
    `localhost:${port}`,
  ]
  try {
    execFileSync('bash', [path, ...options], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, TERM: 'dumb' },
    })
  } catch {
    // Its exit code counts findings; the file says which.
  }
  const findings = JSON.parse(readFileSync(out, 'utf8')) as Finding[]
  const of = (id: string): string => findings.find((each) => each.id === id)?.finding ?? 'nothing'
  console.log(`testssl: grade ${of('overall_grade')}, score ${of('final_score')}, hybrid groups ${of('FS_KEMs')}`)
  if (of('overall_grade') !== 'A+') problems.push(`the grade is ${of('overall_grade')}, not A+`)
  if (of('FS_KEMs') !== 'X25519MLKEM768') problems.push(`hybrid groups: ${of('FS_KEMs')}, not X25519MLKEM768`)
  for (const { id, severity, finding } of findings.filter((each) => SEVERE.has(each.severity))) {
    console.log(`  ${severity} ${id}: ${finding}${EXPLAINED.has(id) ? ' (explained)' : ''}`)
    if (!EXPLAINED.has(id)) problems.push(`${severity} ${id}: ${finding}`)
  }
}

function lookWithSslscan(): void {
  const xml = execFileSync('sslscan', ['--no-colour', '--xml=-', `localhost:${port}`], { encoding: 'utf8' })
  const offered = [...xml.matchAll(/<protocol type="(\w+)" version="([\d.]+)" enabled="1"/g)].map(
    (each) => `${each[1]} ${each[2]}`,
  )
  console.log(`sslscan: ${offered.join(', ')}`)
  if (offered.join() !== 'tls 1.2,tls 1.3') problems.push(`sslscan sees ${offered.join(', ') || 'nothing'}`)
}
