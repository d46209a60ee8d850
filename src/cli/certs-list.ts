/** What `certs list` tells: every certificate that a configuration names, as it stands on disk. It changes nothing. */
import { type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { CertificateFiles } from '../acme/certificate-files.ts'
import { loadConfiguration } from '../config/load.ts'
import type { TlsConfig } from '../config/shape.ts'
import { pairsOf } from '../listen/certificate-folders.ts'
import { certificateProblems, subjectNames } from '../listen/certificate-rules.ts'

export interface CertificateRow {
  readonly listener: string
  readonly file: string
  readonly source: string
  readonly names: readonly string[]
  /** ISO 8601; '' where the file cannot be read. */
  readonly expiresAt: string
  readonly key: string
  /** Of the key file, octal; '' where it is not there. */
  readonly mode: string
  readonly problems: readonly string[]
}

const DAY_MS = 86_400_000

export function certificateList(configPath: string): { rows: CertificateRow[]; text: string } {
  const { configuration } = loadConfiguration(configPath, { env: process.env, checkFiles: false })
  const rows = Object.entries(configuration.listeners).flatMap(([listener, each]) =>
    'tls' in each && typeof each.tls === 'object' ? rowsOf(listener, each.tls) : [],
  )
  return { rows, text: rows.length === 0 ? 'no certificates are named\n' : rows.map(textOf).join('') }
}

function rowsOf(listener: string, tls: TlsConfig): CertificateRow[] {
  const rows: CertificateRow[] = []
  for (const entry of tls.certificates) {
    const source = 'folder' in entry ? `folder ${entry.folder}` : 'file'
    const report = (problem: string): void =>
      void rows.push({ listener, file: '-', source, names: [], expiresAt: '', key: '-', mode: '', problems: [problem] })
    for (const { cert, key } of pairsOf(entry, report)) rows.push(rowOf(listener, cert, key, source))
  }
  if (tls.acme !== undefined) {
    const { cert, key } = new CertificateFiles(tls.acme.folder, tls.acme.names[0]!)
    rows.push(rowOf(listener, cert, key, 'acme'))
  }
  return rows
}

function rowOf(listener: string, file: string, keyFile: string, source: string): CertificateRow {
  const mode = modeOf(keyFile)
  const problems = mode === '' ? [`${keyFile} is not there`] : []
  let leaf: X509Certificate
  try {
    leaf = new X509Certificate(readFileSync(file))
  } catch {
    const isOrdered = source === 'acme' && mode === ''
    const problem = isOrdered ? [] : [`${file} is not there, or no certificate`]
    return { listener, file, source, names: [], expiresAt: '', key: '-', mode, problems: problem }
  }
  problems.push(...certificateProblems([leaf], new Date()))
  const expiresAt = leaf.validToDate.toISOString()
  return { listener, file, source, names: subjectNames(leaf), expiresAt, key: kindOf(leaf.publicKey), mode, problems }
}

function modeOf(file: string): string {
  const state = statSync(file, { throwIfNoEntry: false })
  return state === undefined ? '' : (state.mode & 0o777).toString(8).padStart(4, '0')
}

function kindOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  const { modulusLength, namedCurve } = asymmetricKeyDetails ?? {}
  return [asymmetricKeyType, namedCurve ?? modulusLength].filter((part) => part !== undefined).join(' ')
}

function textOf(row: CertificateRow): string {
  const { listener, file, source, names, expiresAt, key, mode, problems } = row
  const days = Math.floor((Date.parse(expiresAt) - Date.now()) / DAY_MS)
  const end = expiresAt === '' ? 'none yet' : `until ${expiresAt} (${days} days)`
  const lines = [
    `${listener}  ${file}  ${source}`,
    `  ${names.length === 0 ? '-' : names.join(', ')}`,
    `  ${end}  ${key}  key file ${mode === '' ? 'missing' : mode}`,
    ...problems.map((problem) => `  ! ${problem}`),
  ]
  return `${lines.join('\n')}\n`
}
